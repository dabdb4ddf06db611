//! `/query`, `/query_range`, `/format_query`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::Timestamp;
use promql::{Detail, Engine, Expr, QueryFailure, QueryResult, ValueType};

use crate::asker::Sender;
use crate::envelope::{Answer, ApiError, ErrorType, json};
use crate::node::Node;
use crate::params::Params;
use crate::query_stats::QueryStatsJson;
use crate::result_json;

/// More points than this in one series are refused, as Prometheus does: no screen shows them.
const POINTS_PER_SERIES_MAX: i64 = 11_000;

/// Evaluates at one time.
pub(crate) async fn instant(
    State(node): State<Arc<Node>>,
    sender: Sender,
    params: Params,
) -> Result<Response, ApiError> {
    let time = params.time("time")?.unwrap_or_else(|| node.clock.now());
    let expr = parse(&node, &params)?;
    let limit = params.count("limit")?;
    let engine = engine(&node, sender, &params)?;
    let evaluation = engine.instant(node.queryable.clone(), &expr, time);
    let result = within(&params, evaluation).await?;
    Ok(encoded(result, limit, &params, &engine))
}

/// Evaluates at every step from `start` to `end`.
pub(crate) async fn range(State(node): State<Arc<Node>>, sender: Sender, params: Params) -> Result<Response, ApiError> {
    let (start, end, step_ms) = steps(&params)?;
    let expr = parse(&node, &params)?;
    let kind = expr.value_type();
    if !matches!(kind, ValueType::Scalar | ValueType::Vector) {
        let reason = format!("invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector");
        return Err(ApiError::parameter("query", reason));
    }
    let limit = params.count("limit")?;
    let engine = engine(&node, sender, &params)?;
    let evaluation = engine.range(node.queryable.clone(), &expr, start, end, step_ms);
    let result = within(&params, evaluation).await?;
    Ok(encoded(result, limit, &params, &engine))
}

/// What of a query's statistics is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stats<'a> {
    No,
    Totals,
    /// `all`: per step, where the node allows that.
    PerStep,
    /// Another word, which means the totals for now.
    Deprecated(&'a str),
}

impl<'a> Stats<'a> {
    fn of(params: &'a Params) -> Self {
        match params.get("stats") {
            None => Stats::No,
            Some("true") => Stats::Totals,
            Some("all") => Stats::PerStep,
            Some(other) => Stats::Deprecated(other),
        }
    }
}

/// The answer to a query, with what else was wanted.
fn encoded(mut result: QueryResult, limit: usize, params: &Params, engine: &Engine) -> Response {
    let whole = QueryStatsJson::new(result.stats, result.times, result.step_samples.as_ref());
    let wanted = Stats::of(params);
    let stats = match (wanted, &result.step_samples) {
        (Stats::No, _) => None,
        (Stats::PerStep, Some(steps)) if engine.options().per_step_stats => Some(whole.by_step(steps)),
        _ => Some(whole),
    };
    if let Stats::Deprecated(other) = wanted {
        let advice = "is deprecated and will be rejected in the next major release, use \"true\" or \"all\"";
        result.warnings.push(format!("value {} for parameter \"stats\" {advice}", model::quote(other)));
    }
    json(StatusCode::OK, result_json::encode(&result, limit, stats.as_ref()).into())
}

/// Prints an expression in its canonical form, broken into lines where it is long.
pub(crate) async fn format(State(node): State<Arc<Node>>, params: Params) -> Result<Answer<String>, ApiError> {
    Ok(Answer::new(parse(&node, &params)?.pretty().to_string()))
}

/// The node's engine for this request, with the request's own lookback if it has one, for queries that tell what it wants to know.
fn engine(node: &Node, sender: Sender, params: &Params) -> Result<Engine, ApiError> {
    let detail = Detail { step_samples: Stats::of(params) != Stats::No, explanation: params.flag("explain")? };
    let engine = node.engine.asked_by(sender.of(params.required("query")?)).telling(detail);
    Ok(match params.duration_ms("lookback_delta")? {
        Some(ms) if ms > 0 => engine.with_lookback(ms),
        _ => engine,
    })
}

/// The expression that is asked.
pub(super) fn parse(node: &Node, params: &Params) -> Result<Expr, ApiError> {
    node.engine.parse(params.required("query")?).map_err(|e| ApiError::parameter("query", e))
}

fn steps(params: &Params) -> Result<(Timestamp, Timestamp, i64), ApiError> {
    let missing = |name: &str| ApiError::parameter(name, "cannot parse \"\" to a valid timestamp");
    let start = params.time("start")?.ok_or_else(|| missing("start"))?;
    let end = params.time("end")?.ok_or_else(|| missing("end"))?;
    if end < start {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let step_ms = params
        .duration_ms("step")?
        .ok_or_else(|| ApiError::parameter("step", "cannot parse \"\" to a valid duration"))?;
    if step_ms <= 0 {
        let reason = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(ApiError::parameter("step", reason));
    }
    if end.as_ms().saturating_sub(start.as_ms()) / step_ms > POINTS_PER_SERIES_MAX {
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    Ok((start, end, step_ms))
}

/// Waits no longer than the request's own `timeout`; the engine holds its own limit besides.
async fn within(
    params: &Params,
    evaluation: impl Future<Output = Result<QueryResult, QueryFailure>>,
) -> Result<QueryResult, ApiError> {
    let result = match params.duration_ms("timeout")? {
        Some(ms) => {
            let limit = Duration::from_millis(ms.max(0).unsigned_abs());
            tokio::time::timeout(limit, evaluation).await.unwrap_or(Err(QueryFailure::Timeout("expression evaluation")))
        }
        None => evaluation.await,
    };
    result.map_err(|failure| ApiError { kind: kind(&failure), message: failure.to_string() })
}

fn kind(failure: &QueryFailure) -> ErrorType {
    match failure.error_type() {
        "timeout" => ErrorType::Timeout,
        "canceled" => ErrorType::Canceled,
        "bad_data" => ErrorType::BadData,
        "internal" => ErrorType::Internal,
        _ => ErrorType::Execution,
    }
}
