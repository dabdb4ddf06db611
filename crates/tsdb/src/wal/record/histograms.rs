//! Records of native histograms: whole and fractional counts, buckets by schema and listed ones.
//!
//! The four kinds of records differ in the first byte and in how counts are written. Buckets that are listed have a record of
//! their own so that a Prometheus which doesn't know them passes over the record instead of misreading it.

use model::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, CounterReset, EXPONENTIAL_SCHEMA_MAX, FloatHistogram, Histogram, NativeHistogram,
    Span, Timestamp, is_known_schema,
};

use super::broken::broken;
use super::kind::{CUSTOM_FLOAT_HISTOGRAMS, CUSTOM_HISTOGRAMS, FLOAT_HISTOGRAMS, HISTOGRAMS};
use super::samples::Base;
use crate::binary::{Corrupt, Cursor, put_uvarint, put_varint};

/// One histogram of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoggedHistogram {
    /// The series' number in the log.
    pub(crate) series: u64,
    pub(crate) time: Timestamp,
    pub(crate) histogram: NativeHistogram,
}

/// The kinds of records in the order in which a commit writes them.
const KINDS: [u8; 4] = [HISTOGRAMS, CUSTOM_HISTOGRAMS, FLOAT_HISTOGRAMS, CUSTOM_FLOAT_HISTOGRAMS];

fn kind_of(histogram: &NativeHistogram) -> u8 {
    let is_custom = |buckets: &Buckets| buckets.schema == CUSTOM_BUCKETS_SCHEMA;
    match histogram {
        NativeHistogram::Int(whole) if is_custom(&whole.buckets) => CUSTOM_HISTOGRAMS,
        NativeHistogram::Int(_) => HISTOGRAMS,
        NativeHistogram::Float(float) if is_custom(&float.buckets) => CUSTOM_FLOAT_HISTOGRAMS,
        NativeHistogram::Float(_) => FLOAT_HISTOGRAMS,
    }
}

/// Calls `write` with a record of each kind that there are histograms of: at most four.
pub(crate) fn encode_histograms<E>(
    histograms: &[LoggedHistogram],
    mut write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut out = Vec::new();
    for kind in KINDS {
        let mut of_kind = histograms.iter().filter(|logged| kind_of(&logged.histogram) == kind).peekable();
        let Some(first) = of_kind.peek() else { continue };
        out.clear();
        let base = Base::put(&mut out, kind, first.series, first.time);
        for logged in of_kind {
            base.put_place(&mut out, logged.series, logged.time);
            put_histogram(&mut out, &logged.histogram);
        }
        write(&out)?;
    }
    Ok(())
}

/// Appends the histograms of a record to `out`; the answer is how many were left out because their schema isn't known or their
/// buckets aren't those of their spans.
pub(crate) fn decode_histograms(record: &[u8], out: &mut Vec<LoggedHistogram>) -> Result<usize, Corrupt> {
    let is_float = matches!(record.first(), Some(&FLOAT_HISTOGRAMS | &CUSTOM_FLOAT_HISTOGRAMS));
    let mut cursor = Cursor::new(record);
    let Some(base) = Base::read(&mut cursor)? else { return Ok(0) };
    let mut left_out = 0;
    while !cursor.is_empty() {
        let at = cursor.position();
        let mut logged = read_one(&mut cursor, base, is_float).ok_or_else(|| broken(at, "broken histogram"))?;
        if is_known_schema(logged.histogram.buckets().schema) && logged.histogram.fits_its_spans() {
            // Finer buckets than we work with come from a later Prometheus, and become coarser.
            logged.histogram.reduce_resolution(EXPONENTIAL_SCHEMA_MAX);
            out.push(logged);
        } else {
            left_out += 1;
        }
    }
    Ok(left_out)
}

fn read_one(cursor: &mut Cursor<'_>, base: Base, is_float: bool) -> Option<LoggedHistogram> {
    let (series, time) = base.read_place(cursor)?;
    let histogram = if is_float {
        NativeHistogram::Float(Box::new(read_float(cursor)?))
    } else {
        NativeHistogram::Int(Box::new(read_whole(cursor)?))
    };
    Some(LoggedHistogram { series, time, histogram })
}

/// Appends one histogram without series and time.
pub(crate) fn put_histogram(out: &mut Vec<u8>, histogram: &NativeHistogram) {
    match histogram {
        NativeHistogram::Int(whole) => put_whole(out, whole),
        NativeHistogram::Float(float) => put_float(out, float),
    }
}

fn put_reset(out: &mut Vec<u8>, reset: CounterReset) {
    out.push(match reset {
        CounterReset::Unknown => 0,
        CounterReset::Reset => 1,
        CounterReset::NotReset => 2,
        CounterReset::Gauge => 3,
    });
}

fn read_reset(cursor: &mut Cursor<'_>) -> Option<CounterReset> {
    Some(match cursor.u8()? {
        1 => CounterReset::Reset,
        2 => CounterReset::NotReset,
        3 => CounterReset::Gauge,
        _ => CounterReset::Unknown,
    })
}

fn put_f64(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_bits().to_be_bytes());
}

fn read_f64(cursor: &mut Cursor<'_>) -> Option<f64> {
    cursor.be64().map(f64::from_bits)
}

fn put_spans(out: &mut Vec<u8>, spans: &[Span]) {
    put_uvarint(out, spans.len() as u64);
    for span in spans {
        put_varint(out, i64::from(span.offset));
        put_uvarint(out, u64::from(span.length));
    }
}

/// A list behind its length. Every element takes at least one byte, so that a length which lies can't ask for much memory.
fn read_list<T>(cursor: &mut Cursor<'_>, mut read: impl FnMut(&mut Cursor<'_>) -> Option<T>) -> Option<Vec<T>> {
    let count = cursor.uvarint_usize().filter(|count| *count <= cursor.remaining())?;
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        list.push(read(cursor)?);
    }
    Some(list)
}

fn read_span(cursor: &mut Cursor<'_>) -> Option<Span> {
    Some(Span { offset: cursor.varint()?.try_into().ok()?, length: cursor.uvarint()?.try_into().ok()? })
}

fn put_floats(out: &mut Vec<u8>, values: &[f64]) {
    put_uvarint(out, values.len() as u64);
    values.iter().for_each(|value| put_f64(out, *value));
}

fn put_listed(out: &mut Vec<u8>, buckets: &Buckets) {
    if buckets.schema == CUSTOM_BUCKETS_SCHEMA {
        put_floats(out, &buckets.custom_values);
    }
}

fn read_listed(cursor: &mut Cursor<'_>, schema: i32) -> Option<Vec<f64>> {
    if schema == CUSTOM_BUCKETS_SCHEMA { read_list(cursor, read_f64) } else { Some(Vec::new()) }
}

fn put_whole(out: &mut Vec<u8>, histogram: &Histogram) {
    let Histogram { counter_reset, buckets, zero_count, count, sum, positive, negative } = histogram;
    put_reset(out, *counter_reset);
    put_varint(out, i64::from(buckets.schema));
    put_f64(out, buckets.zero_threshold);
    put_uvarint(out, *zero_count);
    put_uvarint(out, *count);
    put_f64(out, *sum);
    put_spans(out, &buckets.positive_spans);
    put_spans(out, &buckets.negative_spans);
    for deltas in [positive, negative] {
        put_uvarint(out, deltas.len() as u64);
        deltas.iter().for_each(|delta| put_varint(out, *delta));
    }
    put_listed(out, buckets);
}

fn read_whole(cursor: &mut Cursor<'_>) -> Option<Histogram> {
    let counter_reset = read_reset(cursor)?;
    let schema = cursor.varint()?.try_into().ok()?;
    let zero_threshold = read_f64(cursor)?;
    let (zero_count, count) = (cursor.uvarint()?, cursor.uvarint()?);
    let sum = read_f64(cursor)?;
    let (positive_spans, negative_spans) = (read_list(cursor, read_span)?, read_list(cursor, read_span)?);
    let (positive, negative) = (read_list(cursor, |c| c.varint())?, read_list(cursor, |c| c.varint())?);
    let custom_values = read_listed(cursor, schema)?;
    let buckets = Buckets { schema, zero_threshold, positive_spans, negative_spans, custom_values };
    Some(Histogram { counter_reset, buckets, zero_count, count, sum, positive, negative })
}

fn put_float(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    let FloatHistogram { counter_reset, buckets, zero_count, count, sum, positive, negative } = histogram;
    put_reset(out, *counter_reset);
    put_varint(out, i64::from(buckets.schema));
    for value in [buckets.zero_threshold, *zero_count, *count, *sum] {
        put_f64(out, value);
    }
    put_spans(out, &buckets.positive_spans);
    put_spans(out, &buckets.negative_spans);
    put_floats(out, positive);
    put_floats(out, negative);
    put_listed(out, buckets);
}

fn read_float(cursor: &mut Cursor<'_>) -> Option<FloatHistogram> {
    let counter_reset = read_reset(cursor)?;
    let schema = cursor.varint()?.try_into().ok()?;
    let (zero_threshold, zero_count) = (read_f64(cursor)?, read_f64(cursor)?);
    let (count, sum) = (read_f64(cursor)?, read_f64(cursor)?);
    let (positive_spans, negative_spans) = (read_list(cursor, read_span)?, read_list(cursor, read_span)?);
    let (positive, negative) = (read_list(cursor, read_f64)?, read_list(cursor, read_f64)?);
    let custom_values = read_listed(cursor, schema)?;
    let buckets = Buckets { schema, zero_threshold, positive_spans, negative_spans, custom_values };
    Some(FloatHistogram { counter_reset, buckets, zero_count, count, sum, positive, negative })
}
