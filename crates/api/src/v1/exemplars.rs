//! `/query_exemplars`.

use std::sync::Arc;

use axum::extract::State;
use model::{Labels, Matcher, format_json_float};
use promql::{Expr, ExprKind};
use serde::Serialize;
use storage::ExemplarSeries;

use crate::envelope::{Answer, ApiError};
use crate::node::Node;
use crate::params::Params;
use crate::seconds::Seconds;

/// The exemplars of a series.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeriesExemplars {
    series_labels: Labels,
    exemplars: Vec<Exemplar>,
}

#[derive(Serialize)]
struct Exemplar {
    labels: Labels,
    value: String,
    timestamp: Seconds,
}

/// The exemplars of all series that any selector of an expression names.
pub(crate) async fn query(
    State(node): State<Arc<Node>>,
    params: Params,
) -> Result<Answer<Vec<SeriesExemplars>>, ApiError> {
    let range =
        params.range()?.ok_or_else(|| ApiError::bad_data("end timestamp must not be before start timestamp"))?;
    let expr = node.engine.parse(params.get("query").unwrap_or("")).map_err(|e| ApiError::bad_data(e.to_string()))?;
    let mut selectors = Vec::new();
    collect_selectors(&expr, &mut selectors);
    let found = node.exemplars.exemplars(&selectors, range).await?;
    Ok(Answer::new(found.into_iter().map(shown).collect()))
}

fn collect_selectors(expr: &Expr, out: &mut Vec<Vec<Matcher>>) {
    if let ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) = &expr.kind {
        out.push(selector.matchers.clone());
    }
    for child in expr.children() {
        collect_selectors(child, out);
    }
}

fn shown(found: ExemplarSeries) -> SeriesExemplars {
    let exemplars = found.exemplars.into_iter().map(|exemplar| Exemplar {
        labels: exemplar.labels,
        value: format_json_float(exemplar.value),
        timestamp: Seconds(exemplar.time),
    });
    SeriesExemplars { series_labels: found.labels, exemplars: exemplars.collect() }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    #[test]
    fn all_selectors_of_an_expression_are_asked() {
        let expr = promql::parse(
            "histogram_quantile(0.9, rate(a_bucket[5m])) / on (x) b{y=\"1\"} > scalar(max_over_time(c[1h:5m]))",
        );
        let mut selectors = Vec::new();
        collect_selectors(&expr.expect("valid"), &mut selectors);
        let names: Vec<String> = selectors.iter().flatten().map(ToString::to_string).collect();
        let want = ["__name__=\"a_bucket\"", "y=\"1\"", "__name__=\"b\"", "__name__=\"c\""];
        assert_eq!(selectors.len(), 3);
        assert!(want.iter().all(|want| names.iter().any(|name| name == want)), "{names:?}");
    }

    #[test]
    fn the_answer_is_prometheus_s() {
        let exemplar = |ms: i64, value: f64| model::Exemplar {
            labels: Labels::from_pairs([("trace_id", "ab")]),
            value,
            time: Timestamp::from_ms(ms),
        };
        let found = ExemplarSeries {
            labels: Labels::from_pairs([("__name__", "m")]),
            exemplars: vec![exemplar(1_600_096_945_479, 6.0), exemplar(1_600_096_955_000, f64::INFINITY)],
        };
        let json = serde_json::to_string(&shown(found)).expect("serialises");
        let want = concat!(
            r#"{"seriesLabels":{"__name__":"m"},"exemplars":["#,
            r#"{"labels":{"trace_id":"ab"},"value":"6","timestamp":1600096945.479},"#,
            r#"{"labels":{"trace_id":"ab"},"value":"+Inf","timestamp":1600096955}]}"#,
        );
        assert_eq!(json, want);
    }
}
