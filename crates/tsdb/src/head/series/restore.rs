//! A series at start: the full chunks that were found, the log's samples that these don't hold, and what was appended meanwhile.
//!
//! Mostly the chunks hold everything up to the last of them. But chunks are written in the order in which they became full, and while a
//! start is under way, a chunk of new samples may be full before the older ones that are still being read. After a death there is
//! a gap before such a chunk, and only the log has what belongs there.

use model::TimeRange;
use storage::chunk::Value;

use super::{IN_GAP, LOGGED, SeriesState, Verdict};
use crate::head::cutting::Cutting;
use crate::head::full::FullChunk;
use crate::head::native::OpenHistogram;
use crate::head_chunks::LoadedChunk;

impl SeriesState {
    /// Whether the log's sample at `time` is to be appended: it was in order when it was logged, and no chunk has it. The open chunk
    /// is closed first if a full one lies between the two. `seen` is the newest time of the series that the log has shown so far,
    /// `i64::MIN` in the beginning.
    #[inline]
    pub(in crate::head) fn misses(&mut self, time: i64, seen: &mut i64, cutting: &Cutting<'_>) -> bool {
        let last = self.last_open_time();
        if let Some(last) = last
            && self.flags & IN_GAP == 0
        {
            return time > last;
        }
        if time <= *seen {
            return false;
        }
        *seen = time;
        let next = self.full.partition_point(|full| full.max_time < time);
        if self.full.get(next).is_some_and(|full| full.min_time <= time) {
            return false;
        }
        if last.is_some_and(|last| next > 0 && self.full[next - 1].min_time > last) {
            self.close_open(cutting);
        }
        self.set_in_gap(next < self.full.len());
        true
    }

    /// Says that the log has been read: what is open may be gone on with only behind all full chunks.
    pub(in crate::head) fn end_restoring(&mut self, cutting: &Cutting<'_>) {
        if self.flags & IN_GAP != 0 {
            self.set_in_gap(false);
            self.close_open(cutting);
        }
    }

    fn set_in_gap(&mut self, is_in_gap: bool) {
        self.flags = self.flags & LOGGED | if is_in_gap { IN_GAP } else { 0 };
    }

    /// Makes the open chunk a full one.
    pub(super) fn close_open(&mut self, cutting: &Cutting<'_>) {
        self.cut(cutting);
        let histogram = self.rare.as_mut().and_then(|rare| rare.histogram.take());
        self.add_full_histogram(histogram, cutting);
    }

    /// Takes over chunks that were found in files. What overlaps with others is kept among the late ones, which may.
    pub(in crate::head) fn attach(&mut self, chunks: &[LoadedChunk]) {
        let mut in_order: Vec<FullChunk> = std::mem::take(&mut self.full).into_vec();
        in_order.reserve_exact(chunks.iter().filter(|chunk| !chunk.late).count());
        let open = self.open_range();
        for chunk in chunks {
            let full = FullChunk::from(*chunk);
            // A series with two numbers in the log has chunks under both, so the older may come second.
            let at = in_order.partition_point(|other| other.max_time < full.min_time);
            let fits = in_order.get(at).is_none_or(|next| full.max_time < next.min_time)
                && open.is_none_or(|open| full.max_time < open.min.as_ms());
            if fits && !chunk.late {
                in_order.insert(at, full);
            } else {
                self.late_mut().attach(full);
            }
        }
        self.full = in_order.into();
    }

    /// Goes on with what was appended to `live`, the state of the same series since the start, while this one was read from the
    /// log. The answer is those of its samples that are older than the newest one here.
    pub(in crate::head) fn continue_with(&mut self, live: SeriesState, cutting: &Cutting<'_>) -> Vec<(i64, Value)> {
        (self.pending, self.flags, self.followed) = (live.pending, live.flags & LOGGED, live.followed);
        let mut older = Vec::new();
        for full in &live.full {
            self.close_open(cutting);
            match self.newest() {
                Some(newest) if newest >= full.min_time => self.late_mut().attach(*full),
                _ => self.add_full(*full),
            }
        }
        if let Some(open) = live.open_chunk(TimeRange::ALL) {
            let chunk = open.to_chunk();
            let mut values = chunk.values();
            // An open chunk was written by this process: it can be read to its end.
            while let Ok(Some((time, value))) = values.next() {
                let fits = match &value {
                    Value::Float(value) => self.verdict(time, *value),
                    Value::Histogram(histogram) => self.verdict_histogram(time, histogram),
                };
                match (fits, value) {
                    (Verdict::Fits, Value::Float(value)) => {
                        self.push(time, value, cutting);
                    }
                    (Verdict::Fits, Value::Histogram(histogram)) => {
                        self.push_histogram(time, &histogram, cutting);
                    }
                    (Verdict::Repeated, _) => {}
                    (_, value) => older.push((time, value)),
                }
            }
        }
        if let Some(rare) = live.rare {
            rare.late.full().iter().for_each(|full| self.late_mut().attach(*full));
            for (time, value) in rare.late.into_samples() {
                self.late_mut().insert(time, value);
            }
        }
        older
    }

    fn last_open_time(&self) -> Option<i64> {
        if self.open.is_empty() {
            return self.open_histogram().map(OpenHistogram::last_time);
        }
        Some(self.open.last_time())
    }
}

#[cfg(test)]
mod tests {
    use model::{Histogram, NativeHistogram, TimeRange};
    use proptest::prelude::*;
    use storage::chunk::Value;

    use super::*;
    use crate::head::full::FullChunk;
    use crate::head_chunks;

    const RANGE_MS: i64 = 10_000;

    fn append(state: &mut SeriesState, time: i64, is_histogram: bool, cutting: &Cutting<'_>) {
        if is_histogram {
            let histogram = NativeHistogram::Int(Box::new(Histogram { zero_count: 0, ..Histogram::default() }));
            state.push_histogram(time, &histogram, cutting);
        } else {
            state.push(time, time as f64, cutting);
        }
    }

    proptest! {
        /// Whichever full chunks are found, the log brings the rest, and every sample is there once.
        #[test]
        fn gaps_are_filled(
            runs in proptest::collection::vec((1..300_i64, any::<bool>(), any::<bool>()), 1..8),
            step in prop_oneof![Just(10_i64), Just(100), Just(3000)],
        ) {
            let dir = tempfile::tempdir().expect("a folder");
            let (chunks, _) = head_chunks::open(dir.path(), i64::MIN).expect("opens");
            let cutting = Cutting { chunk_range_ms: RANGE_MS, chunks: &chunks };
            let (mut log, mut before) = (Vec::new(), SeriesState::new(1));
            for (samples, is_histogram, _) in &runs {
                for _ in 0..*samples {
                    log.push((log.len() as i64 * step, *is_histogram));
                    append(&mut before, log[log.len() - 1].0, *is_histogram, &cutting);
                }
            }
            let is_found = |at: usize| runs[at % runs.len()].2;
            let found: Vec<FullChunk> = before.full_chunks(TimeRange::ALL).collect();
            let found: Vec<FullChunk> = found.into_iter().enumerate().filter(|(at, _)| is_found(*at)).map(|(_, full)| full).collect();
            let (mut state, mut seen) = (SeriesState { full: found.into(), ..SeriesState::new(1) }, i64::MIN);
            for (time, is_histogram) in &log {
                if state.misses(*time, &mut seen, &cutting) {
                    append(&mut state, *time, *is_histogram, &cutting);
                }
                // What was out of order when it was logged stays out.
                prop_assert!(!state.misses(*time, &mut seen, &cutting) && !state.misses(*time - 1, &mut seen, &cutting));
            }
            state.end_restoring(&cutting);
            let reader = chunks.reader();
            let full = state.full_chunks(TimeRange::ALL).map(|full| reader.read(full.place).expect("a chunk"));
            let mut got = Vec::new();
            for chunk in full.chain(state.open_chunk(TimeRange::ALL).map(|open| open.to_chunk())) {
                let mut values = chunk.values();
                while let Some((time, value)) = values.next().expect("valid") {
                    got.push((time, matches!(value, Value::Histogram(_))));
                }
            }
            prop_assert_eq!(got, log);
            prop_assert!(state.full.is_sorted_by(|one, next| one.max_time < next.min_time), "{:?}", state.full);
        }
    }
}
