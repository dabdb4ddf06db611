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

/// Name and labels of a sample. Labels are written in the order they come, empty values included.
pub(crate) fn write_series<'a>(
    out: &mut Vec<u8>,
    metric: &str,
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    escaping: Escaping,
) {
    let mut separator = b'{';
    if is_valid_metric_name(metric) {
        out.extend_from_slice(metric.as_bytes());
    } else if escaping == Escaping::AllowUtf8 {
        out.push(separator);
        separator = b',';
        write_quoted(out, metric);
    } else {
        escaping.rewrite(out, metric, true);
    }
    for (name, value) in labels {
        out.push(separator);
        separator = b',';
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
    if separator == b',' {
        out.push(b'}');
    }
}

fn write_quoted(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    // Values are short: looking at each byte is quicker than setting out to find one.
    if text.bytes().fold(false, |found, byte| found | matches!(byte, b'"' | b'\\' | b'\n')) {
        write_escaped(out, text, true);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
}

/// A text with backslashes before what would end it; `quotes` says whether quotes would.
pub(crate) fn write_escaped(out: &mut Vec<u8>, text: &str, quotes: bool) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for at in memchr::memchr3_iter(b'\\', b'\n', b'"', bytes) {
        if bytes[at] == b'"' && !quotes {
            continue;
        }
        out.extend_from_slice(&bytes[done..at]);
        out.push(b'\\');
        out.push(if bytes[at] == b'\n' { b'n' } else { bytes[at] });
        done = at + 1;
    }
    out.extend_from_slice(&bytes[done..]);
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
    fn words() {
        for word in ["allow-utf-8", "underscores", "dots", "values"] {
            assert_eq!(Escaping::from_word(word).map(Escaping::as_str), Some(word));
        }
        assert_eq!(Escaping::from_word("none"), None);
    }
}
