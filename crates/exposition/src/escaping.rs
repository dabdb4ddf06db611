//! Names that not every reader takes: how they are put into quotes or rewritten, and texts in quotes.

use model::{is_valid_label_name, is_valid_metric_name};

/// What happens to names that only UTF-8 expositions can write. A reader asks for one of these with `escaping=…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Escaping {
    /// They are put into quotes: `{"my.metric"}`.
    #[default]
    AllowUtf8,
    /// What isn't allowed becomes an underscore: `my_metric`. What Prometheus does for readers that didn't ask.
    Underscores,
    /// Dots become `_dot_`, underscores two and what else isn't allowed two as well: `my_dot_metric`.
    Dots,
    /// What isn't allowed becomes its code point between underscores behind `U__`: `U__my_2e_metric`. Can be undone.
    Values,
}

impl Escaping {
    /// The word in `Accept` and `Content-Type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Escaping::AllowUtf8 => "allow-utf-8",
            Escaping::Underscores => "underscores",
            Escaping::Dots => "dots",
            Escaping::Values => "values",
        }
    }

    /// From the word in `Accept`.
    pub fn from_word(word: &str) -> Option<Self> {
        const ALL: [Escaping; 4] = [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];
        ALL.into_iter().find(|escaping| escaping.as_str() == word)
    }

    /// Writes a name that isn't allowed as it is; `colons` says whether colons are, as they are in names of metrics. Not for
    /// [`AllowUtf8`](Self::AllowUtf8), which leaves names alone.
    pub(crate) fn rewrite(self, out: &mut Vec<u8>, name: &str, colons: bool) {
        if self == Escaping::Values {
            out.extend_from_slice(b"U__");
        }
        for (i, c) in name.chars().enumerate() {
            let fits = c == '_' || (c == ':' && colons) || c.is_ascii_alphabetic() || (c.is_ascii_digit() && i > 0);
            match self {
                Escaping::Dots if c == '.' => out.extend_from_slice(b"_dot_"),
                Escaping::Dots if c == '_' || !fits => out.extend_from_slice(b"__"),
                Escaping::Values if c == '_' => out.extend_from_slice(b"__"),
                Escaping::Values if !fits => out.extend_from_slice(format!("_{:x}_", u32::from(c)).as_bytes()),
                _ if fits => out.push(c as u8),
                _ => out.push(b'_'),
            }
        }
    }
}

/// The name of a family behind `# TYPE`.
pub(crate) fn write_family_name(out: &mut Vec<u8>, metric: &str, escaping: Escaping) {
    if is_valid_metric_name(metric) {
        out.extend_from_slice(metric.as_bytes());
    } else if escaping == Escaping::AllowUtf8 {
        write_quoted(out, metric);
    } else {
        escaping.rewrite(out, metric, true);
    }
}

/// Name of a sample's metric. The answer is what stands before the first label.
pub(crate) fn write_metric(out: &mut Vec<u8>, metric: &str, escaping: Escaping) -> u8 {
    if is_valid_metric_name(metric) {
        out.extend_from_slice(metric.as_bytes());
    } else if escaping == Escaping::AllowUtf8 {
        out.push(b'{');
        write_quoted(out, metric);
        return b',';
    } else {
        escaping.rewrite(out, metric, true);
    }
    b'{'
}

/// A label. An empty value is written, too.
pub(crate) fn write_label(out: &mut Vec<u8>, (name, value): (&str, &str), escaping: Escaping) {
    if is_valid_label_name(name) {
        out.extend_from_slice(name.as_bytes());
    } else if escaping == Escaping::AllowUtf8 {
        write_quoted(out, name);
    } else {
        escaping.rewrite(out, name, false);
    }
    out.push(b'=');
    write_quoted(out, value);
}

fn write_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// A text with backslashes before what would end it.
fn write_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    if !needs_escape(bytes) {
        return out.extend_from_slice(bytes);
    }
    for byte in bytes {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            _ => out.push(*byte),
        }
    }
}

/// Whether one of the bytes must not stand in quotes. Values are short and there are millions: eight bytes at a time, without a call.
fn needs_escape(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // Has its highest bit set wherever a byte is zero, and none where no byte is.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let is_one = |byte: &u8| matches!(byte, b'"' | b'\\' | b'\n');
    let (words, rest) = bytes.as_chunks::<8>();
    let mut found = 0;
    for word in words {
        let word = u64::from_ne_bytes(*word);
        for byte in [b'"', b'\\', b'\n'] {
            found |= zeros(word ^ (ONES * u64::from(byte)));
        }
    }
    found != 0 || rest.iter().any(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewrites_names_as_prometheus_does() {
        let check = |name: &str, want: [&str; 3]| {
            for (escaping, want) in [Escaping::Underscores, Escaping::Dots, Escaping::Values].into_iter().zip(want) {
                let mut out = Vec::new();
                write_family_name(&mut out, name, escaping);
                assert_eq!(String::from_utf8(out).as_deref(), Ok(want), "{name} {escaping:?}");
            }
        };
        check("my_metric:a", ["my_metric:a"; 3]);
        check("my.dotted_metric", ["my_dotted_metric", "my_dot_dotted__metric", "U__my_2e_dotted__metric"]);
        check("1a", ["_a", "__a", "U___31_a"]);
        check("größe", ["gr__e", "gr____e", "U__gr_f6__df_e"]);
    }

    #[test]
    fn finds_what_needs_a_backslash() {
        for length in 0..40 {
            for at in 0..length {
                for byte in 0..=255_u8 {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    assert_eq!(
                        needs_escape(&bytes),
                        matches!(byte, b'"' | b'\\' | b'\n'),
                        "{byte} at {at} of {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn words() {
        for word in ["allow-utf-8", "underscores", "dots", "values"] {
            assert_eq!(Escaping::from_word(word).map(Escaping::as_str), Some(word));
        }
        assert_eq!(Escaping::from_word("none"), None);
    }
}
