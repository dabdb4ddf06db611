//! A histogram as a message `Histogram`.

use model::{FloatHistogram, Span};

use crate::classic::classic_buckets;
use crate::protobuf::fields::{write_double, write_doubles, write_integer, write_message, write_signed};

/// The fields of a histogram: a native one, or one with classic buckets where its bounds are listed.
pub(super) fn write_histogram(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    write_double(out, 2, histogram.sum);
    if histogram.buckets.are_custom() {
        for bucket in classic_buckets(histogram) {
            write_message(out, 3, |out| {
                write_double(out, 2, bucket.upper_bound);
                write_double(out, 4, bucket.cumulative_count);
            });
        }
        return write_double(out, 4, histogram.count);
    }
    write_double(out, 4, histogram.count);
    write_signed(out, 5, histogram.buckets.schema);
    write_double(out, 6, histogram.buckets.zero_threshold);
    write_double(out, 8, histogram.zero_count);
    write_spans(out, 9, &histogram.buckets.negative_spans);
    write_doubles(out, 11, &histogram.negative);
    if says_nothing_of_buckets(histogram) {
        write_spans(out, 12, &[Span::default()]);
    } else {
        write_spans(out, 12, &histogram.buckets.positive_spans);
    }
    write_doubles(out, 14, &histogram.positive);
}

/// Without observations and without a zero bucket it would look like a classic one. An empty span makes the difference.
fn says_nothing_of_buckets(histogram: &FloatHistogram) -> bool {
    let buckets = &histogram.buckets;
    buckets.positive_spans.is_empty()
        && buckets.negative_spans.is_empty()
        && buckets.zero_threshold == 0.0
        && histogram.zero_count == 0.0
}

fn write_spans(out: &mut Vec<u8>, field: u32, spans: &[Span]) {
    for span in spans {
        write_message(out, field, |out| {
            write_signed(out, 1, span.offset);
            write_integer(out, 2, i64::from(span.length));
        });
    }
}
