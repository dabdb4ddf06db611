//! One side's buckets as a list of indexes and amounts, ascending.

use super::amount::Amount;
use super::resolution::coarser_index;
use super::shape::{Span, bucket_indexes};

/// Buckets by index.
pub(super) type Cells<A> = Vec<(i64, A)>;

/// The buckets of a histogram.
pub(super) fn of<A: Amount>(spans: &[Span], counts: &[f64]) -> Cells<A> {
    bucket_indexes(spans).zip(counts).map(|(index, count)| (index, A::from(*count))).collect()
}

/// The spans and counts of all buckets that aren't empty.
pub(super) fn to_spans<A: Amount>(cells: &[(i64, A)]) -> (Vec<Span>, Vec<f64>) {
    let filled = || cells.iter().map(|(index, amount)| (*index, amount.total())).filter(|(_, total)| *total != 0.0);
    (spans_of(filled().map(|(index, _)| index)), filled().map(|(_, total)| total).collect())
}

/// The spans of buckets with these indexes, which ascend.
pub(super) fn spans_of(indexes: impl Iterator<Item = i64>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut next = 0;
    for index in indexes {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            // Indexes come from spans, whose offsets are as long; sums of offsets that don't fit are no valid histogram's.
            _ => spans.push(Span { offset: (index - next).clamp(i32::MIN.into(), i32::MAX.into()) as i32, length: 1 }),
        }
        next = index + 1;
    }
    spans
}

/// Adds counts to the buckets of the same indexes; both sides ascend, and an index may come again.
pub(super) fn add<A: Amount>(cells: &mut Cells<A>, others: impl Iterator<Item = (i64, f64)>) {
    let known = cells.len();
    let mut at = 0;
    for (index, count) in others {
        while at < known && cells[at].0 < index {
            at += 1;
        }
        if at < known && cells[at].0 == index {
            cells[at].1.add(count);
        } else if let Some((_, amount)) = cells[known..].last_mut().filter(|(last, _)| *last == index) {
            amount.add(count);
        } else {
            cells.push((index, A::from(count)));
        }
    }
    if cells.len() > known {
        // Two ascending runs, which a stable sort merges.
        cells.sort_by_key(|(index, _)| *index);
    }
}

/// Merges buckets whose indexes become the same; `change` keeps the order.
pub(super) fn reindex<A: Amount>(cells: &mut Cells<A>, change: impl Fn(i64) -> i64) {
    let mut kept = 0;
    for at in 0..cells.len() {
        let (index, amount) = (change(cells[at].0), cells[at].1);
        if kept > 0 && cells[kept - 1].0 == index {
            cells[kept - 1].1.absorb(amount);
        } else {
            cells[kept] = (index, amount);
            kept += 1;
        }
    }
    cells.truncate(kept);
}

/// Merges buckets so that their schema becomes a coarser one.
pub(super) fn reduce<A: Amount>(cells: &mut Cells<A>, from: i32, to: i32) {
    reindex(cells, |index| coarser_index(index, from, to));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_added_and_become_spans_again() {
        let check = |a: &[(i64, f64)], b: &[(i64, f64)], want: &[(i64, f64)], spans: &[(i32, u32)]| {
            let mut cells: Cells<f64> = a.to_vec();
            add(&mut cells, b.iter().copied());
            assert_eq!(cells, want);
            let (got, counts) = to_spans(&cells);
            assert_eq!(got.iter().map(|span| (span.offset, span.length)).collect::<Vec<_>>(), spans);
            let filled: Cells<f64> = want.iter().copied().filter(|(_, count)| *count != 0.0).collect();
            assert_eq!(of::<f64>(&got, &counts), filled);
        };
        check(&[], &[(3, 1.0), (3, 2.0)], &[(3, 3.0)], &[(3, 1)]);
        check(
            &[(-2, 1.0), (5, 1.0)],
            &[(-3, 1.0), (5, 1.0), (6, 2.0)],
            &[(-3, 1.0), (-2, 1.0), (5, 2.0), (6, 2.0)],
            &[(-3, 2), (6, 2)],
        );
        check(&[(1, 1.0), (2, 1.0), (3, 1.0)], &[(2, -1.0)], &[(1, 1.0), (2, 0.0), (3, 1.0)], &[(1, 1), (1, 1)]);
    }
}
