//! The inner loop of a scrape, for its benchmark.

use std::sync::Arc;

use model::{Labels, LabelsScratch, Timestamp};
use storage::Appendable;

use crate::ingest::{Counts, Ingest, append_stale};
use crate::metadata::MetadataCache;
use crate::protocols::Format;
use crate::scrape_config::ScrapeConfig;
use crate::series_cache::SeriesCache;

/// Reads the expositions of one target, without network and report.
pub struct TargetReader {
    config: ScrapeConfig,
    labels: Labels,
    cache: SeriesCache,
    scratch: LabelsScratch,
    metadata: MetadataCache,
}

impl TargetReader {
    /// A reader that has seen nothing.
    pub fn new(config: ScrapeConfig, labels: Labels) -> Self {
        TargetReader {
            config,
            labels,
            cache: SeriesCache::default(),
            scratch: LabelsScratch::default(),
            metadata: MetadataCache::new(Arc::default()),
        }
    }

    /// Stores one exposition; says how many samples were in it.
    ///
    /// # Errors
    /// The text is refused, or the storage fails.
    pub fn read(&mut self, storage: &dyn Appendable, text: &[u8], time: Timestamp) -> Result<u64, String> {
        let (mut appender, mut counts) = (storage.appender(), Counts::default());
        self.cache.begin();
        let result = Ingest {
            config: &self.config,
            forms: self.config.histograms,
            labels: &self.labels,
            cache: &mut self.cache,
            scratch: &mut self.scratch,
            metadata: &mut self.metadata,
            appender: &mut *appender,
            time,
            counts: &mut counts,
            created: None,
            exemplars: Vec::new(),
        }
        .run(Format::Text, text);
        if let Err(error) = result {
            return Err(error.to_string());
        }
        append_stale(&mut *appender, &self.cache.finish(), time);
        match appender.commit() {
            Ok(()) => Ok(counts.scraped),
            Err(error) => Err(error.to_string()),
        }
    }
}
