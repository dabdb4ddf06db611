//! What integer and float histograms have in common: where their buckets lie.

/// A run of consecutive buckets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Buckets left out since the end of the span before; for the first span the index of its first bucket.
    pub offset: i32,
    /// How many buckets.
    pub length: u32,
}

/// What is known of a counter reset between a histogram and the one before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum CounterReset {
    /// Nobody looked.
    #[default]
    Unknown,
    /// There was one.
    Reset,
    /// There was none.
    NotReset,
    /// A gauge histogram: its counts may go down without a reset.
    Gauge,
}

/// The schema of histograms whose bucket bounds are listed in `custom_values`.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// The finest exponential schema that is worked with. Finer ones, up to 52, are read and made coarser.
pub const EXPONENTIAL_SCHEMA_MAX: i32 = 8;
/// The coarsest exponential schema.
pub const EXPONENTIAL_SCHEMA_MIN: i32 = -4;

/// Everything of a histogram except its counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets {
    /// Bucket bounds are powers of `2^(2^-schema)`, for -4 to 8; [`CUSTOM_BUCKETS_SCHEMA`] for listed ones.
    pub schema: i32,
    /// Observations of at most this absolute value are counted in the zero bucket.
    pub zero_threshold: f64,
    /// Where the buckets of positive observations lie; those with listed bounds are here too.
    pub positive_spans: Vec<Span>,
    /// Where the buckets of negative observations lie.
    pub negative_spans: Vec<Span>,
    /// The upper bounds of listed buckets, ascending, without the last one, which is infinite.
    pub custom_values: Vec<f64>,
}

impl Buckets {
    /// Whether the bounds are listed.
    pub fn are_custom(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// Whether the listed bounds of both are the same, which only matters where they are listed.
    pub fn same_bounds(&self, other: &Buckets) -> bool {
        !self.are_custom() || self.custom_values == other.custom_values
    }

    /// Whether both have the same buckets, however their spans say it.
    pub(super) fn same_as(&self, other: &Buckets) -> bool {
        self.schema == other.schema
            && self.zero_threshold == other.zero_threshold
            && self.same_bounds(other)
            && same_spans(&self.positive_spans, &other.positive_spans)
            && same_spans(&self.negative_spans, &other.negative_spans)
    }
}

/// Whether a schema is one that may be stored: -4 to 8, or listed bounds.
pub fn is_valid_schema(schema: i32) -> bool {
    schema == CUSTOM_BUCKETS_SCHEMA || (EXPONENTIAL_SCHEMA_MIN..=EXPONENTIAL_SCHEMA_MAX).contains(&schema)
}

/// Whether a schema can be read: -9 to 52, of which those above 8 are made coarser, or listed bounds.
pub fn is_known_schema(schema: i32) -> bool {
    schema == CUSTOM_BUCKETS_SCHEMA || (-9..=52).contains(&schema)
}

/// How many buckets there are in spans.
pub fn bucket_count(spans: &[Span]) -> u64 {
    spans.iter().map(|span| u64::from(span.length)).sum()
}

/// The indexes of the buckets in spans, ascending as long as only the first span's offset is negative.
pub fn bucket_indexes(spans: &[Span]) -> impl Iterator<Item = i64> + Clone {
    spans
        .iter()
        .scan(0_i64, |next, span| {
            let start = *next + i64::from(span.offset);
            *next = start + i64::from(span.length);
            Some(start..*next)
        })
        .flatten()
}

/// Whether spans hold the same buckets. An empty span may stand anywhere, and a span may be told in two parts.
fn same_spans(a: &[Span], b: &[Span]) -> bool {
    a == b || bucket_indexes(a).eq(bucket_indexes(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_follow_offsets_and_lengths() {
        let check = |spans: &[(i32, u32)], want: &[i64]| {
            let spans: Vec<Span> =
                spans.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect();
            assert_eq!(bucket_indexes(&spans).collect::<Vec<_>>(), want, "{spans:?}");
            assert_eq!(bucket_count(&spans), want.len() as u64);
        };
        check(&[], &[]);
        check(&[(-3, 2)], &[-3, -2]);
        check(&[(0, 2), (2, 1), (3, 2)], &[0, 1, 4, 8, 9]);
        check(&[(1, 0), (2, 1), (0, 1), (4, 0)], &[3, 4]);
    }

    #[test]
    fn schemas_that_are_stored_and_those_that_are_read() {
        let stored: Vec<i32> = (-60..60).filter(|schema| is_valid_schema(*schema)).collect();
        assert_eq!(stored, [-53, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((-60..60).filter(|schema| is_known_schema(*schema)).count(), 63);
    }
}
