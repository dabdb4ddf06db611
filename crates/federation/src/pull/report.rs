//! What a global stores about its pulls, as a Prometheus stores about its scrapes.

use model::{Labels, LabelsBuilder, METRIC_NAME, STALE_NAN, Timestamp};
use storage::Appender;

use crate::pull::spec::{GLOBAL_LABEL, ReplicaSpec};

/// The job of series about pulls of shards.
const JOB: &str = "federation";
/// The job of series about pulls of the other global of a pair.
const PEER_JOB: &str = "peer";

/// The names of the series, in the order of [`Report::values`].
const NAMES: [&str; 7] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "watershed_federation_lag_seconds",
    "watershed_federation_clock_ahead_seconds",
];

/// One pull, in numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Report {
    pub(super) succeeded: bool,
    pub(super) seconds: f64,
    pub(super) samples: u64,
    pub(super) series_added: u64,
    /// The age of the newest sample that any pull has brought.
    pub(super) lag_seconds: Option<f64>,
    /// How far the replica's clock is ahead of ours.
    pub(super) clock_ahead_seconds: Option<f64>,
}

impl Report {
    fn values(&self) -> [Option<f64>; NAMES.len()] {
        let [samples, added] = [self.samples, self.series_added].map(|count| Some(count as f64));
        let up = Some(f64::from(self.succeeded));
        [up, Some(self.seconds), samples, samples, added, self.lag_seconds, self.clock_ahead_seconds]
    }

    /// Appends the series. `external` are the labels by which the replica names itself to the outside.
    pub(super) fn append(
        &self,
        spec: &ReplicaSpec,
        external: &[(String, String)],
        at: Timestamp,
        appender: &mut dyn Appender,
    ) {
        append(spec, external, self.values(), at, appender);
    }
}

/// Ends the series.
pub(super) fn end(spec: &ReplicaSpec, external: &[(String, String)], at: Timestamp, appender: &mut dyn Appender) {
    append(spec, external, [Some(STALE_NAN); NAMES.len()], at, appender);
}

fn append(
    spec: &ReplicaSpec,
    external: &[(String, String)],
    values: [Option<f64>; NAMES.len()],
    at: Timestamp,
    appender: &mut dyn Appender,
) {
    let labels = labels(spec, external);
    for (name, value) in NAMES.iter().zip(values) {
        let Some(value) = value else { continue };
        let labels = LabelsBuilder::new(&labels).set(METRIC_NAME, name).build();
        if let Err(error) = appender.append(&labels, at, value) {
            tracing::debug!(%error, name, "series about a pull not stored");
        }
    }
}

/// What the series have in common: whom they are about, and who says it.
fn labels(spec: &ReplicaSpec, external: &[(String, String)]) -> Labels {
    let mut builder = LabelsBuilder::new(&Labels::empty());
    external.iter().for_each(|(name, value)| {
        builder.set(name, value);
    });
    builder.set("instance", &spec.instance()).set(GLOBAL_LABEL, &spec.global);
    match spec.is_peer {
        true => builder.set("job", PEER_JOB),
        false => builder.set("job", JOB).set("shard", &spec.shard),
    };
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pull::spec::tests::spec;

    #[test]
    fn labels_say_whom_they_are_about() {
        let check = |change: &dyn Fn(&mut ReplicaSpec), want: &str| {
            let mut spec = spec("http://h:9090");
            change(&mut spec);
            let external = [("cluster", "eu"), ("job", "x"), ("replica", "b")];
            let external = external.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(labels(&spec, &external).to_string(), want);
        };
        check(&|_| {}, r#"{cluster="eu", instance="h:9090", job="federation", replica="b", shard="a"}"#);
        check(
            &|spec| spec.global = "g1".to_owned(),
            r#"{cluster="eu", global="g1", instance="h:9090", job="federation", replica="b", shard="a"}"#,
        );
        check(&|spec| spec.is_peer = true, r#"{cluster="eu", instance="h:9090", job="peer", replica="b"}"#);
    }
}
