//! The alerts that a global raises without anybody having written them: what is gone, behind, or wrong about the time.

use daemon::{BuiltIn, Inhibited};

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;

/// The alerts of the global with this name. `shard_labels` are those that the alerts from a shard's data have in common with it.
pub(crate) fn built_in(name: &str, shard_labels: &[String], has_peer: bool) -> Vec<BuiltIn> {
    let own = |job: &str| format!("{{job={job:?},global={name:?}}}");
    let shards = own("federation");
    let by: Vec<&str> = ["global", "job", "shard"].into_iter().chain(shard_labels.iter().map(String::as_str)).collect();
    let equal = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let shard_down = BuiltIn {
        name: "ShardDown",
        expr: format!("max by ({}) (up{shards}) == 0", by.join(", ")),
        above_ms: None,
        for_ms: MINUTE_MS,
        severity: "critical",
        summary: "No replica of shard {{ $labels.shard }} can be pulled",
        description: "The whole cluster, the link to it, or all its shards are gone. Nothing new is known of what it watches; \
                      its own alerts are still told there, as long as it lives. The hierarchy page has the errors.",
        inhibits: [
            Inhibited { alerts: &["ShardReplicaDown", "ShardLagging", "ShardClockSkew"], equal: equal(&["shard"]) },
            Inhibited { alerts: &[], equal: shard_labels.to_vec() },
        ]
        .into_iter()
        .filter(|inhibited| !inhibited.equal.is_empty())
        .collect(),
    };
    let replica_down = BuiltIn {
        name: "ShardReplicaDown",
        expr: format!("up{shards} == 0"),
        for_ms: 5 * MINUTE_MS,
        severity: "warning",
        summary: "Replica {{ $labels.instance }} of shard {{ $labels.shard }} can't be pulled",
        description: "Its other replicas may still answer for it. What it stores meanwhile comes when it is back.",
        inhibits: vec![Inhibited { alerts: &["ShardLagging", "ShardClockSkew"], equal: equal(&["shard", "instance"]) }],
        ..shard_down
    };
    let lagging = BuiltIn {
        name: "ShardLagging",
        expr: format!("watershed_federation_lag_seconds{shards} > $above"),
        above_ms: Some(5 * MINUTE_MS),
        for_ms: 2 * MINUTE_MS,
        summary: "What comes from {{ $labels.instance }} of shard {{ $labels.shard }} is {{ $value | humanizeDuration }} old",
        description: "Either it has stored nothing new that is pulled, or it had much to catch up with. Look at its targets and rules.",
        inhibits: Vec::new(),
        ..replica_down
    };
    let clock_skew = BuiltIn {
        name: "ShardClockSkew",
        expr: format!("abs(watershed_federation_clock_ahead_seconds{shards}) > $above"),
        above_ms: Some(5 * SECOND_MS),
        for_ms: 5 * MINUTE_MS,
        summary: "The clock of {{ $labels.instance }} of shard {{ $labels.shard }} is {{ $value | humanizeDuration }} off",
        description: "Its samples bear its own time. Look at the time synchronisation of that machine, or of this one.",
        inhibits: Vec::new(),
        ..lagging
    };
    let peer_down = BuiltIn {
        name: "GlobalPeerDown",
        expr: format!("up{} == 0", own("peer")),
        summary: "The other global, {{ $labels.instance }}, can't be reached",
        description: "This one answers all questions by itself. Without the other, nobody notices if it is gone, too.",
        inhibits: Vec::new(),
        ..replica_down
    };
    let mut table = vec![shard_down, replica_down, lagging, clock_skew];
    table.extend(has_peer.then_some(peer_down));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_of_what_this_global_sees() {
        let labels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let table = built_in("g1", &labels(&["cluster"]), true);
        let exprs: Vec<&str> = table.iter().map(|alert| alert.expr.as_str()).collect();
        assert_eq!(
            exprs,
            [
                r#"max by (global, job, shard, cluster) (up{job="federation",global="g1"}) == 0"#,
                r#"up{job="federation",global="g1"} == 0"#,
                r#"watershed_federation_lag_seconds{job="federation",global="g1"} > $above"#,
                r#"abs(watershed_federation_clock_ahead_seconds{job="federation",global="g1"}) > $above"#,
                r#"up{job="peer",global="g1"} == 0"#,
            ]
        );
        assert_eq!(built_in("g1", &[], false).len(), 4);
        assert_eq!(built_in("g1", &[], false)[0].inhibits.len(), 1);
    }
}
