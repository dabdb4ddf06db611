//! How long the parts of queries take: in the last ten minutes as quantiles, and since the start as a histogram.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use promql::QueryDurations;

/// The parts, under Prometheus's names; its `result_sort` is a part of evaluation here.
const PARTS: [&str; 3] = ["inner_eval", "prepare_time", "queue_time"];
const QUANTILES: [(&str, f64); 3] = [("0.5", 0.5), ("0.9", 0.9), ("0.99", 0.99)];

/// Quantiles are of the newest so many windows of this length.
const WINDOWS: usize = 5;
const WINDOW_MS: i64 = 120_000;

/// Durations are told apart by an eighth of a power of two: a quantile is off by a sixteenth at most.
const BUCKETS: usize = 62 << 3;

/// What is remembered of the durations.
#[derive(Debug)]
pub(super) struct QueryTimes {
    clock: Arc<dyn Clock>,
    parts: Arc<Mutex<[Part; 3]>>,
    histograms: [Histogram; 3],
}

impl QueryTimes {
    /// Remembers none yet.
    pub(super) fn new(clock: Arc<dyn Clock>, registry: &mut Registry) -> Self {
        let family =
            Family::<[Label; 1], Histogram>::new_with_constructor(|| Histogram::new([0.001, 0.01, 0.1, 1.0, 10.0]));
        let histograms = PARTS.map(|slice| family.get_or_create_owned(&[("slice", slice)]));
        let name = "prometheus_engine_query_duration_histogram_seconds";
        registry.register(name, "How long the parts of queries took", family);
        let parts = Arc::new(Mutex::new(PARTS.map(|_| Part::default())));
        registry.register_collector(Box::new(Summary { clock: clock.clone(), parts: parts.clone() }));
        QueryTimes { clock, parts, histograms }
    }

    /// A query took so long.
    pub(super) fn add(&self, times: &QueryDurations) {
        let number = window(&*self.clock);
        let times = [times.evaluation, times.preparation, times.queue];
        let mut parts = self.parts.lock();
        for ((part, histogram), time) in parts.iter_mut().zip(&self.histograms).zip(times) {
            part.add(time, number);
            histogram.observe(time.as_secs_f64());
        }
    }
}

fn window(clock: &dyn Clock) -> i64 {
    clock.now().as_ms().div_euclid(WINDOW_MS)
}

/// The durations of one part.
#[derive(Debug, Default)]
struct Part {
    windows: [Window; WINDOWS],
    sum: Duration,
    count: u64,
}

#[derive(Debug, Default)]
struct Window {
    number: i64,
    /// How many durations fell into each bucket; empty before the first.
    counts: Vec<u32>,
}

impl Part {
    fn add(&mut self, time: Duration, number: i64) {
        self.sum += time;
        self.count += 1;
        let window = &mut self.windows[number.rem_euclid(WINDOWS as i64) as usize];
        if window.number != number || window.counts.is_empty() {
            window.number = number;
            window.counts.clear();
            window.counts.resize(BUCKETS, 0);
        }
        window.counts[bucket(time)] += 1;
    }

    /// NaN where no query ended lately.
    fn quantile(&self, quantile: f64, number: i64) -> f64 {
        let recent = || self.windows.iter().filter(|w| (number - WINDOWS as i64 + 1..=number).contains(&w.number));
        let count: u64 = recent().flat_map(|window| &window.counts).map(|count| u64::from(*count)).sum();
        let rank = ((count as f64 * quantile).ceil() as u64).max(1);
        let mut below = 0;
        let found = (0..BUCKETS).find(|at| {
            below += recent().filter_map(|window| window.counts.get(*at)).map(|count| u64::from(*count)).sum::<u64>();
            below >= rank
        });
        found.map_or(f64::NAN, |at| middle(at).as_secs_f64())
    }
}

/// A duration's power of two and the three bits behind its first one; below 8 ns the duration itself.
fn bucket(time: Duration) -> usize {
    let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    match ns.checked_ilog2() {
        Some(power @ 3..) => ((power as usize - 2) << 3) | (ns >> (power - 3)) as usize & 7,
        _ => ns as usize,
    }
}

/// The middle of a bucket.
fn middle(bucket: usize) -> Duration {
    let (octave, eighth) = (bucket as u64 >> 3, bucket as u64 & 7);
    Duration::from_nanos(match octave {
        0 => eighth,
        _ => ((8 + eighth) << (octave - 1)) + (1 << (octave - 1)) / 2,
    })
}

type Label = (&'static str, &'static str);

/// Prometheus's summary. The library knows none, so it is told as the three families it consists of.
#[derive(Debug)]
struct Summary {
    clock: Arc<dyn Clock>,
    parts: Arc<Mutex<[Part; 3]>>,
}

impl Collector for Summary {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let number = window(&*self.clock);
        let parts = self.parts.lock();
        let parts = || PARTS.into_iter().zip(parts.iter());
        let mut family = |name: &str, help: &str, rows: Vec<(Vec<Label>, f64)>| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Unknown)?;
            rows.iter().try_for_each(|(labels, value)| family.encode_family(labels)?.encode_gauge(value))
        };
        let quantiles = parts().flat_map(|(slice, part)| {
            let row = |(text, quantile)| (vec![("slice", slice), ("quantile", text)], part.quantile(quantile, number));
            QUANTILES.map(row)
        });
        let name = "prometheus_engine_query_duration_seconds";
        family(name, "How long the parts of queries took in the last ten minutes", quantiles.collect())?;
        let sums = parts().map(|(slice, part)| (vec![("slice", slice)], part.sum.as_secs_f64()));
        family(&format!("{name}_sum"), "How long the parts of all queries took", sums.collect())?;
        let counts = parts().map(|(slice, part)| (vec![("slice", slice)], part.count as f64));
        family(&format!("{name}_count"), "Queries that ended, with an answer or without", counts.collect())
    }
}

#[cfg(test)]
mod tests {
    use model::{ManualClock, Timestamp};
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn a_bucket_s_middle_is_near_what_falls_into_it() {
        for ns in (0..64).map(|power| 1_u64 << power).flat_map(|ns| [ns - 1, ns, ns + ns / 3]).chain([u64::MAX]) {
            let middle = middle(bucket(Duration::from_nanos(ns))).as_nanos() as f64;
            assert!((middle - ns as f64).abs() <= ns as f64 / 16.0, "{ns}: {middle}");
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_of_the_last_minutes_and_sums_of_all() {
        let (clock, mut registry) =
            (Arc::new(ManualClock::new(Timestamp::from_ms(WINDOW_MS * 100))), Registry::default());
        let times = QueryTimes::new(clock.clone(), &mut registry);
        let shown = || {
            let mut text = String::new();
            encode(&mut text, &registry).expect("can be encoded");
            let lines = text.lines().filter(|line| line.contains("_duration_seconds") && line.contains("inner_eval"));
            lines.map(|line| line.split_once('{').expect("labels").1.to_owned()).collect::<Vec<_>>()
        };
        let row = |text: &str| text.to_owned();
        assert_eq!(
            shown()[..2],
            [row(r#"slice="inner_eval",quantile="0.5"} NaN"#), row(r#"slice="inner_eval",quantile="0.9"} NaN"#)]
        );
        for ms in 1..=100 {
            let times_of = QueryDurations { evaluation: Duration::from_millis(ms), ..QueryDurations::default() };
            clock.set(Timestamp::from_ms(WINDOW_MS * (100 + ms as i64 / 40)));
            times.add(&times_of);
        }
        let value = |row: &str| row.split_once("} ").expect("a value").1.parse::<f64>().expect("a number");
        let check = |want: [f64; 5]| {
            let got: Vec<f64> = shown().iter().map(|row| value(row)).collect();
            assert!(
                got.iter().zip(want).all(|(got, want)| (got - want).abs() <= want / 16.0 || want.is_nan()),
                "{got:?}"
            );
        };
        check([0.050, 0.090, 0.099, 5.050, 100.0]);
        // The first 39 are forgotten.
        clock.set(Timestamp::from_ms(WINDOW_MS * 105));
        check([0.070, 0.094, 0.100, 5.050, 100.0]);
        clock.set(Timestamp::from_ms(WINDOW_MS * 120));
        check([f64::NAN, f64::NAN, f64::NAN, 5.050, 100.0]);
        assert!(shown()[0].ends_with("NaN"));
    }
}
