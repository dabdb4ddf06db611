//! The series that every scrape leaves behind about itself: `up` and `scrape_*`.

use model::{Labels, LabelsBuilder, METRIC_NAME, STALE_NAN, Timestamp};
use storage::{AppendError, Appender, SeriesRef};

use crate::scrape_config::ScrapeConfig;

const NAMES: [&str; 8] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    // only with extra_scrape_metrics
    "scrape_timeout_seconds",
    "scrape_sample_limit",
    "scrape_body_size_bytes",
];
const ALWAYS: usize = 5;

/// What a scrape says about itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScrapeReport {
    pub(crate) is_up: bool,
    pub(crate) duration_seconds: f64,
    pub(crate) scraped: u64,
    pub(crate) kept: u64,
    pub(crate) added: u64,
    pub(crate) timeout_ms: i64,
    /// Bytes after decompression; -1 where `body_size_limit` was exceeded.
    pub(crate) body_bytes: i64,
}

/// The report's series of one target, with their references.
#[derive(Debug)]
pub(crate) struct ReportSeries {
    series: Vec<(Labels, Option<SeriesRef>)>,
}

impl ReportSeries {
    pub(crate) fn new(target: &Labels) -> Self {
        let series = NAMES.iter().map(|name| {
            let mut labels = LabelsBuilder::new(target);
            labels.set(METRIC_NAME, name);
            (labels.build(), None)
        });
        ReportSeries { series: series.collect() }
    }

    /// Appends the report.
    pub(crate) fn append(
        &mut self,
        appender: &mut dyn Appender,
        time: Timestamp,
        report: &ScrapeReport,
        config: &ScrapeConfig,
    ) {
        let values = [
            f64::from(u8::from(report.is_up)),
            report.duration_seconds,
            report.scraped as f64,
            report.kept as f64,
            report.added as f64,
            report.timeout_ms as f64 / 1000.0,
            config.limits.samples as f64,
            report.body_bytes as f64,
        ];
        self.append_values(appender, time, &values[..shown(config)]);
    }

    /// Ends the report's series.
    pub(crate) fn append_stale(&mut self, appender: &mut dyn Appender, time: Timestamp, config: &ScrapeConfig) {
        self.append_values(appender, time, &[STALE_NAN; NAMES.len()][..shown(config)]);
    }

    fn append_values(&mut self, appender: &mut dyn Appender, time: Timestamp, values: &[f64]) {
        for ((labels, series), value) in self.series.iter_mut().zip(values) {
            let by_ref = match series {
                Some(known) => appender.append_ref(*known, time, *value),
                None => Err(AppendError::UnknownSeries(SeriesRef(0))),
            };
            let result = match by_ref {
                Err(AppendError::UnknownSeries(_)) => {
                    appender.append(labels, time, *value).map(|known| *series = Some(known))
                }
                other => other,
            };
            if let Err(error) = result {
                tracing::debug!(%error, series = %labels, "sample of the scrape's report skipped");
            }
        }
    }
}

fn shown(config: &ScrapeConfig) -> usize {
    if config.extra_scrape_metrics { NAMES.len() } else { ALWAYS }
}
