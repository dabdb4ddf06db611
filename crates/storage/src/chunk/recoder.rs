//! Samples to chunks, the same samples to the same bytes.

use model::NativeHistogram;

use super::encoded::Chunk;
use super::values::{TimedValue, Value};
use super::{float_histogram, histogram, xor, xor2};

/// So many samples make a chunk when samples are encoded anew, as in Prometheus's `NewSeriesToChunkEncoder`.
pub const SAMPLES_PER_CHUNK: usize = 120;

/// Encodes samples of one series anew: chunks of [`SAMPLES_PER_CHUNK`], cut early where the encoding changes or where a
/// histogram can't follow the one before it. A sample with a start timestamp begins a chunk that has them, if the one before has not. What it
/// makes depends on the samples alone, so two nodes that hold the same samples make the same bytes.
#[derive(Debug, Default)]
pub struct Recoder {
    done: Vec<Chunk>,
    open: Option<Open>,
}

#[derive(Debug)]
enum Open {
    Float(xor::Writer),
    StartedFloat(Box<xor2::Writer>),
    Histogram(Box<histogram::Writer>),
    FloatHistogram(Box<float_histogram::Writer>),
}

impl Open {
    fn begin(TimedValue { time, start, value }: &TimedValue) -> Self {
        match (value, *start) {
            (Value::Float(value), 0) => {
                let mut writer = xor::Writer::default();
                writer.push(*time, *value);
                Open::Float(writer)
            }
            (Value::Float(value), start) => {
                let mut writer = xor2::Writer::default();
                writer.push(*time, start, *value);
                Open::StartedFloat(Box::new(writer))
            }
            (Value::Histogram(NativeHistogram::Int(histogram)), 0) => {
                Open::Histogram(Box::new(histogram::Writer::new(None, *time, histogram)))
            }
            (Value::Histogram(NativeHistogram::Int(histogram)), start) => {
                Open::Histogram(Box::new(histogram::Writer::with_starts(None, *time, start, histogram)))
            }
            (Value::Histogram(NativeHistogram::Float(histogram)), 0) => {
                Open::FloatHistogram(Box::new(float_histogram::Writer::new(None, *time, histogram)))
            }
            (Value::Histogram(NativeHistogram::Float(histogram)), start) => {
                Open::FloatHistogram(Box::new(float_histogram::Writer::with_starts(None, *time, start, histogram)))
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Open::Float(writer) => writer.len(),
            Open::StartedFloat(writer) => writer.len(),
            Open::Histogram(writer) => writer.len(),
            Open::FloatHistogram(writer) => writer.len(),
        }
    }

    /// Appends a sample; gives the chunk that comes after, if this one can't take it.
    fn push(&mut self, sample: &TimedValue) -> Option<Open> {
        let TimedValue { time, start, value } = sample;
        match (self, value) {
            (Open::Float(writer), Value::Float(value)) if *start == 0 => {
                writer.push(*time, *value);
                None
            }
            (Open::StartedFloat(writer), Value::Float(value)) => {
                writer.push(*time, *start, *value);
                None
            }
            (Open::Histogram(writer), Value::Histogram(NativeHistogram::Int(histogram))) => {
                writer.push_started(*time, *start, histogram).map(|next| Open::Histogram(Box::new(next)))
            }
            (Open::FloatHistogram(writer), Value::Histogram(NativeHistogram::Float(histogram))) => {
                writer.push_started(*time, *start, histogram).map(|next| Open::FloatHistogram(Box::new(next)))
            }
            _ => Some(Open::begin(sample)),
        }
    }

    fn finish(self) -> Option<Chunk> {
        match self {
            Open::Float(writer) => writer.finish(),
            Open::StartedFloat(writer) => writer.finish(),
            Open::Histogram(writer) => Some(writer.finish()),
            Open::FloatHistogram(writer) => Some(writer.finish()),
        }
    }
}

impl Recoder {
    /// Appends a sample without a start timestamp, which must be newer than the last one. A histogram must be valid.
    pub fn push(&mut self, time: i64, value: Value) {
        self.push_timed(TimedValue { time, start: 0, value });
    }

    /// Appends a sample, which must be newer than the last one. A histogram must be valid.
    #[expect(clippy::needless_pass_by_value, reason = "callers have no use for a value they have read")]
    pub fn push_timed(&mut self, sample: TimedValue) {
        let next = match self.open.as_mut().filter(|open| open.len() < SAMPLES_PER_CHUNK) {
            Some(open) => open.push(&sample),
            None => Some(Open::begin(&sample)),
        };
        if let Some(next) = next {
            let full = self.open.replace(next);
            self.done.extend(full.and_then(Open::finish));
        }
    }

    /// The chunks, oldest first.
    pub fn finish(mut self) -> Vec<Chunk> {
        self.done.extend(self.open.and_then(Open::finish));
        self.done
    }
}

#[cfg(test)]
mod tests {
    use model::{Histogram, Span};

    use super::*;
    use crate::chunk::Encoding;

    #[test]
    fn chunks_have_120_samples() {
        let mut recoder = Recoder::default();
        for t in 0..241 {
            recoder.push(t, Value::Float(t as f64));
        }
        let chunks = recoder.finish();
        assert_eq!(chunks.iter().map(Chunk::sample_count).collect::<Vec<_>>(), [120, 120, 1]);
        let mut want = 0;
        for chunk in &chunks {
            let mut values = chunk.values();
            while let Some(sample) = values.next().expect("valid") {
                assert_eq!(sample, (want, Value::Float(want as f64)));
                want += 1;
            }
        }
        assert_eq!(want, 241);
        assert!(Recoder::default().finish().is_empty());
    }
    #[test]
    fn starts_begin_chunks_that_have_them() {
        let histogram = |count: u64| Value::from(Histogram { count, zero_count: count, ..Histogram::default() });
        let float = |count: u64| match histogram(count) {
            Value::Histogram(histogram) => Value::from(histogram.to_float()),
            float => float,
        };
        let check = |value: &dyn Fn(u64) -> Value, without: Encoding, with: Encoding| {
            let mut recoder = Recoder::default();
            let starts = |time: i64| if (10..20).contains(&time) { 1000 + time } else { 0 };
            let samples = (0..200).map(|time| TimedValue { time, start: starts(time), value: value(time as u64 + 1) });
            samples.clone().for_each(|sample| recoder.push_timed(sample));
            let chunks = recoder.finish();
            let got: Vec<_> = chunks.iter().map(|chunk| (chunk.encoding, chunk.sample_count())).collect();
            assert_eq!(got, [(without, 10), (with, 120), (without, 70)]);
            let mut want = samples;
            for chunk in &chunks {
                let mut values = chunk.values();
                while let Some(got) = values.next_timed().expect("valid") {
                    let want = want.next().expect("not more than were written");
                    assert_eq!((got.time, got.start), (want.time, want.start));
                    assert!(got.value.same_as(&want.value), "{got:?}");
                }
            }
            assert_eq!(want.next(), None);
        };
        check(&|count| Value::Float(count as f64), Encoding::Xor, Encoding::Xor2);
        check(&histogram, Encoding::Histogram, Encoding::HistogramStarts);
        check(&float, Encoding::FloatHistogram, Encoding::FloatHistogramStarts);
    }

    #[test]
    fn new_buckets_leave_the_starts() {
        let mut recoder = Recoder::default();
        for time in 0..30_i64 {
            let length = time as u32 / 10 + 1;
            let mut histogram = Histogram {
                count: u64::from(length) * 100,
                positive: vec![0; length as usize],
                ..Histogram::default()
            };
            histogram.positive[0] = 100;
            histogram.buckets.positive_spans = vec![Span { offset: 0, length }];
            recoder.push_timed(TimedValue { time, start: time - 7, value: histogram.into() });
        }
        let [chunk] = &recoder.finish()[..] else { panic!("the wider ones follow in the same chunk") };
        let mut values = chunk.values();
        for time in 0..30 {
            let read = values.next_timed().expect("valid").expect("as many as were written");
            assert_eq!((read.time, read.start), (time, time - 7));
        }
    }
}
