//! Writes OpenMetrics 1.0.

use model::{MetricType, format_plain_float, write_float};

use crate::escaping::{Escaping, write_family_name, write_series};

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

    /// `# TYPE metric kind`
    pub fn metric_type(&mut self, metric: &str, kind: MetricType) {
        self.out.extend_from_slice(b"# TYPE ");
        write_family_name(&mut self.out, metric, self.escaping);
        self.out.push(b' ');
        self.out.extend_from_slice(kind.as_str().as_bytes());
        self.out.push(b'\n');
    }

    /// One sample; `labels` are written in the order they come, empty values included. The timestamp is in milliseconds.
    pub fn sample<'a>(
        &mut self,
        metric: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        value: f64,
        timestamp: Option<i64>,
    ) {
        write_series(&mut self.out, metric, labels, self.escaping);
        self.out.push(b' ');
        write_number(&mut self.out, value);
        if let Some(timestamp) = timestamp {
            self.out.push(b' ');
            write_seconds(&mut self.out, timestamp);
        }
        self.out.push(b'\n');
    }

    /// `# EOF`, with which every exposition ends.
    pub fn end(&mut self) {
        self.out.extend_from_slice(b"# EOF\n");
    }
}

/// A float that shows to be one: whole numbers have a zero behind the point.
pub fn write_number(out: &mut Vec<u8>, value: f64) {
    let start = out.len();
    write_float(out, value);
    if value.is_finite() && !out[start..].iter().any(|byte| matches!(byte, b'.' | b'e')) {
        out.extend_from_slice(b".0");
    }
}

/// Seconds with their milliseconds. Prometheus multiplies the float by 1000 and cuts off the rest, so a time that would lose its last
/// millisecond on that way is told as the next float, which is less than a microsecond away.
fn write_seconds(out: &mut Vec<u8>, ms: i64) {
    let seconds = ms as f64 / 1000.0;
    if (seconds * 1000.0) as i64 != ms {
        let outwards = if ms < 0 { seconds.next_down() } else { seconds.next_up() };
        return out.extend_from_slice(format_plain_float(outwards).as_bytes());
    }
    if ms < 0 {
        out.push(b'-');
    }
    let (whole, fraction) = (ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000);
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    let digits = [b'0' + (fraction / 100) as u8, b'0' + (fraction / 10 % 10) as u8, b'0' + (fraction % 10) as u8];
    out.push(b'.');
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use model::LabelsScratch;
    use proptest::prelude::*;

    use super::*;
    use crate::openmetrics::parser::{Entry, Parser};

    #[test]
    fn writes_what_the_format_asks_for() {
        let mut writer = Writer::new(Escaping::AllowUtf8);
        writer.metric_type("a.b", MetricType::Unknown);
        writer.sample("a.b", [("x", "1\n\"")], 1.0, Some(1_700_000_000_000));
        writer.metric_type("h", MetricType::GaugeHistogram);
        writer.sample("h", [], 1e6, Some(-1500));
        writer.sample("h", [], f64::NEG_INFINITY, None);
        writer.sample("h", [], -0.5, Some(7));
        writer.end();
        assert_eq!(
            String::from_utf8(writer.take()).as_deref(),
            Ok("# TYPE \"a.b\" unknown\n{\"a.b\",x=\"1\\n\\\"\"} 1.0 1700000000.000\n# TYPE h gaugehistogram\n\
                h 1e+06 -1.500\nh -Inf\nh -0.5 0.007\n# EOF\n")
        );
    }

    proptest! {
        #[test]
        fn is_read_back(value in any::<f64>(), ms in -4_000_000_000_000_i64..40_000_000_000_000) {
            let mut writer = Writer::new(Escaping::AllowUtf8);
            writer.sample("a", [("b", "c")], value, Some(ms));
            writer.end();
            let text = writer.take();
            let mut parser = Parser::new(&text);
            let Some(Ok(Entry::Sample(line))) = parser.next() else { panic!("{}", String::from_utf8_lossy(&text)) };
            line.labels(&mut LabelsScratch::default()).expect("labels");
            prop_assert_eq!(line.timestamp, Some(ms), "{}", String::from_utf8_lossy(&text));
            prop_assert!(line.value == value || line.value.is_nan() && value.is_nan());
        }
    }
}
