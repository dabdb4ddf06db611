//! What the parts of a query cost, as JSON: `explain` of an answer, a form of our own.

use promql::Explanation;
use serde::{Serialize, Serializer};

/// A node and those below it.
#[derive(Debug)]
pub(crate) struct ExplainJson<'a>(pub(crate) &'a Explanation);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Node<'a> {
    node: &'static str,
    text: &'a str,
    series: u64,
    samples: u64,
    points: u64,
    self_seconds: f64,
    total_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    select_seconds: Option<f64>,
    children: Vec<ExplainJson<'a>>,
}

impl Serialize for ExplainJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Explanation { kind, text, series, samples, points, own, total, select, children } = self.0;
        Node {
            node: kind,
            text,
            series: *series,
            samples: *samples,
            points: *points,
            self_seconds: own.as_secs_f64(),
            total_seconds: total.as_secs_f64(),
            select_seconds: select.map(|select| select.as_secs_f64()),
            children: children.iter().map(ExplainJson).collect(),
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_tree_nests() {
        let ms = Duration::from_millis;
        let up = Explanation {
            kind: "vectorSelector",
            text: "up{job=\"a\"}".to_owned(),
            series: 3,
            samples: 12,
            points: 6,
            own: ms(500),
            total: ms(500),
            select: Some(ms(2)),
            children: Vec::new(),
        };
        let sum = Explanation {
            kind: "aggregation",
            text: "sum(…)".to_owned(),
            series: 1,
            samples: 0,
            points: 2,
            own: ms(250),
            total: ms(750),
            select: None,
            children: vec![up],
        };
        let want = concat!(
            r#"{"node":"aggregation","text":"sum(…)","series":1,"samples":0,"points":2,"selfSeconds":0.25,"totalSeconds":0.75,"#,
            r#""children":[{"node":"vectorSelector","text":"up{job=\"a\"}","series":3,"samples":12,"points":6,"#,
            r#""selfSeconds":0.5,"totalSeconds":0.5,"selectSeconds":0.002,"children":[]}]}"#,
        );
        assert_eq!(serde_json::to_string(&ExplainJson(&sum)).expect("serialises"), want);
    }
}
