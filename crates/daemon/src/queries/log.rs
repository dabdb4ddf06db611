//! The query log: one line of JSON for each query that ended, in Prometheus's form.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use api::QueryStatsJson;
use model::Timestamp;
use promql::{Asker, EndedQuery};
use serde::Serialize;

/// A file that lines are added to.
#[derive(Debug)]
pub(crate) struct QueryLog(File);

impl QueryLog {
    /// Opens a log; what is in it stays.
    pub(crate) fn open(file: &Path) -> io::Result<Self> {
        File::options().create(true).append(true).open(file).map(QueryLog)
    }

    /// Adds a line, in one write, so that lines don't mix.
    pub(super) fn add(&self, query: &EndedQuery<'_>, now: Timestamp) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(&line(query, now))?;
        bytes.push(b'\n');
        (&self.0).write_all(&bytes)
    }
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: &'static str,
    msg: &'static str,
    params: Parameters<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    stats: QueryStatsJson,
    #[serde(rename = "httpRequest", skip_serializing_if = "Option::is_none")]
    request: Option<Request<'a>>,
    #[serde(rename = "ruleGroup", skip_serializing_if = "Option::is_none")]
    rule_group: Option<RuleGroup<'a>>,
}

#[derive(Serialize)]
struct Parameters<'a> {
    end: String,
    query: &'a str,
    start: String,
    /// Whole seconds.
    step: i64,
}

#[derive(Serialize)]
struct Request<'a> {
    #[serde(rename = "clientIP")]
    client: &'a str,
    method: &'a str,
    path: &'a str,
}

#[derive(Serialize)]
struct RuleGroup<'a> {
    file: &'a str,
    name: &'a str,
}

fn line<'a>(query: &EndedQuery<'a>, now: Timestamp) -> Line<'a> {
    let (request, rule_group) = match query.asker {
        Some(Asker::Request { client, method, path }) => (Some(Request { client, method, path }), None),
        Some(Asker::RuleGroup { file, name }) => (None, Some(RuleGroup { file, name })),
        None => (None, None),
    };
    Line {
        time: date(now),
        level: "INFO",
        msg: "promql query logged",
        params: Parameters {
            end: date(query.end),
            query: query.query,
            start: date(query.start),
            step: query.step_ms / 1000,
        },
        error: query.error.map(ToString::to_string),
        stats: QueryStatsJson::new(query.stats, query.times, query.step_samples),
        request,
        rule_group,
    }
}

/// RFC 3339 with milliseconds, all three digits.
fn date(time: Timestamp) -> String {
    let whole = Timestamp::from_ms(time.as_ms() - time.as_ms().rem_euclid(1000)).to_rfc3339();
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), time.as_ms().rem_euclid(1000))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use promql::{QueryDurations, QueryFailure, QueryStats, StepSamples};
    use serde_json::{Value, json};

    use super::*;

    fn logged(error: Option<&QueryFailure>, asker: Option<&Asker>) -> Value {
        let ms = Duration::from_millis;
        let start = Timestamp::from_ms(1_581_173_990_368);
        let steps = StepSamples { start, step_ms: 5_500, queryable: vec![30, 30], read: vec![30, 10] };
        let query = EndedQuery {
            query: "up == 0",
            asker,
            start,
            end: Timestamp::from_ms(1_581_173_995_000),
            step_ms: 5_500,
            error,
            stats: QueryStats { series: 3, samples: 40, peak_samples: 7 },
            step_samples: Some(&steps),
            times: QueryDurations { queue: ms(1), preparation: ms(250), evaluation: ms(500), total: ms(1000) },
        };
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("query.log");
        for _ in 0..2 {
            let log = QueryLog::open(&file).expect("a log");
            log.add(&query, Timestamp::from_ms(1_581_173_996_010)).expect("written");
        }
        let text = std::fs::read_to_string(&file).expect("readable");
        assert_eq!(text.lines().count(), 2, "{text}");
        serde_json::from_str(text.lines().next().expect("a line")).expect("JSON")
    }

    #[test]
    fn lines_have_prometheus_s_form() {
        let request = Asker::Request {
            client: "127.0.0.1".to_owned(),
            method: "GET".to_owned(),
            path: "/api/v1/query".to_owned(),
        };
        let want = json!({
            "time": "2020-02-08T14:59:56.010Z", "level": "INFO", "msg": "promql query logged",
            "params": {
                "query": "up == 0", "start": "2020-02-08T14:59:50.368Z", "end": "2020-02-08T14:59:55.000Z", "step": 5,
            },
            "stats": {
                "timings": {
                    "evalTotalTime": 0.75, "resultSortTime": 0.0, "queryPreparationTime": 0.25, "innerEvalTime": 0.5,
                    "execQueueTime": 0.001, "execTotalTime": 1.0,
                },
                "samples": {"totalQueryableSamples": 60, "samplesRead": 40, "peakSamples": 7},
            },
            "httpRequest": {"clientIP": "127.0.0.1", "method": "GET", "path": "/api/v1/query"},
        });
        assert_eq!(logged(None, Some(&request)), want);
        let group = Asker::RuleGroup { file: "rules.yml".to_owned(), name: "g".to_owned() };
        let line = logged(Some(&QueryFailure::Canceled), Some(&group));
        assert_eq!(line["ruleGroup"], json!({"file": "rules.yml", "name": "g"}));
        assert_eq!(line["error"], QueryFailure::Canceled.to_string());
        assert_eq!(line.get("httpRequest"), None);
    }
}
