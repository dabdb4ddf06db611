//! Whether a query is so small that handing it to another thread would cost more than evaluating it.

use std::iter::empty;
use std::mem::replace;

use storage::{Series, SeriesSet};

use crate::eval::Steps;
use crate::syntax::{Expr, ExprKind};

/// A small query reads so many series at most and so many samples of them, and looks at these so often: mostly that is less than half a
/// millisecond.
const SERIES: usize = 16;
const SAMPLES: usize = 4096;
const LOOKS: usize = 1 << 19;
const STEPS: usize = 512;

/// Whether the query reads and computes little. What this has to read of the answers for it stays in them.
pub(super) fn is_small<'a>(expr: &Expr, steps: Steps, answers: impl IntoIterator<Item = &'a mut SeriesSet>) -> bool {
    if steps.count > STEPS || has_subquery(expr) {
        return false;
    }
    let samples: usize = answers.into_iter().map(size).sum();
    samples <= SAMPLES && samples * steps.count <= LOOKS
}

fn has_subquery(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Subquery(_)) || expr.children().into_iter().any(has_subquery)
}

/// How many samples the series have; more than `SAMPLES` where there are too many series.
fn size(answer: &mut SeriesSet) -> usize {
    let mut rest = replace(&mut answer.series, Box::new(empty()));
    let first: Vec<_> = rest.by_ref().take(SERIES + 1).collect();
    let samples = |series: &Series| series.chunks.iter().map(|chunk| chunk.sample_count()).sum::<usize>();
    let size = match first.len() {
        ..=SERIES => first.iter().flatten().map(samples).sum(),
        _ => SAMPLES + 1,
    };
    answer.series = Box::new(first.into_iter().chain(rest));
    size
}

#[cfg(test)]
mod tests {
    use model::Labels;
    use storage::chunk::xor;

    use super::*;
    use crate::syntax::parse;

    #[test]
    fn series_samples_steps_and_subqueries_make_a_query_large() {
        let check = |text: &str, count: usize, series: usize, samples: i64, want: bool| {
            let all = (0..series).map(|at| {
                let mut writer = xor::Writer::default();
                assert!((0..samples).all(|time| writer.push(time, 1.0)));
                Series {
                    labels: Labels::from_pairs([("at", at.to_string())]),
                    chunks: writer.finish().into_iter().collect(),
                }
            });
            let mut answers = [SeriesSet::from_sorted(all.collect()), SeriesSet::empty()];
            let steps = Steps { first: 0, step: 1, count };
            assert_eq!(
                is_small(&parse(text).expect("valid"), steps, &mut answers),
                want,
                "{text} {count} {series} {samples}"
            );
            let [all, _] = answers;
            assert_eq!(all.series.count(), series, "all of them are still there");
        };
        check("up", 1, 16, 120, true);
        check("up", 241, 16, 120, true);
        check("up", 1, 17, 1, false);
        check("up", 1, 2, 3000, false);
        check("up", 600, 1, 1, false);
        check("up", 500, 16, 120, false);
        check("1 + (max_over_time(up[1m:1s]))", 1, 1, 1, false);
        check("1", 1, 0, 0, true);
    }
}
