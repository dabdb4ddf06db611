//! The open chunk of a series on its way into a snapshot and back.

use storage::chunk::{Chunk, ChunkError, Encoding, Value, xor};

use super::{SAMPLES_PER_CHUNK, SeriesState};
use crate::chunk_snapshot::OpenData;
use crate::head::cutting::{Cutting, predicted_cut, range_end};

impl SeriesState {
    /// The value of the newest sample, if it is in the open chunk.
    pub(in crate::head) fn last_open_value(&self) -> Option<Value> {
        if !self.open.is_empty() {
            return Some(Value::Float(self.open.last_value()));
        }
        let chunk = self.open_chunk(model::TimeRange::ALL)?.to_chunk();
        let (mut values, mut last) = (chunk.values(), None);
        // It was written by this process: it can be read to its end.
        while let Ok(Some((_, value))) = values.next() {
            last = Some(value);
        }
        last
    }

    /// Takes over the open chunk of a snapshot, after the full chunks. Samples that one of these has, or that are before
    /// `min_valid`, are left out: after the snapshot was taken the chunk may have been gone on with, become full and been written.
    /// The answer is the times of the first and the last sample that were taken.
    pub(in crate::head) fn restore_open(
        &mut self,
        open: OpenData<'_>,
        min_valid: i64,
        cutting: &Cutting<'_>,
    ) -> Result<Option<(i64, i64)>, ChunkError> {
        let range = (open.range.min.as_ms(), open.range.max.as_ms());
        if range.1 < min_valid {
            return Ok(None);
        }
        let is_next = range.0 >= min_valid && self.newest().is_none_or(|newest| newest < range.0);
        if is_next && self.has_no_open_chunk() && self.resume(open, cutting)? {
            return Ok(Some(range));
        }
        self.append_open(&open.into(), min_valid, cutting)
    }

    /// Goes on with a chunk of floats that comes after everything; tells whether it is one that could have been begun here.
    fn resume(&mut self, open: OpenData<'_>, cutting: &Cutting<'_>) -> Result<bool, ChunkError> {
        let samples = xor::sample_count(open.data);
        let (first, last) = (open.range.min.as_ms(), open.range.max.as_ms());
        let end = range_end(first, cutting.chunk_range_ms);
        if open.encoding != Encoding::Xor || samples > SAMPLES_PER_CHUNK * 2 || last >= end {
            return Ok(false);
        }
        let (mut at, mut quarter) = (0, None);
        let (state, body) = xor::State::resume(open.data, |time| {
            at += 1;
            if at == SAMPLES_PER_CHUNK / 4 {
                quarter = Some(time);
            }
        })?;
        // Where the chunk ends was foreseen when a quarter of it was there.
        let foreseen = quarter.filter(|_| at > SAMPLES_PER_CHUNK / 4).map(|now| predicted_cut(first, now, end, 4.0));
        self.next_cut = foreseen.unwrap_or(end);
        self.open = state;
        self.write_open(0, body);
        Ok(true)
    }

    /// The same sample by sample, for what is left of a chunk.
    fn append_open(
        &mut self,
        chunk: &Chunk,
        min_valid: i64,
        cutting: &Cutting<'_>,
    ) -> Result<Option<(i64, i64)>, ChunkError> {
        let (mut taken, mut seen) = (None, i64::MIN);
        let mut values = chunk.values();
        while let Some((time, value)) = values.next()? {
            // Full chunks may follow that were begun before this one was known, while a start was under way.
            if time < min_valid || !self.misses(time, &mut seen, cutting) {
                continue;
            }
            match value {
                Value::Float(value) => drop(self.push(time, value, cutting)),
                Value::Histogram(histogram) => drop(self.push_histogram(time, &histogram, cutting)),
            }
            let first = taken.map_or(time, |(first, _)| first);
            taken = Some((first, time));
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use model::TimeRange;

    use super::*;
    use crate::head::series::Verdict;
    use crate::head_chunks::{self, HeadChunks};

    const RANGE_MS: i64 = 10_000;

    fn store() -> (tempfile::TempDir, HeadChunks) {
        let dir = tempfile::tempdir().expect("a folder");
        let (chunks, _) = head_chunks::open(dir.path(), i64::MIN).expect("opens");
        (dir, chunks)
    }

    fn times(state: &SeriesState, chunks: &HeadChunks) -> Vec<i64> {
        let reader = chunks.reader();
        let full = state.full_chunks(TimeRange::ALL).map(|full| reader.read(full.place).expect("a chunk"));
        let mut times = Vec::new();
        for chunk in full.chain(state.open_chunk(TimeRange::ALL).map(|open| open.to_chunk())) {
            let mut values = chunk.values();
            while let Some((time, value)) = values.next().expect("valid") {
                assert_eq!(value, Value::Float(time as f64));
                times.push(time);
            }
        }
        times
    }

    /// A snapshot's open chunk has the samples `open`; `full` are the full chunks that are found.
    #[test]
    fn no_sample_is_lost_or_comes_twice_whatever_happened_since() {
        let check = |full: &[&[i64]], open: &[i64], min_valid: i64, want: &[i64]| {
            let (_dir, chunks) = store();
            let cutting = Cutting { chunk_range_ms: RANGE_MS, chunks: &chunks };
            let mut state = SeriesState::new(1);
            for times in full {
                times.iter().for_each(|time| _ = state.push(*time, *time as f64, &cutting));
                state.cut(&cutting);
            }
            let mut before = SeriesState::new(1);
            open.iter().for_each(|time| _ = before.push(*time, *time as f64, &cutting));
            assert_eq!(before.chunk_count(), 1);
            let chunk = before.open_chunk(TimeRange::ALL).expect("there is one").to_chunk();
            let range = TimeRange::new(chunk.min_time, chunk.max_time);
            let data = OpenData { range, encoding: chunk.encoding, data: &chunk.data };
            let taken = state.restore_open(data, min_valid, &cutting).expect("valid");
            state.end_restoring(&cutting);
            assert_eq!(times(&state, &chunks), want, "{full:?} {open:?}");
            assert_eq!(taken.is_some(), want.len() > full.iter().map(|times| times.len()).sum());
            assert!(state.full.is_sorted_by_key(|full| full.min_time));
            // And it goes on.
            let next = state.newest().unwrap_or(0) + 1;
            assert_eq!(state.verdict(next, 0.0), Verdict::Fits);
            state.push(next, next as f64, &cutting);
            assert_eq!(times(&state, &chunks).last(), Some(&next));
        };
        check(&[], &[5, 6, 7], 0, &[5, 6, 7]);
        check(&[&[1, 2]], &[5, 6, 7], 0, &[1, 2, 5, 6, 7]);
        // It became full: as it was, or with more.
        check(&[&[1, 2], &[5, 6, 7]], &[5, 6, 7], 0, &[1, 2, 5, 6, 7]);
        check(&[&[1, 2], &[5, 6, 7, 8]], &[5, 6, 7], 0, &[1, 2, 5, 6, 7, 8]);
        check(&[&[5, 6, 7, 8], &[9, 10]], &[5, 6, 7], 0, &[5, 6, 7, 8, 9, 10]);
        // Another program cut its chunks elsewhere.
        check(&[&[1, 2, 5, 6]], &[5, 6, 7], 0, &[1, 2, 5, 6, 7]);
        // A full chunk of later samples is there, and the one before it is not.
        check(&[&[1, 2], &[9, 10]], &[5, 6, 7], 0, &[1, 2, 5, 6, 7, 9, 10]);
        check(&[&[6, 9]], &[5, 6, 7, 12], 0, &[5, 6, 9, 12]);
        // A part of it, or all, is in a block.
        check(&[], &[5, 6, 7], 6, &[6, 7]);
        check(&[&[1, 2]], &[5, 6, 7], 8, &[1, 2]);
    }

    #[test]
    fn chunks_end_where_they_would_have_ended() {
        let (_dir, chunks) = store();
        let cutting = Cutting { chunk_range_ms: RANGE_MS, chunks: &chunks };
        for stopped_at in [1, 2, 29, 30, 31, 100, 119, 120, 121, 300] {
            let mut through = SeriesState::new(1);
            let mut stopped = SeriesState::new(1);
            for time in 0..500_i64 {
                let time = time * 25;
                through.push(time, time as f64, &cutting);
                if time / 25 == stopped_at {
                    let chunk = stopped.open_chunk(TimeRange::ALL).expect("there is one").to_chunk();
                    let range = TimeRange::new(chunk.min_time, chunk.max_time);
                    let data = OpenData { range, encoding: chunk.encoding, data: &chunk.data };
                    stopped.drop_open();
                    assert_eq!(
                        stopped.restore_open(data, 0, &cutting),
                        Ok(Some((range.min.as_ms(), range.max.as_ms())))
                    );
                }
                stopped.push(time, time as f64, &cutting);
            }
            let shape =
                |state: &SeriesState| state.full.iter().map(|full| (full.min_time, full.max_time)).collect::<Vec<_>>();
            assert_eq!(shape(&stopped), shape(&through), "{stopped_at}");
            assert_eq!(times(&stopped, &chunks), times(&through, &chunks), "{stopped_at}");
        }
    }
}
