//! `/series`, `/labels`, `/label/<name>/values`.

use std::sync::Arc;

use axum::extract::{Path, State};
use futures::future::try_join_all;
use model::{Labels, Matcher};
use storage::{Hints, LabelRequest, SelectRequest, merge_sets, merge_strings};

use crate::envelope::{Answer, ApiError};
use crate::node::Node;
use crate::params::Params;

const TRUNCATED: &str = "results truncated due to limit";

/// The label sets that match any of the selectors.
pub(crate) async fn series(State(node): State<Arc<Node>>, params: Params) -> Result<Answer<Vec<Labels>>, ApiError> {
    let selectors = params.selectors()?;
    if selectors.is_empty() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let (range, limit) = (params.range()?, params.count("limit")?);
    let Some(range) = range else { return Ok(Answer::new(Vec::new())) };
    let requests: Vec<SelectRequest> = selectors
        .into_iter()
        .map(|matchers| SelectRequest {
            matchers,
            range,
            hints: Hints { labels_only: true, func: "series".into(), ..Hints::default() },
        })
        .collect();
    let sets = try_join_all(requests.iter().map(|request| node.queryable.select(request))).await?;
    let merged = merge_sets(sets, if limit == 0 { 0 } else { limit + 1 });
    let mut found = merged.series.map(|one| one.map(|s| s.labels)).collect::<Result<Vec<_>, _>>()?;
    let mut warnings = merged.warnings;
    truncate(&mut found, limit, &mut warnings);
    Ok(Answer::with_warnings(found, warnings))
}

/// The names of labels.
pub(crate) async fn label_names(
    State(node): State<Arc<Node>>,
    params: Params,
) -> Result<Answer<Vec<String>>, ApiError> {
    let requests = label_requests(&params)?;
    let answers = try_join_all(requests.iter().map(|request| node.queryable.label_names(request))).await?;
    Ok(union(answers, params.count("limit")?))
}

/// The values of one label.
pub(crate) async fn label_values(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Answer<Vec<String>>, ApiError> {
    let name = unescape(&name);
    if name.is_empty() {
        return Err(ApiError::bad_data("invalid label name: \"\""));
    }
    let requests = label_requests(&params)?;
    let answers = try_join_all(requests.iter().map(|request| node.queryable.label_values(&name, request))).await?;
    Ok(union(answers, params.count("limit")?))
}

/// A UTF-8 name may be written in Prometheus's escaped form in the path: `U__job_2e_x` for `job.x`.
fn unescape(name: &str) -> String {
    let Some(escaped) = name.strip_prefix("U__") else { return name.to_owned() };
    let mut out = String::new();
    let mut rest = escaped;
    while let Some(at) = rest.find('_') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('_') {
            out.push('_');
            rest = after;
            continue;
        }
        let decoded = rest.split_once('_').and_then(|(hex, after)| {
            let c = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)?;
            Some((c, after))
        });
        let Some((c, after)) = decoded else { return name.to_owned() };
        out.push(c);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn label_requests(params: &Params) -> Result<Vec<LabelRequest>, ApiError> {
    let (range, limit, selectors) = (params.range()?, params.count("limit")?, params.selectors()?);
    let Some(range) = range else { return Ok(Vec::new()) };
    let request =
        |matchers: Vec<Matcher>| LabelRequest { matchers, range, limit: if limit == 0 { 0 } else { limit + 1 } };
    Ok(if selectors.is_empty() { vec![request(Vec::new())] } else { selectors.into_iter().map(request).collect() })
}

fn union(answers: Vec<Vec<String>>, limit: usize) -> Answer<Vec<String>> {
    let mut all = merge_strings(answers, 0);
    let mut warnings = Vec::new();
    truncate(&mut all, limit, &mut warnings);
    Answer::with_warnings(all, warnings)
}

fn truncate<T>(items: &mut Vec<T>, limit: usize, warnings: &mut Vec<String>) {
    if limit > 0 && items.len() > limit {
        items.truncate(limit);
        warnings.push(TRUNCATED.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescapes_utf8_names() {
        let check = |escaped: &str, want: &str| assert_eq!(unescape(escaped), want);
        check("job", "job");
        check("U__job_2e_x", "job.x");
        check("U__a__b", "a_b");
        check("U__bad_zz_", "U__bad_zz_");
    }
}
