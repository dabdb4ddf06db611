//! Writing histogram chunks.

use model::{Buckets, CounterReset, Span, Timestamp};

use super::fit::{NewSpans, fit};
use super::layout::{HEADER_BYTES, Header, push_layout};
use super::numbers::{Numbers, Why};
use super::reader::Reader;
use super::spans::spread;
use crate::chunk::bits::BitWriter;
use crate::chunk::encoded::Chunk;
use crate::chunk::starts::{Place, Starts};
use crate::chunk::varbit::push_int;

/// Writes one chunk, which has at least one sample.
#[derive(Debug)]
pub struct Writer<H: Numbers> {
    out: BitWriter,
    /// What is known of a counter reset before the chunk.
    known: CounterReset,
    count: u16,
    first_time: i64,
    time: i64,
    delta: i64,
    /// The last sample, with the chunk's shape, or a stale marker.
    last: H,
    written: H::Written,
    /// In a chunk with start timestamps.
    starts: Option<Starts>,
}

impl<H: Numbers> Writer<H> {
    /// Begins a chunk with its first sample. Where the chunk `before` was ended for its size or its times, a look at it tells
    /// whether there was a counter reset between them; give `None` where there is no chunk of this kind right before.
    pub fn new(before: Option<&Self>, time: i64, histogram: &H) -> Self {
        Self::after(before, None, time, 0, histogram)
    }

    /// The same, with the first sample's start, 0 for none: the chunk has room for start timestamps.
    pub fn with_starts(before: Option<&Self>, time: i64, start: i64, histogram: &H) -> Self {
        Self::after(before, Some(Starts::default()), time, start, histogram)
    }

    fn after(before: Option<&Self>, starts: Option<Starts>, time: i64, start: i64, histogram: &H) -> Self {
        let known = match (histogram.counter_reset(), before) {
            (known @ (CounterReset::Gauge | CounterReset::Reset), _) => known,
            (_, Some(before)) => H::header(before.fit(histogram).err(), true),
            (_, None) => CounterReset::Unknown,
        };
        Self::begin(known, starts, time, start, histogram)
    }

    fn begin(known: CounterReset, starts: Option<Starts>, time: i64, start: i64, histogram: &H) -> Self {
        let stale;
        let mut first = histogram;
        if histogram.is_stale() {
            stale = H::stale(); // without a shape
            first = &stale;
        }
        let mut out = BitWriter::new(vec![0; HEADER_BYTES]);
        push_layout(&mut out, first.shape());
        push_int(&mut out, time);
        let written = first.push_first(&mut out);
        let last = first.clone();
        let mut writer = Writer { out, known, count: 0, first_time: time, time, delta: 0, last, written, starts };
        writer.count_one(Place { number: 0, time, before: 0 }, start);
        writer
    }

    /// Appends a sample, whose time must be after the last one's. Where it brings new buckets, the whole chunk is encoded
    /// anew. Where the chunk can't take it, nothing changes, and the answer is the chunk that follows, begun with the sample.
    #[must_use = "the sample may be in a new chunk"]
    pub fn push(&mut self, time: i64, histogram: &H) -> Option<Self> {
        self.push_started(time, 0, histogram)
    }

    /// The same, with the sample's start, 0 for none. A chunk without start timestamps takes no sample that has one; what follows a chunk
    /// with start timestamps has them, too.
    #[must_use = "the sample may be in a new chunk"]
    pub fn push_started(&mut self, time: i64, start: i64, histogram: &H) -> Option<Self> {
        let has_starts = self.starts.is_some();
        let starts = (has_starts || start != 0).then(Starts::default);
        if self.len() == Header::samples_max(has_starts) || start != 0 && !has_starts {
            return Some(Self::after(Some(self), starts, time, start, histogram));
        }
        match self.fit(histogram) {
            Err(why) => {
                let known = match histogram.counter_reset() {
                    CounterReset::Gauge => CounterReset::Gauge,
                    _ => H::header(Some(why), false),
                };
                return Some(Self::begin(known, starts, time, start, histogram));
            }
            Ok(Some((positive, negative))) => self.recode(&positive, &negative),
            Ok(None) => {}
        }
        match self.widened(histogram) {
            Some(wider) => self.append(time, start, &wider),
            None if histogram.is_stale() => self.append(time, start, &H::stale()),
            None => self.append(time, start, histogram),
        }
        None
    }

    fn fit(&self, histogram: &H) -> Result<NewSpans, Why> {
        fit(&self.last, self.known == CounterReset::Gauge, histogram)
    }

    /// The sample with the chunk's shape; `None` where it has that already, or no shape.
    fn widened(&self, histogram: &H) -> Option<H> {
        let (shape, own) = (self.last.shape(), histogram.shape());
        let same = own.positive_spans == shape.positive_spans && own.negative_spans == shape.negative_spans;
        (!same && !histogram.is_stale() && !self.last.is_stale()).then(|| with_spans(histogram, shape))
    }

    fn append(&mut self, time: i64, start: i64, histogram: &H) {
        let delta = time.wrapping_sub(self.time);
        push_int(&mut self.out, delta.wrapping_sub(self.delta));
        histogram.push_next(&self.last, &mut self.written, &mut self.out);
        let place = Place { number: self.len(), time, before: self.time };
        (self.time, self.delta) = (time, delta);
        self.last.clone_from(histogram);
        self.count_one(place, start);
    }

    /// Ends a sample: writes its start, if there is room for starts, and counts it.
    fn count_one(&mut self, place: Place, start: i64) {
        if let Some(starts) = &mut self.starts {
            starts.push(&mut self.out, place, start);
        }
        self.count += 1;
        let starts = self.starts.as_ref().map(Starts::header);
        let header = Header { count: self.count, known: self.known, starts };
        self.out.bytes_mut()[..HEADER_BYTES].copy_from_slice(&header.encode());
    }

    /// Encodes the chunk anew with wider spans.
    fn recode(&mut self, positive: &[Span], negative: &[Span]) {
        let mut shape = self.last.shape().clone();
        (shape.positive_spans, shape.negative_spans) = (positive.to_vec(), negative.to_vec());
        let bytes = std::mem::take(&mut self.out).into_bytes();
        const OWN: &str = "a writer reads what it wrote";
        let mut reader = Reader::<H>::begin(&bytes, self.starts.is_some()).expect(OWN);
        let (time, first) = reader.next().expect(OWN).expect("a writer has a sample");
        let first = with_spans(first, &shape);
        let starts = self.starts.map(|_| Starts::default());
        let mut wider = Self::begin(self.known, starts, time, reader.start(), &first);
        while let Some((time, histogram)) = reader.next().expect(OWN) {
            let histogram = with_spans(histogram, &shape);
            wider.append(time, reader.start(), &histogram);
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
        self.known
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
            encoding: if self.starts.is_some() { H::ENCODING_WITH_STARTS } else { H::ENCODING },
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
