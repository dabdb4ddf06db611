//! Writes the two formats that are lines: the text format, and OpenMetrics.

use model::{MetricType, format_plain_float, write_float};

use crate::escaping::{Escaping, write_family_name, write_label, write_metric};

/// How the formats that are lines differ: in the words for kinds, in numbers, in the unit of time, in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The text format 0.0.4, as Prometheus's `/federate` and its client libraries write it.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// Collects an exposition in a buffer that may be taken away piece by piece.
#[derive(Debug, Clone)]
pub struct LineWriter {
    out: Vec<u8>,
    dialect: Dialect,
    escaping: Escaping,
    last: LastSample,
    /// The timestamp that was written last, and its text: what is scraped together has one.
    timestamp: (i64, Vec<u8>),
}

/// Where the parts of the last sample are in the buffer. The next one mostly begins like it.
#[derive(Debug, Clone, Default)]
struct LastSample {
    start: usize,
    /// Behind the metric, and behind each label, from the start on.
    ends: Vec<usize>,
    /// What stands before the first label.
    opening: u8,
}

impl LastSample {
    /// What stands before the part with this number.
    fn separator(&self, part: usize) -> u8 {
        if part == 1 { self.opening } else { b',' }
    }
}

impl LineWriter {
    /// A writer with an empty buffer.
    pub fn new(dialect: Dialect, escaping: Escaping) -> Self {
        let mut timestamp = (0, Vec::new());
        dialect.write_timestamp(&mut timestamp.1, timestamp.0);
        LineWriter { out: Vec::new(), dialect, escaping, last: LastSample::default(), timestamp }
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
        (self.last.start, self.last.ends) = (0, Vec::new());
        std::mem::replace(&mut self.out, Vec::with_capacity(capacity))
    }

    /// `# TYPE metric kind`. The text format has no word for histograms that go down; as in Prometheus they are told like others.
    pub fn metric_type(&mut self, metric: &str, kind: MetricType) {
        let word = match (self.dialect, kind) {
            (Dialect::OpenMetrics, kind) => kind.as_str(),
            (Dialect::Text, MetricType::GaugeHistogram) => MetricType::Histogram.as_text_format_str(),
            (Dialect::Text, kind) => kind.as_text_format_str(),
        };
        self.out.extend_from_slice(b"# TYPE ");
        write_family_name(&mut self.out, metric, self.escaping);
        self.out.push(b' ');
        self.out.extend_from_slice(word.as_bytes());
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
        self.sample_like_last(0, metric, labels, &[], value, timestamp);
    }

    /// One sample. Bit *i* of `same` is set where its part *i*, the metric being part 0 and then each label, is known to be that of the
    /// sample before: its bytes are copied. Nothing is the same where the metric isn't. Behind the labels come others that were
    /// [written](Self::labels) before.
    pub fn sample_like_last<'a>(
        &mut self,
        same: u64,
        metric: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        more: &[u8],
        value: f64,
        timestamp: Option<i64>,
    ) {
        let parts = self.write_parts(same, metric, labels);
        if !more.is_empty() {
            self.out.push(self.last.separator(parts));
            self.out.extend_from_slice(more);
        }
        if parts > 1 || self.last.opening == b',' || !more.is_empty() {
            self.out.push(b'}');
        }
        self.out.push(b' ');
        self.dialect.write_number(&mut self.out, value);
        if let Some(timestamp) = timestamp {
            self.out.push(b' ');
            self.write_timestamp(timestamp);
        }
        self.out.push(b'\n');
    }

    /// Writes metric and labels; the answer is how many parts that are. Neighbours that are the same are copied together.
    fn write_parts<'a>(
        &mut self,
        same: u64,
        metric: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> usize {
        let LineWriter { out, escaping, last, .. } = self;
        let (before, start) = (last.start, out.len());
        let known = if same & 1 == 0 { 0 } else { last.ends.len() };
        last.start = start;
        if known == 0 {
            last.ends.clear();
            last.opening = write_metric(out, metric, *escaping);
            last.ends.push(out.len() - start);
        }
        // What is waiting to be copied, as places in the line before.
        let mut run = 0..if known == 0 { 0 } else { last.ends[0] };
        let mut end_before = run.end;
        let mut parts = 1;
        for label in labels {
            let (begin, at) = (end_before, parts);
            parts += 1;
            if at < known {
                end_before = last.ends[at];
                if same.checked_shr(at as u32).unwrap_or(0) & 1 == 1 {
                    if run.is_empty() {
                        run = begin..begin;
                    }
                    run.end = end_before;
                    last.ends[at] = out.len() - start + run.len();
                    continue;
                }
            }
            out.extend_from_within(before + run.start..before + run.end);
            run = 0..0;
            out.push(last.separator(at));
            write_label(out, label, *escaping);
            let end = out.len() - start;
            match last.ends.get_mut(at) {
                Some(place) => *place = end,
                None => last.ends.push(end),
            }
        }
        out.extend_from_within(before + run.start..before + run.end);
        last.ends.truncate(parts);
        parts
    }

    /// The text of labels, to be written behind those of many samples.
    pub fn labels<'a>(&self, labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
        let mut out = Vec::new();
        for label in labels {
            if !out.is_empty() {
                out.push(b',');
            }
            write_label(&mut out, label, self.escaping);
        }
        out
    }

    fn write_timestamp(&mut self, timestamp: i64) {
        let (last, text) = &mut self.timestamp;
        if *last != timestamp {
            *last = timestamp;
            text.clear();
            self.dialect.write_timestamp(text, timestamp);
        }
        self.out.extend_from_slice(text);
    }

    /// A bound of a bucket as the value of a label.
    pub fn bound(&self, bound: f64) -> String {
        self.dialect.number(bound)
    }

    /// What every exposition ends with: in OpenMetrics `# EOF`.
    pub fn end(&mut self) {
        if self.dialect == Dialect::OpenMetrics {
            self.out.extend_from_slice(b"# EOF\n");
        }
    }
}

impl Dialect {
    /// A number as it stands behind a sample. As the value of `le` and `quantile` the one of OpenMetrics is stored, whatever the target
    /// shows.
    pub fn number(self, value: f64) -> String {
        let mut out = Vec::new();
        self.write_number(&mut out, value);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// A time in milliseconds.
    fn write_timestamp(self, out: &mut Vec<u8>, timestamp: i64) {
        match self {
            Dialect::Text => out.extend_from_slice(itoa::Buffer::new().format(timestamp).as_bytes()),
            Dialect::OpenMetrics => write_seconds(out, timestamp),
        }
    }

    /// In OpenMetrics a float shows to be one: whole numbers have a zero behind the point.
    fn write_number(self, out: &mut Vec<u8>, value: f64) {
        let start = out.len();
        write_float(out, value);
        if self == Dialect::OpenMetrics
            && value.is_finite()
            && !out[start..].iter().any(|byte| matches!(byte, b'.' | b'e'))
        {
            out.extend_from_slice(b".0");
        }
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
    use crate::openmetrics::{Entry, Parser};

    #[test]
    fn writes_text_as_prometheus_does() {
        let mut writer = LineWriter::new(Dialect::Text, Escaping::AllowUtf8);
        writer.metric_type("m", MetricType::Unknown);
        writer.sample("m", [("a", "1"), ("instance", "")], 1_234_567.0, Some(-5));
        writer.sample("m", [("a", "x\\\"\n")], f64::NAN, None);
        writer.sample("m", [("a", "a longer value with a \" in it")], -0.0, Some(7));
        writer.metric_type("h", MetricType::GaugeHistogram);
        writer.end();
        assert_eq!(
            String::from_utf8_lossy(&writer.take()),
            "# TYPE m untyped\nm{a=\"1\",instance=\"\"} 1.234567e+06 -5\nm{a=\"x\\\\\\\"\\n\"} NaN\n\
             m{a=\"a longer value with a \\\" in it\"} -0 7\n# TYPE h histogram\n"
        );
        assert!(writer.is_empty());
        let names = |escaping| {
            let mut writer = LineWriter::new(Dialect::Text, escaping);
            writer.metric_type("1.ü:m", MetricType::StateSet);
            writer.sample("1.ü:m", [("a.b", "ü"), (":c", "d")], 0.5, None);
            String::from_utf8_lossy(&writer.take()).into_owned()
        };
        let quoted = "# TYPE \"1.ü:m\" untyped\n{\"1.ü:m\",\"a.b\"=\"ü\",\":c\"=\"d\"} 0.5\n";
        assert_eq!(names(Escaping::AllowUtf8), quoted);
        assert_eq!(names(Escaping::Underscores), "# TYPE ___:m untyped\n___:m{a_b=\"ü\",_c=\"d\"} 0.5\n");
    }

    #[test]
    fn writes_openmetrics_as_the_format_asks_for() {
        let mut writer = LineWriter::new(Dialect::OpenMetrics, Escaping::AllowUtf8);
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

    type Pairs = Vec<(&'static str, &'static str)>;

    /// A sample: its metric, its labels, and those of the outside.
    fn any_sample() -> impl Strategy<Value = (&'static str, Pairs, Pairs)> {
        let label = || {
            (prop::sample::select(vec!["a", "b", "c.d"]), prop::sample::select(vec!["", "1", "a longer \"value\"\n"]))
        };
        let labels = |most: usize| prop::collection::vec(label(), 0..most);
        (prop::sample::select(vec!["m", "m.n"]), labels(70), labels(3))
    }

    proptest! {
        #[test]
        fn what_is_the_same_is_copied(samples in prop::collection::vec(any_sample(), 1..12), take_behind in 0..12_usize) {
            for (dialect, escaping) in [
                (Dialect::Text, Escaping::AllowUtf8),
                (Dialect::Text, Escaping::Underscores),
                (Dialect::OpenMetrics, Escaping::AllowUtf8),
            ] {
                let (mut plain, mut copying) = (LineWriter::new(dialect, escaping), LineWriter::new(dialect, escaping));
                let (mut metric_before, mut before) = ("", &Vec::new());
                for (number, (metric, labels, more)) in samples.iter().enumerate() {
                    let are_same = labels.iter().zip(before).map(|(one, other)| one == other).take(63).enumerate();
                    let same = are_same.fold(1, |same, (at, is_same)| same | u64::from(is_same) << (at + 1));
                    let same = if *metric == metric_before { same } else { 0 };
                    let time = Some(number as i64 / 2);
                    plain.sample(metric, labels.iter().chain(more).copied(), 0.5, time);
                    let more = copying.labels(more.iter().copied());
                    copying.sample_like_last(same, metric, labels.iter().copied(), &more, 0.5, time);
                    (metric_before, before) = (metric, labels);
                    if number == take_behind {
                        // What was taken away can't be copied.
                        prop_assert_eq!(plain.take(), copying.take());
                    }
                }
                prop_assert_eq!(String::from_utf8(plain.take()), String::from_utf8(copying.take()));
            }
        }

        #[test]
        fn is_read_back(value in any::<f64>(), ms in -4_000_000_000_000_i64..40_000_000_000_000) {
            let mut writer = LineWriter::new(Dialect::OpenMetrics, Escaping::AllowUtf8);
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
