//! Writing histogram chunks.

use model::{Buckets, CounterReset, Span, Timestamp};

use super::fit::{NewSpans, fit};
use super::layout::{FLAGS, HEADER_BYTES, counter_reset, flags, push_layout};
use super::numbers::{Numbers, Why};
use super::reader::Reader;
use super::spans::spread;
use crate::chunk::bits::BitWriter;
use crate::chunk::encoded::Chunk;
use crate::chunk::varbit::push_int;
use crate::chunk::xor::SAMPLES_MAX;

/// Writes one chunk, which has at least one sample.
#[derive(Debug)]
pub struct Writer<H: Numbers> {
    out: BitWriter,
    count: u16,
    first_time: i64,
    time: i64,
    delta: i64,
    /// The last sample, with the chunk's shape, or a stale marker.
    last: H,
    written: H::Written,
}

impl<H: Numbers> Writer<H> {
    /// Begins a chunk with its first sample. Where the chunk `before` was ended for its size or its times, a look at it tells
    /// whether there was a counter reset between them; give `None` where there is no chunk of this kind right before.
    pub fn new(before: Option<&Self>, time: i64, histogram: &H) -> Self {
        let known = match (histogram.counter_reset(), before) {
            (known @ (CounterReset::Gauge | CounterReset::Reset), _) => known,
            (_, Some(before)) => H::header(before.fit(histogram).err(), true),
            (_, None) => CounterReset::Unknown,
        };
        Self::begin(known, time, histogram)
    }

    fn begin(known: CounterReset, time: i64, histogram: &H) -> Self {
        let stale;
        let mut first = histogram;
        if histogram.is_stale() {
            stale = H::stale(); // without a shape
            first = &stale;
        }
        let mut out = BitWriter::new(vec![0, 1, flags(known)]);
        push_layout(&mut out, first.shape());
        push_int(&mut out, time);
        let written = first.push_first(&mut out);
        Writer { out, count: 1, first_time: time, time, delta: 0, last: first.clone(), written }
    }

    /// Appends a sample, whose time must be after the last one's. Where it brings new buckets, the whole chunk is encoded
    /// anew. Where the chunk can't take it, nothing changes, and the answer is the chunk that follows, begun with the sample.
    #[must_use = "the sample may be in a new chunk"]
    pub fn push(&mut self, time: i64, histogram: &H) -> Option<Self> {
        if usize::from(self.count) == SAMPLES_MAX {
            return Some(Self::new(Some(self), time, histogram));
        }
        match self.fit(histogram) {
            Err(why) => {
                let known = match histogram.counter_reset() {
                    CounterReset::Gauge => CounterReset::Gauge,
                    _ => H::header(Some(why), false),
                };
                return Some(Self::begin(known, time, histogram));
            }
            Ok(Some((positive, negative))) => self.recode(&positive, &negative),
            Ok(None) => {}
        }
        match self.widened(histogram) {
            Some(wider) => self.append(time, &wider),
            None if histogram.is_stale() => self.append(time, &H::stale()),
            None => self.append(time, histogram),
        }
        None
    }

    fn fit(&self, histogram: &H) -> Result<NewSpans, Why> {
        fit(&self.last, self.counter_reset() == CounterReset::Gauge, histogram)
    }

    /// The sample with the chunk's shape; `None` where it has that already, or no shape.
    fn widened(&self, histogram: &H) -> Option<H> {
        let (shape, own) = (self.last.shape(), histogram.shape());
        let same = own.positive_spans == shape.positive_spans && own.negative_spans == shape.negative_spans;
        (!same && !histogram.is_stale() && !self.last.is_stale()).then(|| with_spans(histogram, shape))
    }

    fn append(&mut self, time: i64, histogram: &H) {
        let delta = time.wrapping_sub(self.time);
        push_int(&mut self.out, delta.wrapping_sub(self.delta));
        histogram.push_next(&self.last, &mut self.written, &mut self.out);
        (self.time, self.delta) = (time, delta);
        self.last.clone_from(histogram);
        self.count += 1;
        self.out.bytes_mut()[..FLAGS].copy_from_slice(&self.count.to_be_bytes());
    }

    /// Encodes the chunk anew with wider spans.
    fn recode(&mut self, positive: &[Span], negative: &[Span]) {
        let mut shape = self.last.shape().clone();
        (shape.positive_spans, shape.negative_spans) = (positive.to_vec(), negative.to_vec());
        let known = self.counter_reset();
        let bytes = std::mem::take(&mut self.out).into_bytes();
        const OWN: &str = "a writer reads what it wrote";
        let mut reader = Reader::<H>::new(&bytes).expect(OWN);
        let (time, first) = reader.next().expect(OWN).expect("a writer has a sample");
        let mut wider = Self::begin(known, time, &with_spans(first, &shape));
        while let Some((time, histogram)) = reader.next().expect(OWN) {
            wider.append(time, &with_spans(histogram, &shape));
        }
        *self = wider;
    }

    /// How many samples have been written.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// The time of the first sample.
    pub fn first_time(&self) -> i64 {
        self.first_time
    }

    /// The time of the last sample.
    pub fn last_time(&self) -> i64 {
        self.time
    }

    /// Whether the last sample is this one: the same data, where buckets without observations don't count if the chunk has
    /// them and the sample does not.
    pub fn ends_with(&self, histogram: &H) -> bool {
        match self.widened(histogram) {
            Some(wider) => wider.same_as(&self.last),
            None => histogram.is_stale() && self.last.is_stale() || histogram.same_as(&self.last),
        }
    }

    /// What the header says of a counter reset before the chunk.
    pub fn counter_reset(&self) -> CounterReset {
        counter_reset(self.out.bytes().get(FLAGS).copied().unwrap_or_default())
    }

    /// The encoded bytes so far, a valid chunk.
    pub fn bytes(&self) -> &[u8] {
        self.out.bytes()
    }

    /// The chunk.
    pub fn finish(self) -> Chunk {
        Chunk {
            min_time: Timestamp::from_ms(self.first_time),
            max_time: Timestamp::from_ms(self.time),
            encoding: H::ENCODING,
            data: self.out.into_bytes().into(),
        }
    }
}

/// The histogram with zeros for the buckets that `shape` has and it has not.
fn with_spans<H: Numbers>(histogram: &H, shape: &Buckets) -> H {
    let (positive, negative) = histogram.buckets();
    let own = histogram.shape();
    let side = |from: &[Span], buckets: &[H::Bucket], to: &[Span]| H::from_counts(spread(from, H::counts(buckets), to));
    let positive = side(&own.positive_spans, positive, &shape.positive_spans);
    let negative = side(&own.negative_spans, negative, &shape.negative_spans);
    histogram.with_buckets(shape.clone(), positive, negative)
}

const _: () = assert!(HEADER_BYTES == FLAGS + 1);
