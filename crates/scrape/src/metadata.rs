//! What a target says about its metrics: type, help and unit.
//!
//! Targets of a job say the same of the same metrics, so the text is held once for all of them ([`Texts`]), and a target
//! shows its families in the same order each time, so the family that followed last time is looked at first.

use std::sync::Arc;

use exposition::text::{Description, ParseError, Remark};
use hashbrown::{HashSet, HashTable};
use model::{Metadata, MetricType};
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64;

/// What the names of a family's series may end with behind the family's name.
const SUFFIXES: [&str; 9] = ["", "_bucket", "_sum", "_count", "_total", "_created", "_info", "_gsum", "_gcount"];
/// Scrapes after which a metric that isn't shown any more is forgotten.
const KEPT_SCRAPES: u32 = 10;

/// One metric family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricMetadata {
    /// The family's name.
    pub metric: String,
    /// What it is.
    pub kind: MetricType,
    /// What it means.
    pub help: String,
    /// Its unit, empty where nobody said; the text format has none.
    pub unit: String,
}

/// Names and descriptions, each held once, as long as a target shows it.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pool: Mutex<Pool>,
    /// Whether metadata is handed to the storage, series by series.
    stored: bool,
}

#[derive(Debug, Default)]
struct Pool {
    texts: HashSet<Arc<str>, foldhash::fast::RandomState>,
    /// So many were left by the last cleaning.
    kept: usize,
}

impl Texts {
    /// `stored`: whether metadata is handed to the storage, series by series.
    pub(crate) fn new(stored: bool) -> Self {
        Texts { stored, ..Texts::default() }
    }

    fn share(&self, text: &str) -> Arc<str> {
        let mut pool = self.pool.lock();
        if let Some(known) = pool.texts.get(text) {
            return Arc::clone(known);
        }
        if pool.texts.len() > 2 * pool.kept + 1000 {
            pool.texts.retain(|text| Arc::strong_count(text) > 1);
            pool.kept = pool.texts.len();
        }
        let text: Arc<str> = text.into();
        pool.texts.insert(Arc::clone(&text));
        text
    }
}

#[derive(Debug)]
struct Family {
    metric: Arc<str>,
    help: Option<Arc<str>>,
    unit: Option<Arc<str>>,
    kind: MetricType,
    /// The lines of text that told help and type last, as hashes: what is told again in the same words isn't looked into.
    lines: [u64; 2],
    seen: u32,
}

/// The families that a target shows.
#[derive(Debug)]
pub(crate) struct MetadataCache {
    texts: Arc<Texts>,
    /// In the order in which they were first shown.
    families: Vec<Family>,
    /// Where each name is in that order.
    places: HashTable<u32>,
    scrape: u32,
    /// The family that was told about last.
    at: usize,
    /// The family whose type was told last in this scrape.
    typed: Option<usize>,
    /// Whether metadata of the family that was told about last changed in this scrape and is to be stored.
    changed: bool,
}

impl MetadataCache {
    pub(crate) fn new(texts: Arc<Texts>) -> Self {
        let (families, places) = (Vec::new(), HashTable::new());
        MetadataCache { texts, families, places, scrape: 0, at: 0, typed: None, changed: false }
    }

    pub(crate) fn begin(&mut self) {
        self.scrape += 1;
        self.at = 0;
        self.typed = None;
        self.changed = false;
    }

    /// Takes note of a line that begins with `#`.
    pub(crate) fn take(&mut self, line: &Remark<'_>) -> Result<(), ParseError> {
        let hash = xxh3_64(line.raw);
        if self.is_known(hash) {
            return Ok(());
        }
        match line.parse()? {
            Description::Help { metric, text } => {
                self.set_help(&metric, &text);
                self.families[self.at].lines[0] = hash;
            }
            Description::Type { metric, kind } => {
                self.set_kind(&metric, kind);
                self.families[self.at].lines[1] = hash;
            }
            Description::Comment => {}
        }
        Ok(())
    }

    /// Whether the family that was told about last, or the one behind it, was told about in this line before.
    fn is_known(&mut self, line: u64) -> bool {
        let is_at = |at: usize| self.families.get(at).is_some_and(|family| family.lines.contains(&line));
        if !is_at(self.at) {
            if !is_at(self.at + 1) {
                return false;
            }
            self.at += 1;
            self.changed = false;
        }
        let family = &mut self.families[self.at];
        family.seen = self.scrape;
        if family.lines[1] == line {
            self.typed = Some(self.at);
        }
        true
    }

    /// Takes note of a family's help.
    pub(crate) fn set_help(&mut self, metric: &str, help: &str) {
        let at = self.find(metric);
        if self.families[at].help.as_deref() != Some(help) {
            self.families[at].help = Some(self.texts.share(help));
            self.changed = self.texts.stored;
        }
    }

    /// Takes note of a family's type.
    pub(crate) fn set_kind(&mut self, metric: &str, kind: MetricType) {
        let at = self.find(metric);
        self.typed = Some(at);
        if self.families[at].kind != kind {
            self.families[at].kind = kind;
            self.changed = self.texts.stored;
        }
    }

    /// Takes note of a family's unit.
    pub(crate) fn set_unit(&mut self, metric: &str, unit: &str) {
        let at = self.find(metric);
        if self.families[at].unit.as_deref().unwrap_or_default() != unit {
            self.families[at].unit = Some(self.texts.share(unit));
            self.changed = self.texts.stored;
        }
    }

    /// The type that was told last in this scrape.
    #[inline]
    pub(crate) fn told_kind(&self) -> MetricType {
        self.typed.map_or(MetricType::Unknown, |at| self.families[at].kind)
    }

    /// The family whose type was told last in this scrape.
    pub(crate) fn typed_family(&self) -> &str {
        self.typed.map_or("", |at| &self.families[at].metric)
    }

    /// Whether the metadata of the family that was told about last changed in this scrape and is to be stored.
    #[inline]
    pub(crate) fn has_changed(&self) -> bool {
        self.changed
    }

    /// The metadata that is to be stored with the series of a line: that of the family told about last, if the line is its own.
    pub(crate) fn of_line(&self, series: &[u8]) -> Option<Metadata> {
        let family = self.families.get(self.at).filter(|family| self.texts.stored && family.seen == self.scrape)?;
        let suffix = suffix(series, &family.metric)?;
        SUFFIXES.iter().any(|known| known.as_bytes() == suffix).then(|| Metadata {
            kind: family.kind,
            unit: family.unit.as_deref().unwrap_or_default().to_owned(),
            help: family.help.as_deref().unwrap_or_default().to_owned(),
        })
    }

    pub(crate) fn finish(&mut self) {
        let oldest = self.scrape.saturating_sub(KEPT_SCRAPES);
        if self.families.iter().any(|family| family.seen < oldest) {
            self.families.retain(|family| family.seen >= oldest);
            self.places.clear();
            for (at, family) in self.families.iter().enumerate() {
                let families = &self.families;
                self.places.insert_unique(hash(&family.metric), at as u32, |at| hash(&families[*at as usize].metric));
            }
        }
    }

    /// All families, sorted by name.
    pub(crate) fn list(&self) -> Vec<MetricMetadata> {
        let mut list: Vec<MetricMetadata> = self
            .families
            .iter()
            .map(|family| MetricMetadata {
                metric: family.metric.to_string(),
                kind: family.kind,
                help: family.help.as_deref().unwrap_or_default().to_owned(),
                unit: family.unit.as_deref().unwrap_or_default().to_owned(),
            })
            .collect();
        list.sort_by(|a, b| a.metric.cmp(&b.metric));
        list
    }

    /// The place of a family: that of the last line, the next one, or wherever it is.
    fn find(&mut self, metric: &str) -> usize {
        let is_at = |at: usize| self.families.get(at).is_some_and(|family| *family.metric == *metric);
        if is_at(self.at) {
            self.families[self.at].seen = self.scrape;
            return self.at;
        }
        self.changed = false;
        self.at = if is_at(self.at + 1) { self.at + 1 } else { self.find_slow(metric) };
        self.families[self.at].seen = self.scrape;
        self.at
    }

    fn find_slow(&mut self, metric: &str) -> usize {
        let families = &self.families;
        if let Some(at) = self.places.find(hash(metric), |at| *families[*at as usize].metric == *metric) {
            return *at as usize;
        }
        let (metric_text, kind) = (self.texts.share(metric), MetricType::Unknown);
        let family = Family { metric: metric_text, help: None, unit: None, kind, lines: [0; 2], seen: self.scrape };
        self.families.push(family);
        let (families, at) = (&self.families, self.families.len() - 1);
        self.places.insert_unique(hash(metric), at as u32, |at| hash(&families[*at as usize].metric));
        at
    }
}

/// What a series' name has behind that of its family; `None` where it doesn't begin with it.
pub(crate) fn suffix<'s>(series: &'s [u8], family: &str) -> Option<&'s [u8]> {
    let (series, end) = series.strip_prefix(b"{\"").map_or((series, b'{'), |quoted| (quoted, b'"'));
    let rest = series.strip_prefix(family.as_bytes())?;
    Some(rest.split(|byte| *byte == end).next().unwrap_or(rest).trim_ascii_end())
}

fn hash(metric: &str) -> u64 {
    xxh3_64(metric.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    impl MetadataCache {
        fn help(&mut self, metric: &str, text: &str) {
            self.tell(&format!("# HELP {metric} {text}"));
        }

        fn kind(&mut self, metric: &str, kind: &str) {
            self.tell(&format!("# TYPE {metric} {kind}"));
        }

        fn tell(&mut self, line: &str) {
            self.take(&Remark { raw: line.as_bytes(), line: 1 }).expect("well-formed");
        }
    }

    #[test]
    fn keeps_what_was_shown_lately_and_holds_texts_once() {
        let texts = Arc::new(Texts::default());
        let mut caches = [MetadataCache::new(Arc::clone(&texts)), MetadataCache::new(Arc::clone(&texts))];
        for cache in &mut caches {
            for shown in [&["b", "a", "c"][..], &["c", "a"], &["a", "c"]] {
                cache.begin();
                for metric in shown {
                    cache.help(metric, "same");
                    cache.kind(metric, "gauge");
                }
                cache.finish();
            }
            let names: Vec<_> = cache.list().into_iter().map(|family| family.metric).collect();
            assert_eq!(names, ["a", "b", "c"]);
        }
        assert_eq!(texts.pool.lock().texts.len(), 4);
        for _ in 0..KEPT_SCRAPES + 1 {
            caches[0].begin();
            caches[0].kind("a", "counter");
            caches[0].finish();
        }
        let want = MetricMetadata {
            metric: "a".to_owned(),
            kind: MetricType::Counter,
            help: "same".to_owned(),
            unit: String::new(),
        };
        assert_eq!(caches[0].list(), [want]);
    }

    #[test]
    fn what_is_stored_is_what_stands_before_the_line() {
        let mut cache = MetadataCache::new(Arc::new(Texts::new(true)));
        let mut help = |text: &str, want_changed: bool| {
            cache.begin();
            assert!(!cache.has_changed());
            cache.help("a", text);
            cache.kind("a", "histogram");
            assert_eq!(cache.has_changed(), want_changed, "{text}");
            let of = |line: &str| cache.of_line(line.as_bytes()).map(|metadata| metadata.help);
            for line in ["a", "a{x=\"1\"}", "a_bucket{le=\"1\"}", "a_sum", "a_count ", "{\"a_sum\",x=\"1\"}"] {
                assert_eq!(of(line).as_deref(), Some(text), "{line}");
            }
            for line in ["b", "ab", "a_b", "a_bucket_x{}"] {
                assert_eq!(of(line), None, "{line}");
            }
            cache.kind("b", "untyped");
            assert!(!cache.has_changed(), "b is another family");
            cache.finish();
        };
        help("one", true);
        help("one", false);
        help("two", true);
        let mut cache = MetadataCache::new(Arc::default());
        cache.begin();
        cache.help("a", "one");
        assert_eq!((cache.has_changed(), cache.of_line(b"a")), (false, None), "nothing is to be stored");
    }
}
