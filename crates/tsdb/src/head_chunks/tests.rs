use std::fs;
use std::path::Path;

use model::TimeRange;
use proptest::prelude::*;
use storage::Samples;
use storage::chunk::{Encoding, xor};

use super::ChunkPlace;
use super::load::{LoadedChunks, open};
use super::store::{HeadChunks, NewChunk};

/// A chunk of one sample in every 10 ms from `start` on.
fn data(start: i64, samples: i64) -> Vec<u8> {
    let mut writer = xor::Writer::default();
    (0..samples).for_each(|i| assert!(writer.push(start + i * 10, (start + i) as f64)));
    writer.bytes().to_vec()
}

fn append(store: &HeadChunks, series: u64, start: i64, samples: i64, late: bool) -> ChunkPlace {
    let range = (start, start + (samples - 1) * 10);
    let data = data(start, samples);
    store.append(NewChunk { series, range, encoding: Encoding::Xor, late, data: &data })
}

fn check(store: &HeadChunks, place: ChunkPlace, start: i64, samples: i64) {
    let chunk = store.reader().read(place).expect("readable");
    assert_eq!(store.copier().read(place).expect("readable").data, chunk.data);
    let mut out = Samples::default();
    chunk.decode(TimeRange::ALL, &mut out).expect("valid");
    assert_eq!(out.times, (0..samples).map(|i| start + i * 10).collect::<Vec<_>>());
    assert_eq!((chunk.min_time.as_ms(), chunk.max_time.as_ms()), (start, start + (samples - 1) * 10));
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .expect("a folder")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    names
}

fn fresh() -> (tempfile::TempDir, HeadChunks) {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, loaded) = open(dir.path(), i64::MIN).expect("opens");
    assert_eq!((loaded.chunks, loaded.last_series), (0, 0));
    (dir, store)
}

fn times(loaded: &mut LoadedChunks) -> Vec<(u64, i64, bool)> {
    loaded.take().iter().map(|chunk| (chunk.series, chunk.min_time, chunk.late)).collect()
}

#[test]
fn a_chunk_is_readable_before_while_and_after_it_is_written() {
    let (dir, store) = fresh();
    let first = append(&store, 1, 0, 5, false);
    check(&store, first, 0, 5);
    assert!(names(dir.path()).is_empty());
    store.flush().expect("written");
    let second = append(&store, 2, 100, 7, true);
    check(&store, first, 0, 5);
    check(&store, second, 100, 7);
    store.flush().expect("written");
    let third = append(&store, 1, 200, 120, false);
    for (place, start, samples) in [(first, 0, 5), (second, 100, 7), (third, 200, 120)] {
        check(&store, place, start, samples);
    }
    assert_eq!(names(dir.path()), ["000001"]);
    // The death of the process takes what was not written, and no more.
    let (store, mut loaded) = open(dir.path(), i64::MIN).expect("opens");
    assert_eq!((loaded.chunks, loaded.last_series, loaded.damages), (2, 2, 0));
    assert!(loaded.is_late(second) && !loaded.is_late(first));
    check(&store, first, 0, 5);
    check(&store, second, 100, 7);
    assert_eq!(times(&mut loaded), [(1, 0, false), (2, 100, true)]);
    assert_eq!(append(&store, 3, 0, 1, false).file(), 2);
}

#[test]
fn a_copy_is_whole_however_long_the_chunk_is() {
    let (_dir, store) = fresh();
    let lengths = [1, 470, 480, 490, 500, 512, 2000, 70_000];
    let places = lengths.map(|len| {
        store.append(NewChunk { series: 1, range: (0, 9), encoding: Encoding::Xor, late: false, data: &vec![7; len] })
    });
    store.flush().expect("written");
    for (place, len) in places.iter().zip(lengths) {
        let copy = store.copier().read(*place).expect("readable");
        assert_eq!((copy.data.len(), copy.data), (len, store.reader().read(*place).expect("readable").data));
    }
    assert!(store.copier().read(ChunkPlace::new(1, 1 << 20)).is_err());
}

#[test]
fn files_go_from_the_oldest_on_and_the_newest_stays() {
    let (dir, store) = fresh();
    let mut places = Vec::new();
    for i in 0..4 {
        places.push(append(&store, 1, i * 1000, 3, false));
        store.delete_before(0).expect("nothing deleted"); // ends the file
    }
    assert_eq!(names(dir.path()), ["000001", "000002", "000003", "000004"]);
    store.delete_before(places[2].file()).expect("deleted");
    assert_eq!(names(dir.path()), ["000003", "000004"]);
    check(&store, places[2], 2000, 3);
    assert!(store.reader().read(places[0]).is_err());
    store.delete_before(u32::MAX).expect("deleted");
    assert_eq!(names(dir.path()), ["000004"]);
    store.forget_pages();
    check(&store, places[3], 3000, 3);
    let (store, loaded) = open(dir.path(), 3021).expect("opens");
    assert_eq!((loaded.chunks, loaded.last_series), (0, 1), "in a block, but its number is remembered");
    assert_eq!(append(&store, 2, 0, 1, false).file(), 5);
}

/// Three files of four chunks each.
fn three_files(dir: &Path) -> Vec<ChunkPlace> {
    let (store, _) = open(dir, i64::MIN).expect("opens");
    let mut places = Vec::new();
    for i in 0..12 {
        places.push(append(&store, 1 + i % 2, i as i64 * 1000, 20, i == 5));
        if i % 4 == 3 {
            store.delete_before(0).expect("flushed");
        }
    }
    places
}

#[test]
fn what_is_before_damage_stays_and_what_is_behind_goes() {
    let whole = tempfile::tempdir().expect("a folder");
    let places = three_files(whole.path());
    let second = fs::read(whole.path().join("000002")).expect("a file");
    for at in (0..second.len()).step_by(7) {
        for torn in [false, true] {
            let dir = tempfile::tempdir().expect("a folder");
            for name in ["000001", "000003"] {
                fs::copy(whole.path().join(name), dir.path().join(name)).expect("copied");
            }
            let mut bytes = second.clone();
            if torn {
                bytes.truncate(at);
            } else {
                bytes[at] ^= 0x55;
            }
            fs::write(dir.path().join("000002"), bytes).expect("written");
            let intact = places.iter().filter(|place| place.file() == 2).skip(1).map(|p| p.as_u64() as u32 as usize);
            let whole_of_second =
                if at < 8 { 0 } else { intact.chain([second.len()]).filter(|end| *end <= at).count() };
            let (_, loaded) = open(dir.path(), i64::MIN).expect("opens");
            let clean_cut =
                torn && places.iter().any(|place| place.file() == 2 && place.as_u64() as u32 as usize == at);
            let filling = !torn && (5..8).contains(&at);
            let want = match (clean_cut, filling) {
                (true, _) => 4 + whole_of_second as u64 + 4,
                (_, true) => 12,
                _ => 4 + whole_of_second as u64,
            };
            assert_eq!(loaded.chunks, want, "at {at}, torn {torn}");
            assert_eq!(loaded.damages, u64::from(!clean_cut && !filling), "at {at}, torn {torn}");
            let (_, again) = open(dir.path(), i64::MIN).expect("opens");
            assert_eq!((again.damages, again.chunks), (0, want), "it is repaired, at {at}");
        }
    }
}

#[test]
fn zeros_at_the_end_are_filling() {
    let dir = tempfile::tempdir().expect("a folder");
    three_files(dir.path());
    let longer = |name: &str, bytes: usize, last: u8| {
        let mut content = fs::read(dir.path().join(name)).expect("a file");
        content.resize(bytes, 0);
        *content.last_mut().expect("a byte") = last;
        fs::write(dir.path().join(name), content).expect("written");
    };
    longer("000001", 128 << 10, 0);
    longer("000002", 128 << 10, 0);
    longer("000003", 1 << 20, 0);
    assert_eq!(open(dir.path(), i64::MIN).expect("opens").1.chunks, 12);
    longer("000002", 100 << 10, 0);
    let loaded = open(dir.path(), i64::MIN).expect("opens").1;
    assert_eq!((loaded.chunks, loaded.damages), (8, 1), "not what Prometheus makes: something was not written");
    longer("000001", 128 << 10, 1);
    let loaded = open(dir.path(), i64::MIN).expect("opens").1;
    assert_eq!((loaded.chunks, loaded.damages), (4, 1));
}

#[test]
fn a_missing_file_ends_what_is_taken() {
    let dir = tempfile::tempdir().expect("a folder");
    three_files(dir.path());
    fs::remove_file(dir.path().join("000002")).expect("removed");
    let loaded = open(dir.path(), i64::MIN).expect("opens").1;
    assert_eq!((loaded.chunks, loaded.damages), (4, 1));
    assert_eq!(names(dir.path()), ["000001"]);
}

#[test]
fn an_unknown_encoding_costs_the_rest_of_its_series_and_no_other() {
    let (dir, store) = fresh();
    append(&store, 1, 0, 5, false);
    let unknown = append(&store, 1, 100, 5, false);
    append(&store, 1, 200, 5, false);
    append(&store, 2, 0, 5, false);
    store.flush().expect("written");
    let path = dir.path().join("000001");
    let mut bytes = fs::read(&path).expect("a file");
    let (at, len) = (unknown.as_u64() as u32 as usize, 24 + 1 + 1 + data(100, 5).len());
    bytes[at + 24] = 7;
    let crc = crc32c::crc32c(&bytes[at..at + len]);
    bytes[at + len..at + len + 4].copy_from_slice(&crc.to_be_bytes());
    fs::write(&path, bytes).expect("written");
    let mut loaded = open(dir.path(), i64::MIN).expect("opens").1;
    assert_eq!((loaded.chunks, loaded.refused, loaded.damages), (2, 2, 0));
    assert_eq!(times(&mut loaded), [(1, 0, false), (2, 0, false)]);
}

#[test]
fn a_failed_write_keeps_chunks_readable_and_is_made_up_for() {
    let (dir, store) = fresh();
    let first = append(&store, 1, 0, 5, false);
    // A folder in the file's place: it can't be created.
    fs::create_dir(dir.path().join("000001")).expect("folder");
    assert!(store.flush().is_err());
    let second = append(&store, 1, 100, 5, false);
    assert!(store.flush().is_err());
    check(&store, first, 0, 5);
    check(&store, second, 100, 5);
    fs::remove_dir(dir.path().join("000001")).expect("removed");
    store.flush().expect("written");
    check(&store, first, 0, 5);
    check(&store, second, 100, 5);
    assert_eq!(open(dir.path(), i64::MIN).expect("opens").1.chunks, 2);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), header in any::<bool>()) {
        let dir = tempfile::tempdir().expect("a folder");
        if header {
            bytes.splice(0..0, super::format::file_header());
        }
        fs::write(dir.path().join("000001"), &bytes).expect("written");
        let (store, loaded) = open(dir.path(), i64::MIN).expect("opens");
        prop_assert!(loaded.chunks <= bytes.len() as u64 / 30);
        for offset in 0..bytes.len() as u32 {
            let _ = store.reader().read(ChunkPlace::new(1, offset));
        }
    }
}
