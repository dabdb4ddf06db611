//! A metric of a family: its labels, its time, and what is counted.

use model::{LabelsScratch, MetricType};

use super::exemplar::{Exemplar, read_label, read_timestamp};
use super::histogram_message::HistogramMessage;
use super::wire::{DecodeError, Message};

/// A metric: labels, and a number or several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric<'a> {
    /// Milliseconds since the epoch, where the metric has a timestamp.
    pub timestamp: Option<i64>,
    kind: MetricType,
    /// From its first label to its last. Other fields lie between them only where somebody else's encoder put them there.
    labels: Message<'a>,
    content: Message<'a>,
}

/// What a metric is at a time. A field that is missing is zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Content<'a> {
    /// Counters, gauges and numbers whose kind nobody knows.
    Number {
        /// The value.
        value: f64,
        /// The exemplar, which only a counter has.
        exemplar: Option<Exemplar<'a>>,
        /// When a counter began to count, in milliseconds.
        start: Option<i64>,
    },
    /// Quantiles that the target computed.
    Summary(Summary<'a>),
    /// A histogram: classic, native, or both.
    Histogram(HistogramMessage<'a>),
}

impl Content<'_> {
    /// Since when it counts, in milliseconds, where it does and the target says so: a gauge histogram doesn't.
    pub fn start(&self) -> Option<i64> {
        match self {
            Content::Number { start, .. } => *start,
            Content::Summary(summary) => summary.start,
            Content::Histogram(histogram) => histogram.start.filter(|_| !histogram.is_gauge()),
        }
    }
}

/// Quantiles that the target computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary<'a> {
    /// All observations.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// When it began to count, in milliseconds.
    pub start: Option<i64>,
    message: Message<'a>,
}

impl<'a> Metric<'a> {
    pub(super) fn read(message: Message<'a>, kind: MetricType) -> Result<Self, DecodeError> {
        let wanted = match kind {
            MetricType::Gauge => 2,
            MetricType::Counter => 3,
            MetricType::Summary => 4,
            MetricType::Histogram | MetricType::GaugeHistogram => 7,
            MetricType::Unknown | MetricType::Info | MetricType::StateSet => 5,
        };
        let (mut labels, mut timestamp) = (None, 0);
        let mut content = Message { body: &[], start: message.start };
        let mut fields = message.fields();
        let mut start = 0;
        while let Some(field) = fields.next() {
            let field = field?;
            match field.number {
                1 => labels = Some((labels.map_or(start, |(first, _)| first), fields.pos)),
                6 => timestamp = field.integer()? as i64,
                number if number == wanted => content = field.message()?,
                _ => {}
            }
            start = fields.pos;
        }
        let (first, end) = labels.unwrap_or_default();
        let labels = Message { body: &message.body[first..end], start: message.start + first };
        Ok(Metric { timestamp: Some(timestamp).filter(|ms| *ms != 0), kind, labels, content })
    }

    /// The bytes of its labels: the same for the same labels of one target.
    pub fn label_bytes(&self) -> &'a [u8] {
        self.labels.body
    }

    /// Where its labels begin, in bytes from the beginning of the exposition.
    pub fn offset(&self) -> usize {
        self.labels.start
    }

    /// Pushes its labels into `scratch`. Whether they are well-formed is known only after this.
    ///
    /// # Errors
    /// A name is empty, or a text is no UTF-8.
    pub fn labels(&self, scratch: &mut LabelsScratch) -> Result<(), DecodeError> {
        self.labels.repeated(1).try_for_each(|label| read_label(label?, scratch))
    }

    /// What the family's kind says that it has.
    ///
    /// # Errors
    /// A field is not what the format says.
    pub fn content(&self) -> Result<Content<'a>, DecodeError> {
        match self.kind {
            MetricType::Summary => Summary::read(self.content).map(Content::Summary),
            MetricType::Histogram | MetricType::GaugeHistogram => {
                let is_gauge = self.kind == MetricType::GaugeHistogram;
                HistogramMessage::read(self.content, is_gauge).map(Content::Histogram)
            }
            kind => read_number(self.content, kind == MetricType::Counter),
        }
    }
}

/// The messages `Gauge` and `Untyped`, and `Counter`, which has more.
fn read_number(message: Message<'_>, is_counter: bool) -> Result<Content<'_>, DecodeError> {
    let (mut value, mut exemplar, mut start) = (0.0, None, None);
    for field in message.fields() {
        let field = field?;
        match field.number {
            1 => value = field.double()?,
            2 if is_counter => exemplar = Some(Exemplar::read(field.message()?)?),
            3 if is_counter => start = Some(read_timestamp(field.message()?)?),
            _ => {}
        }
    }
    Ok(Content::Number { value, exemplar, start })
}

impl<'a> Summary<'a> {
    fn read(message: Message<'a>) -> Result<Self, DecodeError> {
        let mut summary = Summary { count: 0, sum: 0.0, start: None, message };
        for field in message.fields() {
            let field = field?;
            match field.number {
                1 => summary.count = field.integer()?,
                2 => summary.sum = field.double()?,
                4 => summary.start = Some(read_timestamp(field.message()?)?),
                _ => {}
            }
        }
        Ok(summary)
    }

    /// Its quantiles: which, and their values.
    pub fn quantiles(&self) -> impl Iterator<Item = Result<(f64, f64), DecodeError>> + use<'a> {
        self.message.repeated(3).map(|message| {
            let (mut quantile, mut value) = (0.0, 0.0);
            for field in message?.fields() {
                let field = field?;
                match field.number {
                    1 => quantile = field.double()?,
                    2 => value = field.double()?,
                    _ => {}
                }
            }
            Ok((quantile, value))
        })
    }
}
