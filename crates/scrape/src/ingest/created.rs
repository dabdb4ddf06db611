//! Since when the metrics of an OpenMetrics page count. Their `_created` lines say it, which stand behind the samples that they are
//! about, so they are read before everything else.

use exposition::number_label;
use exposition::openmetrics::{Entry, Parser, SampleLine, parse_series};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use memchr::memmem;
use model::{LabelsBuilder, LabelsScratch, METRIC_NAME, MetricType};
use xxhash_rust::xxh3::xxh3_64;

use super::line::{TextSeries, key};
use super::sample::Shown;
use crate::metadata::suffix;

const CREATED: &[u8] = b"_created";
/// Lines that may be remembered beyond twice those of the last page.
const UNSEEN_MAX: usize = 1000;

/// A family whose metrics count since some time.
pub(super) struct CountingFamily {
    name: String,
    kind: MetricType,
    /// Tells lines of this family from the same lines of others.
    salt: u64,
}

impl CountingFamily {
    /// `None` where metrics of this kind don't count.
    pub(super) fn new(name: &str, kind: MetricType) -> Option<Self> {
        let counts = matches!(kind, MetricType::Counter | MetricType::Histogram | MetricType::Summary);
        counts.then(|| CountingFamily { name: name.to_owned(), kind, salt: xxh3_64(name.as_bytes()) })
    }

    /// Whether a line of this series says since when one of the family's metrics counts.
    pub(super) fn is_told_by(&self, series: &[u8]) -> bool {
        suffix(series, &self.name) == Some(CREATED)
    }

    /// Whether a series is one of the family's metrics, or a part of one.
    fn has(&self, series: &[u8]) -> bool {
        let Some(suffix) = suffix(series, &self.name) else { return false };
        match self.kind {
            MetricType::Counter => matches!(suffix, b"" | b"_total"),
            MetricType::Histogram => matches!(suffix, b"_bucket" | b"_count" | b"_sum"),
            _ => matches!(suffix, b"" | b"_count" | b"_sum"),
        }
    }
}

/// What the `_created` lines of a target's page say.
#[derive(Debug, Default)]
pub(crate) struct CreatedTimes {
    /// Since when each metric counts, in milliseconds, on the page that is being read.
    starts: HashMap<u64, i64, RandomState>,
    /// Which metric a line is about, remembered from page to page; both are hashes.
    metrics: HashMap<u64, u64, RandomState>,
    /// How many lines of this page were looked up.
    shown: usize,
}

impl CreatedTimes {
    /// Reads the `_created` lines of a page. What is wrong with it is told when its samples are read.
    pub(super) fn read(&mut self, body: &[u8], scratch: &mut LabelsScratch) {
        self.starts.clear();
        if self.metrics.len() > 2 * self.shown + UNSEEN_MAX {
            self.metrics = HashMap::default();
        }
        self.shown = 0;
        if memmem::find(body, CREATED).is_none() {
            return;
        }
        let mut family = None;
        for entry in Parser::new(body).map_while(Result::ok) {
            match (entry, &family) {
                (Entry::Type { metric, kind }, _) => family = CountingFamily::new(&metric, kind),
                (Entry::Sample(line), Some(family)) if family.is_told_by(line.series) => {
                    if let (Some(start), Some(metric)) = (start_of(line.value), self.metric(family, &line, scratch)) {
                        self.starts.insert(metric, start);
                    }
                }
                _ => {}
            }
        }
    }

    /// Since when the metric of a line counts, in milliseconds.
    pub(super) fn start(
        &mut self,
        family: &CountingFamily,
        line: &SampleLine<'_>,
        scratch: &mut LabelsScratch,
    ) -> Option<i64> {
        if self.starts.is_empty() || !family.has(line.series) {
            return None;
        }
        let metric = self.metric(family, line, scratch)?;
        self.starts.get(&metric).copied()
    }

    /// The metric that a line is about: its family, and its labels without that of a bucket or quantile. `None` where the line is wrong.
    fn metric(&mut self, family: &CountingFamily, line: &SampleLine<'_>, scratch: &mut LabelsScratch) -> Option<u64> {
        self.shown += 1;
        let key = key(line.series, family.kind) ^ family.salt;
        if let Some(metric) = self.metrics.get(&key) {
            return Some(*metric);
        }
        let shown = TextSeries { raw: line.series, line: line.line, kind: family.kind, parse: parse_series };
        shown.labels(scratch).ok()?;
        let mut labels = LabelsBuilder::new(&scratch.build());
        labels.set(METRIC_NAME, &family.name);
        if let Some(number) = number_label(family.kind) {
            labels.del(number);
        }
        let metric = labels.build().stable_hash();
        self.metrics.insert(key, metric);
        Some(metric)
    }
}

/// Seconds as milliseconds, as Prometheus cuts them off; `None` for what is no time since the epoch.
fn start_of(seconds: f64) -> Option<i64> {
    let ms = seconds * 1000.0;
    (ms >= 1.0 && ms < i64::MAX as f64).then_some(ms as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The series of a page, without `_created` lines, with the times since when they count.
    fn read(times: &mut CreatedTimes, page: &str) -> Vec<(String, Option<i64>)> {
        let page = format!("{page}# EOF\n");
        let scratch = &mut LabelsScratch::default();
        times.read(page.as_bytes(), scratch);
        let (mut family, mut all) = (None, Vec::new());
        for entry in Parser::new(page.as_bytes()) {
            match entry.expect("well-formed") {
                Entry::Type { metric, kind } => family = CountingFamily::new(&metric, kind),
                Entry::Sample(line) if family.as_ref().is_some_and(|family| family.is_told_by(line.series)) => {}
                Entry::Sample(line) => {
                    let start = family.as_ref().and_then(|family| times.start(family, &line, scratch));
                    all.push((String::from_utf8_lossy(line.series).into_owned(), start));
                }
                _ => {}
            }
        }
        all
    }

    fn check(page: &str, want: &[(&str, Option<i64>)]) {
        let want: Vec<_> = want.iter().map(|(series, start)| ((*series).to_owned(), *start)).collect();
        let mut times = CreatedTimes::default();
        for round in 0..2 {
            assert_eq!(read(&mut times, page), want, "round {round}: {page}");
        }
    }

    #[test]
    fn each_line_has_the_time_of_its_metric() {
        check(
            "# TYPE c counter\nc_total{a=\"1\",b=\"x\"} 5\nc_created{b=\"x\",a=\"1\"} 1.5\nc_total{a=\"2\"} 6\nc_total 7\nc_created 2\n",
            &[("c_total{a=\"1\",b=\"x\"}", Some(1500)), ("c_total{a=\"2\"}", None), ("c_total", Some(2000))],
        );
        check(
            "# TYPE h histogram\nh_bucket{le=\"1\",a=\"1\"} 1\nh_bucket{a=\"1\",le=\"+Inf\"} 2\nh_count{a=\"1\"} 2\nh_sum{a=\"1\"} 2\n\
             h_created{a=\"1\"} 3\n",
            &[
                ("h_bucket{le=\"1\",a=\"1\"}", Some(3000)),
                ("h_bucket{a=\"1\",le=\"+Inf\"}", Some(3000)),
                ("h_count{a=\"1\"}", Some(3000)),
                ("h_sum{a=\"1\"}", Some(3000)),
            ],
        );
        check(
            "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 2\ns_count 3\ns_created 4\n",
            &[("s{quantile=\"0.5\"}", Some(4000)), ("s_sum", Some(4000)), ("s_count", Some(4000))],
        );
        check(
            "# TYPE \"my.c\" counter\n{\"my.c_total\",a=\"1\"} 5\n{\"my.c_created\",a=\"1\"} 6\n",
            &[("{\"my.c_total\",a=\"1\"}", Some(6000))],
        );
    }

    #[test]
    fn what_is_no_created_line_of_its_family_is_a_series() {
        // A label of a counter is no quantile, and a gauge counts nothing.
        check(
            "# TYPE c counter\nc_total{quantile=\"1\"} 5\nc_created{quantile=\"2\"} 1\n",
            &[("c_total{quantile=\"1\"}", None)],
        );
        check("# TYPE g gauge\ng 5\ng_created 1\n", &[("g", None), ("g_created", None)]);
        check("c_total 5\nc_created 1\n", &[("c_total", None), ("c_created", None)]);
        check(
            "# TYPE c counter\nc_total 5\nc_created 1\nother_total 6\nc_other_total 7\nc_other_created 8\n",
            &[("c_total", Some(1000)), ("other_total", None), ("c_other_total", None), ("c_other_created", None)],
        );
    }

    #[test]
    fn what_is_no_time_is_nothing() {
        for bad in ["0", "-1", "NaN", "+Inf", "-Inf", "1e300"] {
            check(&format!("# TYPE c counter\nc_total 5\nc_created {bad}\n"), &[("c_total", None)]);
        }
    }

    #[test]
    fn lines_that_are_gone_are_forgotten() {
        let mut times = CreatedTimes::default();
        let page = |from: usize| {
            let lines = (from..from + 2000).map(|i| format!("c_total{{i=\"{i}\"}} 1\nc_created{{i=\"{i}\"}} 1\n"));
            format!("# TYPE c counter\n{}", lines.collect::<String>())
        };
        for round in 0..20 {
            let all = read(&mut times, &page(round * 2000));
            assert!(all.iter().all(|(_, start)| *start == Some(1000)), "round {round}");
            assert!(times.metrics.len() <= 4000 + 2 * 4000 + UNSEEN_MAX, "{}", times.metrics.len());
        }
        read(&mut times, "a 1\n");
        read(&mut times, "a 1\n");
        assert_eq!((times.metrics.len(), times.starts.len()), (0, 0));
    }
}
