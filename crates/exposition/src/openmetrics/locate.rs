//! Where in a line the series ends, without looking into it: that is [`parse_series`](super::parse_series)'s business, once
//! per series.

use memchr::{memchr, memchr3, memrchr};

use crate::text::error::{count_newlines, found};
use crate::text::series::{name_len, quoted_len};

/// Where the series of a line ends, and where the line ends (at its newline or at the end of the text).
#[derive(Debug, PartialEq)]
pub(super) struct Located {
    pub(super) series_end: usize,
    pub(super) line_end: usize,
    /// Line ends inside the quotes of the series.
    pub(super) newlines: usize,
}

/// Locates the series in the line that begins at `start`, where the line has no backslash, no `#` (which an exemplar has) and
/// closes its quotes: then the last `}` is the one behind the labels, as a value has none. Its twin is [`locate_slow`];
/// benchmark: `benches/text.rs`.
#[inline]
pub(super) fn locate_fast(input: &[u8], start: usize) -> Option<Located> {
    let line_end = line_end(input, start);
    let line = &input[start..line_end];
    let (mut open_quotes, mut special) = (0_u8, 0_u8);
    for byte in line {
        open_quotes ^= u8::from(*byte == b'"');
        special |= u8::from(*byte == b'\\') | u8::from(*byte == b'#');
    }
    if open_quotes | special != 0 {
        return None;
    }
    let len = match memrchr(b'}', line) {
        Some(brace) => brace + 1,
        None => Some(name_len(line, b':')).filter(|len| *len > 0 && line.get(*len) != Some(&b'{'))?,
    };
    Some(Located { series_end: start + len, line_end, newlines: 0 })
}

/// The twin of [`locate_fast`] for every line, and the one that says what is wrong, as an offset and a message.
#[cold]
pub(super) fn locate_slow(input: &[u8], start: usize) -> Result<Located, (usize, String)> {
    let name_end = start + name_len(&input[start..], b':');
    let mut series_end = name_end;
    if input.get(name_end) == Some(&b'{') {
        series_end = braces_end(input, name_end)?;
    } else if name_end == start {
        return Err((start, format!("expected a metric name, `{{` or `# `, found {}", found(input, start))));
    }
    let newlines = count_newlines(&input[start..series_end]);
    Ok(Located { series_end, line_end: line_end(input, series_end), newlines })
}

/// The end of the labels whose `{` is at `open`: behind their `}`.
pub(super) fn braces_end(input: &[u8], open: usize) -> Result<usize, (usize, String)> {
    let mut pos = open + 1;
    loop {
        let rest = &input[pos..];
        pos += memchr3(b'"', b'}', b'\n', rest).unwrap_or(rest.len());
        match input.get(pos) {
            Some(b'"') => {
                pos += quoted_len(&input[pos..]).ok_or_else(|| (pos, "the quoted text is not closed".to_owned()))?;
            }
            Some(b'}') => return Ok(pos + 1),
            _ => return Err((pos, "expected `}` behind the labels, found the end of the line".to_owned())),
        }
    }
}

/// The next newline, or the end of the text.
#[inline]
pub(super) fn line_end(input: &[u8], from: usize) -> usize {
    memchr(b'\n', &input[from..]).map_or(input.len(), |len| from + len)
}

#[cfg(test)]
mod tests {
    use model::LabelsScratch;
    use proptest::prelude::*;

    use super::super::series::parse_series;
    use super::*;

    proptest! {
        /// Where a line is an exposition, both twins cut it at the same places.
        #[test]
        fn the_fast_way_agrees_with_the_slow_way(line in "(a|b|1|[ {}\",=]|[.+#]|\n|\\{a=\"|\"\\} 1|a\\{b=\"c\"\\}){1,12}") {
            let input = line.as_bytes();
            if let Some(fast) = locate_fast(input, 0)
                && parse_series(&input[..fast.series_end], &mut LabelsScratch::default()).is_ok()
            {
                prop_assert_eq!(locate_slow(input, 0), Ok(fast));
            }
        }
    }
}
