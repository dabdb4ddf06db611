//! Which buckets histograms have together.

use std::ops::Range;

use model::{FloatHistogram, Span};

/// The buckets of histograms that are added up, at the resolution of the coarsest.
#[derive(Debug, Clone)]
pub(crate) struct Covered {
    schema: i32,
    positive: Ranges,
    negative: Ranges,
}

impl Covered {
    /// No buckets yet, of this resolution.
    pub(crate) fn new(schema: i32) -> Self {
        Covered { schema, positive: Ranges::default(), negative: Ranges::default() }
    }

    /// Adds the buckets of a histogram, and tells how many of them are new. Custom ones count by their places, whatever their bounds.
    pub(crate) fn add(&mut self, histogram: &FloatHistogram) -> usize {
        let shape = &histogram.buckets;
        if !shape.are_custom() && shape.schema < self.schema {
            let levels = self.schema.saturating_sub(shape.schema);
            self.positive = self.positive.coarser(levels);
            self.negative = self.negative.coarser(levels);
            self.schema = shape.schema;
        }
        let levels = if shape.are_custom() { 0 } else { shape.schema.saturating_sub(self.schema) };
        self.positive.add_spans(&shape.positive_spans, levels) + self.negative.add_spans(&shape.negative_spans, levels)
    }
}

/// Indexes as ranges in ascending order that don't touch.
#[derive(Debug, Clone, Default)]
struct Ranges(Vec<Range<i64>>);

impl Ranges {
    fn add_spans(&mut self, spans: &[Span], levels: i32) -> usize {
        let (mut next, mut new) = (0, 0);
        for span in spans {
            let from = next + i64::from(span.offset);
            next = from + i64::from(span.length);
            new += self.add(coarser(&(from..next), levels));
        }
        new
    }

    /// Adds a range, and tells how many of its indexes are new.
    fn add(&mut self, range: Range<i64>) -> usize {
        if range.is_empty() {
            return 0;
        }
        let from = self.0.partition_point(|known| known.end < range.start);
        let to = from + self.0[from..].partition_point(|known| known.start <= range.end);
        let touched = &self.0[from..to];
        let known: i64 = touched.iter().map(|known| known.end.min(range.end) - known.start.max(range.start)).sum();
        let start = touched.first().map_or(range.start, |first| first.start.min(range.start));
        let end = touched.last().map_or(range.end, |last| last.end.max(range.end));
        let new = range.end - range.start - known;
        if new > 0 {
            self.0.splice(from..to, std::iter::once(start..end));
        }
        usize::try_from(new).unwrap_or(0)
    }

    fn coarser(&self, levels: i32) -> Self {
        let mut out = Ranges::default();
        self.0.iter().for_each(|range| {
            out.add(coarser(range, levels));
        });
        out
    }
}

/// Where a range of buckets lies when the resolution is halved so many times.
fn coarser(range: &Range<i64>, levels: i32) -> Range<i64> {
    let index = |index: i64| ((index - 1) >> levels.clamp(0, 63)) + 1;
    if range.is_empty() { range.clone() } else { index(range.start)..index(range.end - 1) + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_buckets_count() {
        let mut covered = Covered::new(1);
        let mut check = |schema: i32, spans: &[(i32, u32)], want: usize| {
            let mut histogram = FloatHistogram::default();
            histogram.buckets.schema = schema;
            histogram.buckets.positive_spans =
                spans.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect();
            assert_eq!(covered.add(&histogram), want, "{schema} {spans:?}");
        };
        check(1, &[(1, 4)], 4);
        check(1, &[(1, 4)], 0);
        check(1, &[(3, 4)], 2);
        check(1, &[(9, 2), (3, 0), (-1, 1)], 3);
        check(1, &[(0, 20)], 11);
        // 0 to 19 are 0 to 10 in the coarser resolution.
        check(0, &[(0, 11)], 0);
        check(1, &[(21, 4)], 2);
    }
}
