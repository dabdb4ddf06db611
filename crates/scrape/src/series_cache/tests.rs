use xxhash_rust::xxh3::xxh3_64;

use super::*;

/// Runs scrapes of single-letter series through a cache; an upper-case letter has a timestamp of its own. Says which
/// series ended; `!` behind a scrape makes it fail.
fn ended(scrapes: &[&str]) -> Vec<String> {
    let mut cache = SeriesCache::default();
    scrapes.iter().map(|scrape| run(&mut cache, scrape)).collect()
}

fn run(cache: &mut SeriesCache, scrape: &str) -> String {
    cache.begin();
    for c in scrape.chars().filter(|c| *c != '!') {
        let raw = xxh3_64(&[c as u8]);
        let id = match cache.find(raw) {
            Some(id) => id,
            None => cache.insert(raw, (c != '-').then_some(SeriesRef(u64::from(c.to_ascii_lowercase())))),
        };
        cache.see(id);
        if c.is_ascii_lowercase() {
            cache.track(id);
        }
    }
    let ended = if scrape.ends_with('!') { cache.fail() } else { cache.finish() };
    let mut ended: Vec<char> = ended.iter().map(|series| series.0 as u8 as char).collect();
    ended.sort_unstable();
    ended.into_iter().collect()
}

#[test]
fn says_which_series_ended() {
    let check = |scrapes: &[&str], want: &[&str]| assert_eq!(ended(scrapes), want, "{scrapes:?}");
    check(&["abc", "abc", "abc"], &["", "", ""]);
    check(&["abc", "ac", "ac", "abc", "a"], &["", "b", "", "", "bc"]);
    check(&["abc", "cba", "bca"], &["", "", ""]);
    check(&["abc", "bd", "abcd"], &["", "ac", ""]);
    // a failed scrape ends everything once
    check(&["abc", "!", "!", "abc", "ab"], &["", "abc", "", "", "c"]);
    // also where it had touched some before it failed
    check(&["abc", "ab!", "abc", "ab"], &["", "abc", "", "c"]);
    check(&["abc", "abd!", "d"], &["", "abc", ""]);
    // series with their own timestamps are not live, unless they were before
    check(&["aB", "a", "a"], &["", "", ""]);
    check(&["-a", "-", "-"], &["", "a", ""]);
    // another spelling of the same series: A is a's
    check(&["a", "A", "a"], &["", "a", ""]);
}

#[test]
fn another_spelling_of_a_series_does_not_end_it() {
    let mut cache = SeriesCache::default();
    for raw in [b"x{a,b}", b"x{b,a}"] {
        cache.begin();
        let id = cache.insert(xxh3_64(raw), Some(SeriesRef(1)));
        cache.see(id);
        cache.track(id);
        assert_eq!(cache.finish(), []);
    }
    assert_eq!(cache.len(), 1);
}

#[test]
fn changed_rules_keep_live_series_live() {
    let mut cache = SeriesCache::default();
    run(&mut cache, "abc");
    cache.forget_lines();
    assert_eq!(cache.len(), 0);
    assert_eq!(run(&mut cache, "ab"), "c");
    assert_eq!(run(&mut cache, "ab"), "");
    cache.forget_lines();
    assert_eq!(run(&mut cache, "!"), "ab");
}

#[test]
fn the_table_is_there_while_it_is_needed() {
    let mut cache = SeriesCache::default();
    for scrape in 0..10 {
        assert_eq!(run(&mut cache, "abcd"), "");
        assert_eq!(cache.table.is_some(), scrape < 5, "{scrape}");
    }
    // Lines that are found are not remembered anew.
    assert_eq!((run(&mut cache, "dcab"), run(&mut cache, "dcaeb")), (String::new(), String::new()));
    assert_eq!((cache.len(), cache.table.is_some()), (5, true));
}

#[test]
fn forgets_what_is_not_seen_any_more() {
    let mut cache = SeriesCache::default();
    for scrape in 0..50_u64 {
        cache.begin();
        for line in 0..100 {
            let raw = format!("series{scrape}_{line}");
            let id = cache.insert(xxh3_64(raw.as_bytes()), None);
            cache.see(id);
        }
        cache.finish();
        assert!(cache.len() <= 1200, "{}", cache.len());
    }
}

proptest::proptest! {
    /// Against the definition: what was live and isn't brought again has ended.
    #[test]
    fn agrees_with_the_definition(
        scrapes in proptest::collection::vec(("[a-fA-F-]{0,12}", proptest::bool::weighted(0.2), 1..8_usize), 1..40),
    ) {
        let mut cache = SeriesCache::default();
        let mut live = std::collections::BTreeSet::new();
        let repeated = scrapes.iter().flat_map(|(lines, fails, times)| std::iter::repeat_n((lines, *fails), *times));
        for (lines, fails) in repeated {
            let brought: std::collections::BTreeSet<char> = lines.chars().filter(char::is_ascii_lowercase).collect();
            let ended: String = if fails { live.iter().collect() } else { live.difference(&brought).collect() };
            let scrape = if fails { format!("{lines}!") } else { lines.clone() };
            proptest::prop_assert_eq!(run(&mut cache, &scrape), ended);
            live = if fails { std::collections::BTreeSet::new() } else { brought };
        }
    }
}
