//! Writes the text format as Prometheus's `/federate` and its client libraries do.

use model::{MetricType, is_valid_label_name, is_valid_metric_name, write_float};

/// What happens to names that only UTF-8 expositions can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Escaping {
    /// They are put into quotes: `{"my.metric"}`. For readers that asked with `escaping=allow-utf-8`.
    #[default]
    AllowUtf8,
    /// What isn't allowed becomes an underscore: `my_metric`. What Prometheus does for readers that didn't ask.
    Underscores,
}

/// Collects an exposition in a buffer that may be taken away piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    out: Vec<u8>,
    escaping: Escaping,
}

impl Writer {
    /// A writer with an empty buffer.
    pub fn new(escaping: Escaping) -> Self {
        Writer { out: Vec::new(), escaping }
    }

    /// The bytes that are waiting to be taken.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Takes what was written so far; the next piece continues behind it.
    pub fn take(&mut self) -> Vec<u8> {
        let capacity = self.out.capacity();
        std::mem::replace(&mut self.out, Vec::with_capacity(capacity))
    }

    /// `# HELP metric text`
    pub fn help(&mut self, metric: &str, text: &str) {
        self.out.extend_from_slice(b"# HELP ");
        self.family_name(metric);
        self.out.push(b' ');
        escape(&mut self.out, text, false);
        self.out.push(b'\n');
    }

    /// `# TYPE metric kind`
    pub fn metric_type(&mut self, metric: &str, kind: MetricType) {
        self.out.extend_from_slice(b"# TYPE ");
        self.family_name(metric);
        self.out.push(b' ');
        self.out.extend_from_slice(kind.as_text_format_str().as_bytes());
        self.out.push(b'\n');
    }

    /// One sample; `labels` are written in the order they come, empty values included.
    pub fn sample<'a>(
        &mut self,
        metric: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        value: f64,
        timestamp: Option<i64>,
    ) {
        let mut separator = b'{';
        if is_valid_metric_name(metric) {
            self.out.extend_from_slice(metric.as_bytes());
        } else if self.escaping == Escaping::Underscores {
            self.underscored(metric, true);
        } else {
            self.out.push(separator);
            separator = b',';
            self.quoted(metric);
        }
        for (name, value) in labels {
            self.out.push(separator);
            separator = b',';
            if is_valid_label_name(name) {
                self.out.extend_from_slice(name.as_bytes());
            } else if self.escaping == Escaping::Underscores {
                self.underscored(name, false);
            } else {
                self.quoted(name);
            }
            self.out.push(b'=');
            self.quoted(value);
        }
        if separator == b',' {
            self.out.push(b'}');
        }
        self.out.push(b' ');
        write_float(&mut self.out, value);
        if let Some(timestamp) = timestamp {
            self.out.push(b' ');
            self.out.extend_from_slice(itoa::Buffer::new().format(timestamp).as_bytes());
        }
        self.out.push(b'\n');
    }

    fn family_name(&mut self, metric: &str) {
        if is_valid_metric_name(metric) {
            self.out.extend_from_slice(metric.as_bytes());
        } else if self.escaping == Escaping::Underscores {
            self.underscored(metric, true);
        } else {
            self.quoted(metric);
        }
    }

    fn quoted(&mut self, text: &str) {
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        // Values are short: looking at each byte is quicker than setting out to find one.
        if text.bytes().fold(false, |found, byte| found | matches!(byte, b'"' | b'\\' | b'\n')) {
            escape(&mut self.out, text, true);
        } else {
            self.out.extend_from_slice(text.as_bytes());
        }
        self.out.push(b'"');
    }

    /// Each character that the field's names don't allow becomes one underscore.
    fn underscored(&mut self, name: &str, colons: bool) {
        for (i, c) in name.chars().enumerate() {
            let fits = c == '_' || (c == ':' && colons) || c.is_ascii_alphabetic() || (c.is_ascii_digit() && i > 0);
            self.out.push(if fits { c as u8 } else { b'_' });
        }
    }
}

fn escape(out: &mut Vec<u8>, text: &str, quotes: bool) {
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
