//! Whether a global is behind: behind what the shards have, or behind its peer.

use std::collections::BTreeMap;

use api::consistency::{ReplicaStanding, Standing};
use federation::{ReplicaState, ReplicaStatus, ShardStatus};
use model::Timestamp;

/// Why a global should not be asked at `now`: it has just started and not all of every replica yet, catches up with one that answers,
/// or has less of one than its peer by more than `bound_ms`. A replica that is gone for both keeps nobody back, and neither does one that
/// is new to a global which was ready before: it is new to the peer as well.
pub(crate) fn behind(
    shards: &[ShardStatus],
    peer: Option<&Standing>,
    bound_ms: i64,
    was_ready: bool,
    now: Timestamp,
) -> Result<(), String> {
    let theirs = peer.map(|peer| by_name(&peer.replicas)).unwrap_or_default();
    for (shard, replica) in shards.iter().flat_map(|shard| shard.replicas.iter().map(move |replica| (shard, replica))) {
        let name = format!("shard {} at {}", shard.name, replica.url);
        let current_at = replica.current_at.filter(|at| now - *at <= bound_ms);
        match replica.state {
            ReplicaState::Unknown if was_ready => continue,
            ReplicaState::Unknown if !replica.draining => return Err(format!("{name} has not been pulled yet")),
            ReplicaState::Unknown => return Err(format!("catching up with {name}")),
            ReplicaState::Up if current_at.is_none() => return Err(format!("catching up with {name}")),
            ReplicaState::Up | ReplicaState::Down => {}
        }
        let behind_ms = |theirs: i64| theirs - replica.complete_until.map_or(i64::MIN / 2, Timestamp::as_ms);
        if let Some(theirs) = theirs.get(&(shard.name.as_str(), replica.instance.as_str()))
            && behind_ms(*theirs) > bound_ms
        {
            return Err(format!("the peer has newer samples of {name}"));
        }
    }
    Ok(())
}

/// How far the pulls of both are apart at most, in milliseconds; `None` where they have no replica in common.
pub(super) fn distance_ms(own: &Standing, peer: &Standing) -> Option<i64> {
    let (own, theirs) = (by_name(&own.replicas), by_name(&peer.replicas));
    own.iter().filter_map(|(name, until)| Some((until - theirs.get(name)?).abs())).max()
}

type Names<'a> = (&'a str, &'a str);

fn by_name(replicas: &[ReplicaStanding]) -> BTreeMap<Names<'_>, i64> {
    let known = replicas.iter().filter_map(|replica| Some((replica, replica.complete_until?)));
    known.map(|(replica, until)| ((replica.shard.as_str(), replica.instance.as_str()), until)).collect()
}

/// How far the pulls of every replica have come.
pub(super) fn replicas(shards: &[ShardStatus]) -> Vec<ReplicaStanding> {
    let of = |shard: &ShardStatus, replica: &ReplicaStatus| ReplicaStanding {
        shard: shard.name.clone(),
        instance: replica.instance.clone(),
        state: replica.state.as_str().to_owned(),
        cursor: replica.cursor.clone(),
        complete_until: replica.complete_until.map(Timestamp::as_ms),
    };
    shards.iter().flat_map(|shard| shard.replicas.iter().map(move |replica| of(shard, replica))).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use federation::Protocol;

    use super::*;

    const NOW: i64 = 1_000_000;
    const BOUND: i64 = 1000;

    fn status(
        state: ReplicaState,
        current_at: Option<i64>,
        complete_until: Option<i64>,
        draining: bool,
    ) -> ReplicaStatus {
        ReplicaStatus {
            url: "http://h:1".to_owned(),
            instance: "h:1".to_owned(),
            replica: String::new(),
            state,
            protocol: Protocol::Cursor,
            last_pull: None,
            last_pull_duration: Duration::ZERO,
            last_pull_samples: 0,
            newest_sample: None,
            complete_until: complete_until.map(Timestamp::from_ms),
            current_at: current_at.map(Timestamp::from_ms),
            draining,
            cursor: String::new(),
            clock_ahead_ms: None,
            gap: None,
            last_error: None,
        }
    }

    fn standing(complete_until: i64) -> Standing {
        let replica = ReplicaStanding {
            shard: "a".to_owned(),
            instance: "h:1".to_owned(),
            state: "up".to_owned(),
            cursor: String::new(),
            complete_until: Some(complete_until),
        };
        Standing { replicas: vec![replica], ..Standing::default() }
    }

    #[test]
    fn a_global_that_is_behind_says_why() {
        let check = |replica: ReplicaStatus, peer: Option<i64>, want: Result<(), &str>| {
            let shards = [ShardStatus { name: "a".to_owned(), replicas: vec![replica] }];
            let peer = peer.map(standing);
            let got = behind(&shards, peer.as_ref(), BOUND, false, Timestamp::from_ms(NOW));
            let told = got.as_ref().copied().map_err(|reason| reason.replace("shard a at http://h:1", "it"));
            assert_eq!(told, want.map_err(str::to_owned));
        };
        let up = |current_at, until| status(ReplicaState::Up, Some(current_at), Some(until), false);
        let down = |until| status(ReplicaState::Down, Some(0), until, false);
        check(up(NOW - BOUND, NOW - BOUND), None, Ok(()));
        check(up(NOW - BOUND - 1, NOW), None, Err("catching up with it"));
        check(status(ReplicaState::Unknown, None, None, false), None, Err("it has not been pulled yet"));
        check(status(ReplicaState::Unknown, None, None, true), None, Err("catching up with it"));
        let new =
            [ShardStatus { name: "a".to_owned(), replicas: vec![status(ReplicaState::Unknown, None, None, true)] }];
        assert_eq!(behind(&new, Some(&standing(NOW)), BOUND, true, Timestamp::from_ms(NOW)), Ok(()));
        // Who is gone for everybody keeps nobody back …
        check(down(Some(NOW - 5 * BOUND)), None, Ok(()));
        check(down(Some(NOW - 5 * BOUND)), Some(NOW - 5 * BOUND), Ok(()));
        // … but whom the peer reaches does.
        check(down(Some(NOW - 5 * BOUND)), Some(NOW), Err("the peer has newer samples of it"));
        check(down(None), Some(NOW), Err("the peer has newer samples of it"));
        check(up(NOW, NOW), Some(NOW + BOUND), Ok(()));
    }

    #[test]
    fn the_distance_is_the_largest_of_what_both_pull() {
        assert_eq!(distance_ms(&standing(1000), &standing(1400)), Some(400));
        assert_eq!(distance_ms(&standing(1400), &standing(1000)), Some(400));
        assert_eq!(distance_ms(&standing(1400), &Standing::default()), None);
    }
}
