//! One side's buckets of two histograms beside each other.

use std::cmp::Ordering;
use std::iter::Peekable;

use model::{Span, bucket_indexes};

/// What is missing where, so that both have the same buckets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Missing {
    /// In the chunk.
    pub(super) in_chunk: bool,
    /// In the sample.
    pub(super) in_sample: bool,
}

/// Walks two ascending lists of buckets: index, then what each list has there.
fn beside<A, B>(
    a: impl Iterator<Item = (i64, A)>,
    b: impl Iterator<Item = (i64, B)>,
) -> impl Iterator<Item = (i64, Option<A>, Option<B>)> {
    fn take<T>(from: &mut Peekable<impl Iterator<Item = (i64, T)>>, index: i64) -> Option<T> {
        from.next_if(|(at, _)| *at == index).map(|(_, value)| value)
    }
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || {
        let index = match (a.peek(), b.peek()) {
            (Some((a, _)), Some((b, _))) => *a.min(b),
            (Some((index, _)), None) | (None, Some((index, _))) => *index,
            (None, None) => return None,
        };
        Some((index, take(&mut a, index), take(&mut b, index)))
    })
}

/// Compares a counter's buckets with those after them; `None` where a count went down, or a bucket with observations is
/// gone: a reset.
pub(super) fn follow<T: Default + PartialOrd>(
    chunk: (&[Span], impl Iterator<Item = T>),
    sample: (&[Span], impl Iterator<Item = T>),
) -> Option<Missing> {
    let mut missing = Missing::default();
    for (_, before, after) in beside(bucket_indexes(chunk.0).zip(chunk.1), bucket_indexes(sample.0).zip(sample.1)) {
        match (before, after) {
            (Some(before), Some(after)) if before.partial_cmp(&after) == Some(Ordering::Greater) => return None,
            (Some(before), None) if before != T::default() => return None,
            (before, after) => {
                missing.in_chunk |= before.is_none();
                missing.in_sample |= after.is_none();
            }
        }
    }
    Some(missing)
}

/// What a gauge's buckets lack: their counts don't matter.
pub(super) fn differ(chunk: &[Span], sample: &[Span]) -> Missing {
    let units = |spans| bucket_indexes(spans).map(|index| (index, ()));
    beside(units(chunk), units(sample)).fold(Missing::default(), |missing, (_, chunk, sample)| Missing {
        in_chunk: missing.in_chunk || chunk.is_none(),
        in_sample: missing.in_sample || sample.is_none(),
    })
}

/// The spans of all buckets of both, each as long as can be.
pub(super) fn union(a: &[Span], b: &[Span]) -> Vec<Span> {
    let units = |spans| bucket_indexes(spans).map(|index| (index, ()));
    let mut out: Vec<Span> = Vec::new();
    let mut next = 0;
    for (index, _, _) in beside(units(a), units(b)) {
        match out.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => out.push(Span { offset: (index - next) as i32, length: 1 }),
        }
        next = index + 1;
    }
    out
}

/// The counts of buckets in wider spans, with zeros for those that are new.
pub(super) fn spread<T: Default>(
    from: &[Span],
    counts: impl Iterator<Item = T>,
    to: &[Span],
) -> impl Iterator<Item = T> {
    let units = bucket_indexes(to).map(|index| (index, ()));
    beside(bucket_indexes(from).zip(counts), units).map(|(_, count, _)| count.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(spans: &[(i32, u32)]) -> Vec<Span> {
        spans.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect()
    }

    #[test]
    fn tells_new_buckets_from_resets() {
        let check = |a: (&[(i32, u32)], &[i64]), b: (&[(i32, u32)], &[i64]), want: Option<(bool, bool)>| {
            let got = follow((&spans(a.0), a.1.iter().copied()), (&spans(b.0), b.1.iter().copied()));
            assert_eq!(got.map(|missing| (missing.in_chunk, missing.in_sample)), want, "{a:?} {b:?}");
        };
        check((&[], &[]), (&[], &[]), Some((false, false)));
        check((&[(0, 2)], &[1, 2]), (&[(0, 1), (0, 1)], &[1, 3]), Some((false, false)));
        check((&[(0, 2)], &[1, 2]), (&[(0, 3)], &[1, 3, 0]), Some((true, false)));
        check((&[(0, 3)], &[1, 0, 2]), (&[(0, 1), (1, 1)], &[1, 2]), Some((false, true)));
        check((&[(0, 3)], &[1, 0, 2]), (&[(-1, 2), (1, 1)], &[1, 1, 2]), Some((true, true)));
        check((&[(0, 2)], &[1, 2]), (&[(0, 2)], &[1, 1]), None);
        check((&[(0, 2)], &[1, 2]), (&[(0, 1)], &[9]), None);
        check((&[(0, 1)], &[1]), (&[], &[]), None);
        check((&[(0, 1)], &[0]), (&[], &[]), Some((false, true)));
        let gauge = differ(&spans(&[(0, 2)]), &spans(&[(1, 2)]));
        assert_eq!(gauge, Missing { in_chunk: true, in_sample: true });
    }

    #[test]
    fn counts_go_where_their_buckets_are() {
        let (a, b) = (spans(&[(0, 2), (2, 1), (3, 2)]), spans(&[(-2, 1), (1, 1), (3, 2)]));
        let all = union(&a, &b);
        assert_eq!(all, spans(&[(-2, 1), (1, 2), (2, 2), (2, 2)]));
        assert_eq!(spread(&a, [6, 3, 3, 2, 4].into_iter(), &all).collect::<Vec<_>>(), [0, 6, 3, 3, 0, 2, 4]);
        assert_eq!(union(&spans(&[(3, 1), (0, 1), (0, 0)]), &[]), spans(&[(3, 2)]));
    }
}
