//! The samples of one series, block by block, encoded.

use bytes::Bytes;
use model::{TimeRange, Timestamp};
use storage::Samples;
use storage::chunk::{Chunk, ChunkError, Encoding, SAMPLES_PER_CHUNK, xor};

/// A last chunk with fewer samples does not stay alone.
const SMALL_CHUNK: usize = SAMPLES_PER_CHUNK / 4;

/// A chunk that won't change.
#[derive(Debug)]
struct FullChunk {
    min_time: i64,
    max_time: i64,
    data: Box<[u8]>,
}

impl FullChunk {
    fn into_chunk(self) -> Chunk {
        Chunk {
            min_time: Timestamp::from_ms(self.min_time),
            max_time: Timestamp::from_ms(self.max_time),
            encoding: Encoding::Xor,
            data: Bytes::from(self.data),
        }
    }
}

/// What a series has of one block.
#[derive(Debug)]
pub(super) struct Piece {
    /// Which block, counted in block widths since the epoch.
    pub(super) window: i64,
    full: Vec<FullChunk>,
    first_time: i64,
    /// Of the open chunk.
    body: Vec<u8>,
    open: xor::State,
}

/// What a push came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// So many bytes of memory more are in use.
    Taken(usize),
    /// The same sample is here already.
    Repeated,
    OutOfOrder,
    /// Another value at the same time is here.
    Conflict,
}

impl Piece {
    pub(super) fn new(window: i64) -> Self {
        Piece { window, full: Vec::new(), first_time: 0, body: Vec::new(), open: xor::State::default() }
    }

    #[inline]
    pub(super) fn push(&mut self, time: i64, value: f64) -> Pushed {
        let mut more = 0;
        if self.open.is_empty() {
            self.first_time = time;
        } else if time <= self.open.last_time() {
            return match (time == self.open.last_time(), value.to_bits() == self.open.last_value().to_bits()) {
                (true, true) => Pushed::Repeated,
                (true, false) => Pushed::Conflict,
                (false, _) => Pushed::OutOfOrder,
            };
        } else if self.open.len() >= SAMPLES_PER_CHUNK {
            more = self.cut();
            self.first_time = time;
        }
        let room = self.body.capacity();
        if let Some(addition) = self.open.push(time, value) {
            addition.append_to(&mut self.body);
        }
        Pushed::Taken(more + self.body.capacity() - room)
    }

    /// Makes the open chunk a full one. The buffer stays for the next; the answer is the memory of the full one.
    fn cut(&mut self) -> usize {
        let chunk = FullChunk {
            min_time: self.first_time,
            max_time: self.open.last_time(),
            data: [&self.open.header()[..], &self.body].concat().into(),
        };
        let room = self.full.capacity();
        let more = chunk.data.len();
        self.full.push(chunk);
        self.body.clear();
        self.open = xor::State::default();
        more + (self.full.capacity() - room) * size_of::<FullChunk>()
    }

    /// Gives back what memory it can before another block's turn; the answer is how much that was.
    pub(super) fn rest(&mut self) -> usize {
        let room = self.body.capacity();
        self.body.shrink_to_fit();
        room - self.body.capacity()
    }

    /// The time of the first sample.
    pub(super) fn min_time(&self) -> i64 {
        self.full.first().map_or(self.first_time, |chunk| chunk.min_time)
    }

    /// The time of the last sample.
    pub(super) fn max_time(&self) -> i64 {
        self.open.last_time()
    }

    /// The memory that the piece takes.
    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        let data: usize = self.full.iter().map(|chunk| chunk.data.len()).sum();
        size_of::<Piece>() + self.body.capacity() + self.full.capacity() * size_of::<FullChunk>() + data
    }

    /// The chunks, oldest first. A small last one goes into the one before it: its frame and its entry in the index would be
    /// larger than its samples.
    pub(super) fn into_chunks(mut self) -> Result<Vec<Chunk>, ChunkError> {
        if !self.open.is_empty() {
            self.cut();
        }
        let mut chunks: Vec<Chunk> = self.full.into_iter().map(FullChunk::into_chunk).collect();
        if let [.., before, last] = chunks.as_slice()
            && last.sample_count() < SMALL_CHUNK
        {
            let mut samples = Samples::default();
            before.decode(TimeRange::ALL, &mut samples)?;
            last.decode(TimeRange::ALL, &mut samples)?;
            let mut writer = xor::Writer::default();
            for (time, value) in samples.times.iter().zip(&samples.values) {
                writer.push(*time, *value);
            }
            chunks.truncate(chunks.len() - 2);
            chunks.extend(writer.finish());
        }
        Ok(chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_in_chunks_of_120() {
        let check = |samples: i64, want: &[usize]| {
            let mut piece = Piece::new(0);
            for t in 0..samples {
                assert!(matches!(piece.push(t, t as f64), Pushed::Taken(_)));
            }
            let (mut read, mut counts) = (Samples::default(), Vec::new());
            for chunk in piece.into_chunks().expect("valid") {
                counts.push(chunk.sample_count());
                chunk.decode(TimeRange::ALL, &mut read).expect("valid");
                assert_eq!(read.times.last(), Some(&chunk.max_time.as_ms()));
            }
            assert_eq!(counts, want, "{samples}");
            assert_eq!(read.times, (0..samples).collect::<Vec<_>>());
        };
        check(1, &[1]);
        check(120, &[120]);
        check(121, &[121]);
        check(149, &[149]);
        check(150, &[120, 30]);
        check(241, &[120, 121]);
        check(300, &[120, 120, 60]);
    }

    #[test]
    fn tells_repeats_from_conflicts() {
        let mut piece = Piece::new(0);
        assert!(matches!(piece.push(299, 299.0), Pushed::Taken(_)));
        assert_eq!(piece.push(299, 299.0), Pushed::Repeated);
        assert_eq!(piece.push(299, 5.0), Pushed::Conflict);
        assert_eq!(piece.push(298, 298.0), Pushed::OutOfOrder);
    }

    #[test]
    fn the_memory_is_what_was_told() {
        let mut piece = Piece::new(0);
        let mut told = size_of::<Piece>();
        for t in 0..1000 {
            let Pushed::Taken(more) = piece.push(t * 1000, (t as f64).sin()) else { panic!("in order") };
            told += more;
        }
        assert_eq!(piece.memory_bytes(), told);
        told -= piece.rest();
        assert_eq!(piece.memory_bytes(), told);
    }
}
