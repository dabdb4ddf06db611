//! What a query cost, in the form in which Prometheus's API and its query log tell it.

use std::time::Duration;

use model::Timestamp;
use promql::{QueryDurations, QueryStats, StepSamples};
use serde::Serialize;

use crate::seconds::Seconds;

/// `stats` of an answer or of a line in the query log.
#[derive(Debug, Serialize)]
pub struct QueryStatsJson {
    timings: Timings,
    samples: Samples,
}

/// Seconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Timings {
    eval_total_time: f64,
    result_sort_time: f64,
    query_preparation_time: f64,
    inner_eval_time: f64,
    exec_queue_time: f64,
    exec_total_time: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Samples {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    total_queryable_samples_per_step: Vec<(Seconds, u64)>,
    total_queryable_samples: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    samples_read_per_step: Vec<(Seconds, u64)>,
    samples_read: u64,
    peak_samples: u64,
}

impl QueryStatsJson {
    /// Of a query that took so long and whose steps looked at these samples, nothing where that isn't known.
    pub fn new(stats: QueryStats, times: QueryDurations, step_samples: Option<&StepSamples>) -> Self {
        let seconds = |time: Duration| time.as_secs_f64();
        let (queryable, read) = step_samples.map_or((&[][..], &[][..]), |steps| (&steps.queryable, &steps.read));
        QueryStatsJson {
            timings: Timings {
                eval_total_time: seconds(times.preparation + times.evaluation),
                // Results are made in order.
                result_sort_time: 0.0,
                query_preparation_time: seconds(times.preparation),
                inner_eval_time: seconds(times.evaluation),
                exec_queue_time: seconds(times.queue),
                exec_total_time: seconds(times.total),
            },
            samples: Samples {
                total_queryable_samples_per_step: Vec::new(),
                total_queryable_samples: queryable.iter().sum(),
                samples_read_per_step: Vec::new(),
                samples_read: read.iter().sum(),
                peak_samples: stats.peak_samples,
            },
        }
    }

    /// The same with the samples of every step.
    pub(crate) fn by_step(mut self, steps: &StepSamples) -> Self {
        let by_step = |counts: &[u64]| {
            let time = |at: usize| Timestamp::from_ms(steps.start.as_ms() + at as i64 * steps.step_ms);
            counts.iter().enumerate().map(|(at, samples)| (Seconds(time(at)), *samples)).collect()
        };
        self.samples.total_queryable_samples_per_step = by_step(&steps.queryable);
        self.samples.samples_read_per_step = by_step(&steps.read);
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stats_have_prometheus_s_form() {
        let ms = Duration::from_millis;
        let times = QueryDurations { queue: ms(1), preparation: ms(250), evaluation: ms(500), total: ms(1000) };
        let stats = QueryStats { series: 3, samples: 40, peak_samples: 7 };
        let shown = |stats: QueryStatsJson| serde_json::to_value(stats).expect("serialises");
        let timings = json!({
            "evalTotalTime": 0.75, "resultSortTime": 0.0, "queryPreparationTime": 0.25, "innerEvalTime": 0.5,
            "execQueueTime": 0.001, "execTotalTime": 1.0,
        });
        let none = json!({"totalQueryableSamples": 0, "samplesRead": 0, "peakSamples": 7});
        assert_eq!(shown(QueryStatsJson::new(stats, times, None)), json!({"timings": timings, "samples": none}));
        let start = Timestamp::from_ms(1_600_096_945_500);
        let steps = StepSamples { start, step_ms: 500, queryable: vec![6, 6], read: vec![6, 1] };
        let totals = json!({"totalQueryableSamples": 12, "samplesRead": 7, "peakSamples": 7});
        let stats = || QueryStatsJson::new(stats, times, Some(&steps));
        assert_eq!(shown(stats())["samples"], totals);
        let text = serde_json::to_string(&stats().by_step(&steps).samples).expect("serialises");
        let want = concat!(
            r#"{"totalQueryableSamplesPerStep":[[1600096945.5,6],[1600096946,6]],"totalQueryableSamples":12,"#,
            r#""samplesReadPerStep":[[1600096945.5,6],[1600096946,1]],"samplesRead":7,"peakSamples":7}"#,
        );
        assert_eq!(text, want);
    }
}
