//! Everything that is in a database, each sample as a number to compare.

use std::collections::BTreeMap;

use model::{FloatHistogram, TimeRange};
use storage::{Queryable, Samples, SelectRequest, Series};
use tsdb::Db;
use xxhash_rust::xxh3::xxh3_64;

use super::workload::{Profile, Written};
use crate::fixture::block_on;

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// By series and time.
    pub(crate) samples: BTreeMap<String, BTreeMap<i64, u64>>,
    /// What no database may show, whatever was sent.
    pub(crate) wrong: Vec<String>,
}

/// Stands for what a sample holds.
pub(crate) fn digest(written: &Written) -> u64 {
    match written {
        Written::Float(value) => value.to_bits(),
        Written::Histogram(histogram) => digest_of_histogram(&histogram.to_float()),
    }
}

fn digest_of_histogram(histogram: &FloatHistogram) -> u64 {
    let FloatHistogram { buckets, zero_count, count, sum, positive, negative, .. } = histogram;
    xxh3_64(format!("{buckets:?} {zero_count} {count} {sum} {positive:?} {negative:?}").as_bytes())
}

/// Reads everything. Late samples may be held twice, in a block and in the head or in both logs of the head, and readers merge
/// them; others may not.
pub(crate) fn read(db: &Db, profile: Profile) -> Contents {
    let set = block_on(db.select(&SelectRequest::new(vec![], TimeRange::ALL))).expect("selects");
    let mut contents = Contents::default();
    for series in set.series {
        let series = series.expect("series can be read");
        contents.take(&series, profile.late());
    }
    contents
}

impl Contents {
    fn take(&mut self, series: &Series, may_overlap: bool) {
        let name = series.labels.to_string();
        let mut samples = Samples::default();
        series.decode(TimeRange::ALL, &mut samples).expect("chunks can be read");
        let merged = samples.len();
        let mut held = 0;
        for chunk in &series.chunks {
            let mut of_chunk = Samples::default();
            chunk.decode(TimeRange::ALL, &mut of_chunk).expect("a chunk can be read");
            held += of_chunk.len();
        }
        if held != merged && !may_overlap {
            self.wrong.push(format!("{name}: {} samples are held twice", held - merged));
        }
        let floats = samples.times.iter().copied().zip(samples.values.iter().map(|value| value.to_bits()));
        let histograms = samples.histograms.iter().map(|sample| (sample.time, digest_of_histogram(&sample.histogram)));
        let all: BTreeMap<i64, u64> = floats.chain(histograms).collect();
        if all.len() != merged {
            self.wrong.push(format!("{name}: {} times are there twice", merged - all.len()));
        }
        if !all.is_empty() && self.samples.insert(name.clone(), all).is_some() {
            self.wrong.push(format!("{name} is there twice"));
        }
    }
}
