//! The ring against a plain list that follows the same rules.

use model::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn exemplar(time: i64, value: f64) -> Exemplar {
    Exemplar { labels: Labels::from_pairs([("trace_id", "a")]), value, time: Timestamp::from_ms(time) }
}

fn labels(reference: u64) -> Labels {
    Labels::from_pairs([("__name__", "m".to_owned()), ("i", reference.to_string())])
}

fn times(ring: &ExemplarRing, reference: u64) -> Vec<i64> {
    let matchers = vec![vec![Matcher::equal("i", reference.to_string())]];
    let found = ring.select(&matchers, TimeRange::ALL);
    found.iter().flat_map(|series| &series.exemplars).map(|exemplar| exemplar.time.as_ms()).collect()
}

#[test]
fn an_entry_takes_48_bytes() {
    assert_eq!(size_of::<Entry>(), 48);
}

#[test]
fn the_first_go_when_the_ring_is_full() {
    let mut ring = ExemplarRing::new(3, 0);
    for (reference, time) in [(1, 10), (2, 20), (1, 30), (1, 40), (3, 50)] {
        assert_eq!(ring.push(reference, || labels(reference), &exemplar(time, 1.0)), ExemplarVerdict::Fits);
    }
    assert_eq!((times(&ring, 1), times(&ring, 2), times(&ring, 3)), (vec![30, 40], vec![], vec![50]));
    assert_eq!(ring.stats(), ExemplarStats { exemplars: 3, series: 2, first_ms: 30 });
}

#[test]
fn repeats_and_late_ones() {
    let check = |window: i64, next: Exemplar, want: ExemplarVerdict| {
        let mut ring = ExemplarRing::new(10, window);
        for time in [100, 200] {
            ring.push(1, || labels(1), &exemplar(time, 1.0));
        }
        assert_eq!(ring.push(1, || labels(1), &next), want, "{next:?} in a window of {window}");
    };
    check(0, exemplar(200, 1.0), ExemplarVerdict::Ignored);
    check(0, exemplar(300, 1.0), ExemplarVerdict::Fits);
    check(0, exemplar(200, 2.0), ExemplarVerdict::Fits); // another bucket of a native histogram
    check(0, exemplar(200, 0.5), ExemplarVerdict::OutOfOrder);
    check(0, exemplar(199, 1.0), ExemplarVerdict::OutOfOrder);
    check(0, exemplar(100, 1.0), ExemplarVerdict::OutOfOrder);
    check(150, exemplar(150, 1.0), ExemplarVerdict::Fits);
    check(150, exemplar(100, 3.0), ExemplarVerdict::Ignored);
    check(150, exemplar(50, 1.0), ExemplarVerdict::OutOfOrder);
    check(150, exemplar(51, 1.0), ExemplarVerdict::Fits);
}

#[test]
fn a_late_one_finds_its_place() {
    let mut ring = ExemplarRing::new(4, 1000);
    for time in [100, 300, 200, 50] {
        assert_eq!(ring.push(1, || labels(1), &exemplar(time, 1.0)), ExemplarVerdict::Fits);
    }
    assert_eq!(times(&ring, 1), [50, 100, 200, 300]);
    // What goes is what came first, not what is oldest.
    ring.push(1, || labels(1), &exemplar(400, 1.0));
    assert_eq!(times(&ring, 1), [50, 200, 300, 400]);
}

#[test]
fn a_ring_of_nothing_takes_nothing() {
    let mut ring = ExemplarRing::new(0, 0);
    assert_eq!(ring.push(1, || labels(1), &exemplar(1, 1.0)), ExemplarVerdict::Ignored);
    ring.resize(2);
    assert_eq!(ring.push(1, || labels(1), &exemplar(1, 1.0)), ExemplarVerdict::Fits);
    ring.resize(0);
    assert_eq!(ring.stats(), ExemplarStats { exemplars: 0, series: 0, first_ms: 0 });
}

#[test]
fn two_numbers_of_a_series_are_one_answer() {
    let mut ring = ExemplarRing::new(10, 0);
    ring.push(7, || labels(1), &exemplar(20, 1.0));
    ring.push(8, || labels(1), &exemplar(10, 1.0));
    assert_eq!(times(&ring, 1), [10, 20]);
    assert_eq!(ring.select(&[vec![Matcher::equal("i", "1")]], TimeRange::ALL).len(), 1);
}

#[test]
fn long_labels_are_refused() {
    let of = |characters: usize| Exemplar {
        labels: Labels::from_pairs([("t", "ü".repeat(characters - 1))]),
        ..exemplar(1, 1.0)
    };
    assert_eq!(check_labels(&of(128)), Ok(()));
    assert!(check_labels(&of(129)).is_err());
}

proptest! {
    #[test]
    fn the_ring_is_the_end_of_all_that_was_taken(
        capacity in 1..8_usize,
        window in 0..30_i64,
        pushes in vec((1..4_u64, 0..40_i64), 0..60),
        resized in 1..8_usize,
    ) {
        let mut ring = ExemplarRing::new(capacity, window);
        let mut taken: Vec<(u64, i64)> = Vec::new();
        for (reference, time) in pushes {
            if ring.push(reference, || labels(reference), &exemplar(time, 1.0)) == ExemplarVerdict::Fits {
                taken.push((reference, time));
            }
        }
        for capacity in [capacity, resized] {
            ring.resize(capacity);
            let kept = &taken[taken.len().saturating_sub(capacity)..];
            for reference in 1..4 {
                let mut want: Vec<i64> = kept.iter().filter(|(r, _)| *r == reference).map(|(_, time)| *time).collect();
                want.sort_unstable();
                prop_assert_eq!(times(&ring, reference), want);
            }
            prop_assert_eq!(ring.stats().exemplars, kept.len());
            taken = kept.to_vec();
        }
    }
}
