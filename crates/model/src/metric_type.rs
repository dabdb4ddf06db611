//! What kind of metric a family is.

use std::fmt;

/// The kinds of metrics that exposition formats know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MetricType {
    /// Only goes up, except for resets.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations counted in buckets.
    Histogram,
    /// A histogram whose counts may go down (OpenMetrics).
    GaugeHistogram,
    /// Quantiles computed by the target.
    Summary,
    /// Facts in labels, the value is 1 (OpenMetrics).
    Info,
    /// Which of several states hold (OpenMetrics).
    StateSet,
    /// Nobody said. The text format writes `untyped`, OpenMetrics and the API `unknown`.
    #[default]
    Unknown,
}

impl MetricType {
    /// The word of OpenMetrics and of Prometheus's metadata API.
    pub const fn as_str(self) -> &'static str {
        match self {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::GaugeHistogram => "gaugehistogram",
            MetricType::Summary => "summary",
            MetricType::Info => "info",
            MetricType::StateSet => "stateset",
            MetricType::Unknown => "unknown",
        }
    }

    /// From the word of OpenMetrics.
    pub fn from_word(word: &str) -> Option<Self> {
        const KINDS: [MetricType; 8] = [
            MetricType::Counter,
            MetricType::Gauge,
            MetricType::Histogram,
            MetricType::GaugeHistogram,
            MetricType::Summary,
            MetricType::Info,
            MetricType::StateSet,
            MetricType::Unknown,
        ];
        KINDS.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The word of the text format 0.0.4, which knows five kinds; what it has no word for is `untyped`.
    pub const fn as_text_format_str(self) -> &'static str {
        match self {
            MetricType::Counter | MetricType::Gauge | MetricType::Histogram | MetricType::Summary => self.as_str(),
            MetricType::GaugeHistogram | MetricType::Info | MetricType::StateSet | MetricType::Unknown => "untyped",
        }
    }

    /// From the word of the text format 0.0.4, which is exact about case.
    pub fn from_text_format(word: &[u8]) -> Option<Self> {
        match word {
            b"counter" => Some(MetricType::Counter),
            b"gauge" => Some(MetricType::Gauge),
            b"histogram" => Some(MetricType::Histogram),
            b"summary" => Some(MetricType::Summary),
            b"untyped" => Some(MetricType::Unknown),
            _ => None,
        }
    }
}

impl fmt::Display for MetricType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
