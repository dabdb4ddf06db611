use super::*;

const HOUR_MS: i64 = 3_600_000;

/// A store of full chunks whose folder lives as long.
fn store() -> (tempfile::TempDir, HeadChunks) {
    let dir = tempfile::tempdir().expect("a folder");
    let (chunks, _) = crate::head_chunks::open(dir.path(), i64::MIN).expect("opens");
    (dir, chunks)
}

#[test]
fn a_series_state_is_small() {
    assert_eq!(size_of::<SeriesState>(), 96);
    assert_eq!(size_of::<FullChunk>(), 24);
}

#[test]
fn buffers_are_as_long_as_what_is_allocated() {
    for (bytes, want) in [(1, 32), (33, 64), (65, 96), (128, 128), (129, 160), (257, 320), (1000, 1024)] {
        assert_eq!(allocated(bytes), want);
    }
}

#[test]
fn chunks_are_cut_as_prometheus_cuts_them() {
    let (_dir, chunks) = store();
    let cutting = Cutting { chunk_range_ms: 2 * HOUR_MS, chunks: &chunks };
    let check = |interval: i64, count: i64, want: &[usize]| {
        let mut series = SeriesState::new(1);
        for i in 0..count {
            series.push(i * interval, 1.0, &cutting);
        }
        let reader = chunks.reader();
        let full = series.full_chunks(TimeRange::ALL).map(|chunk| reader.read(chunk.place).expect("a chunk"));
        let mut got: Vec<usize> = full.map(|chunk| chunk.sample_count()).collect();
        got.extend(series.open_chunk(TimeRange::ALL).map(|open| open.to_chunk().sample_count()));
        assert_eq!(got, want, "every {interval} ms");
    };
    // Each 15 s: 480 samples in two hours make four chunks of 120.
    check(15_000, 481, &[120, 120, 120, 120, 1]);
    // Each 60 s: one chunk of 120 in two hours.
    check(60_000, 121, &[120, 1]);
    // Each 10 min: the range's end cuts.
    check(600_000, 13, &[12, 1]);
}

#[test]
fn tells_repeats_from_conflicts() {
    let (_dir, chunks) = store();
    let cutting = Cutting { chunk_range_ms: HOUR_MS, chunks: &chunks };
    let mut series = SeriesState::new(1);
    assert_eq!(series.verdict(0, 1.0), Verdict::Fits);
    series.push(10, 1.0, &cutting);
    assert_eq!(series.verdict(10, 1.0), Verdict::Repeated);
    assert_eq!(series.verdict(10, 2.0), Verdict::Conflict);
    assert_eq!(series.verdict(9, 1.0), Verdict::OutOfOrder);
    assert_eq!(series.truncate(11), 1);
    assert_eq!(series.chunk_count(), 0);
}

fn histogram(count: u64, is_float: bool) -> NativeHistogram {
    let buckets = model::Buckets { positive_spans: vec![model::Span { offset: 0, length: 1 }], ..Default::default() };
    let sum = count as f64;
    if is_float {
        let positive = vec![count as f64];
        let float = model::FloatHistogram { count: sum, sum, buckets, positive, ..Default::default() };
        NativeHistogram::Float(Box::new(float))
    } else {
        let positive = vec![count as i64];
        NativeHistogram::Int(Box::new(model::Histogram { count, sum, buckets, positive, ..Default::default() }))
    }
}

#[test]
fn kinds_of_samples_have_chunks_of_their_own_and_come_back_exactly() {
    let (_dir, chunks) = store();
    let cutting = Cutting { chunk_range_ms: 2 * HOUR_MS, chunks: &chunks };
    let mut series = SeriesState::new(1);
    let mut want = Vec::new();
    for i in 0..1500_i64 {
        let (time, value) = match i {
            0..10 => (i * 1000, Value::Float(i as f64)),
            10..700 => (i * 1000, Value::Histogram(histogram(i as u64, false))),
            700..1200 => (i * 1000, Value::Histogram(histogram(1200 - i as u64, true))), // resets each time
            _ => (i * 1000, Value::Float(i as f64)),
        };
        match &value {
            Value::Float(float) => {
                assert_eq!(series.verdict(time, *float), Verdict::Fits);
                series.push(time, *float, &cutting);
                assert_eq!(series.verdict(time, *float), Verdict::Repeated);
                assert_eq!(series.verdict_histogram(time, &histogram(1, false)), Verdict::Conflict);
                assert_eq!(series.open_encoding(), Some(Encoding::Xor));
            }
            Value::Histogram(histogram) => {
                assert_eq!(series.verdict_histogram(time, histogram), Verdict::Fits);
                series.push_histogram(time, histogram, &cutting);
                assert_eq!(series.verdict_histogram(time, histogram), Verdict::Repeated);
                assert_eq!(series.verdict(time, 1.0), Verdict::Conflict);
                assert_eq!(series.verdict(time - 1, 1.0), Verdict::OutOfOrder);
            }
        }
        want.push((time, value));
    }
    let reader = chunks.reader();
    let full = series.full_chunks(TimeRange::ALL).map(|chunk| reader.read(chunk.place).expect("a chunk"));
    let all: Vec<Chunk> = full.chain(series.open_chunk(TimeRange::ALL).map(|open| open.to_chunk())).collect();
    assert_eq!(series.chunk_count(), all.len());
    let long = all.iter().filter(|chunk| chunk.encoding == Encoding::Histogram && chunk.data.len() > 500).count();
    assert!(long >= 1, "{:?}", all.iter().map(|chunk| chunk.data.len()).collect::<Vec<_>>());
    assert!(all.iter().all(|chunk| chunk.data.len() < 3000));
    let mut got = Vec::new();
    for chunk in &all {
        let mut values = chunk.values();
        while let Some(sample) = values.next().expect("valid") {
            got.push(sample);
        }
    }
    assert_eq!(got.len(), want.len());
    for ((got_time, got), (time, want)) in got.iter().zip(&want) {
        let same = match (got, want) {
            (Value::Histogram(NativeHistogram::Int(got)), Value::Histogram(NativeHistogram::Int(want))) => {
                (got.count, &got.positive) == (want.count, &want.positive)
            }
            (Value::Histogram(NativeHistogram::Float(got)), Value::Histogram(NativeHistogram::Float(want))) => {
                (got.count, &got.positive) == (want.count, &want.positive)
            }
            (got, want) => got == want,
        };
        assert!(same && got_time == time, "{got:?} is not {want:?}");
    }
    assert!(series.truncate(i64::MAX) >= all.len());
    assert_eq!((series.chunk_count(), series.newest()), (0, None));
}
