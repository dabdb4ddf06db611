//! Writes the text format as Prometheus's `/federate` and its client libraries do.

use model::{MetricType, write_float};

use crate::escaping::{Escaping, write_escaped, write_family_name, write_series};

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
        write_family_name(&mut self.out, metric, self.escaping);
        self.out.push(b' ');
        write_escaped(&mut self.out, text, false);
        self.out.push(b'\n');
    }

    /// `# TYPE metric kind`
    pub fn metric_type(&mut self, metric: &str, kind: MetricType) {
        self.out.extend_from_slice(b"# TYPE ");
        write_family_name(&mut self.out, metric, self.escaping);
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
        write_series(&mut self.out, metric, labels, self.escaping);
        self.out.push(b' ');
        write_float(&mut self.out, value);
        if let Some(timestamp) = timestamp {
            self.out.push(b' ');
            self.out.extend_from_slice(itoa::Buffer::new().format(timestamp).as_bytes());
        }
        self.out.push(b'\n');
    }
}
