//! What must be so in the end.

use std::collections::BTreeMap;

use model::{Labels, METRIC_NAME, MatchOp, Matcher, TimeRange, Timestamp};
use storage::dedup::Dedup;

use crate::clock::START_MS;
use crate::plan::FAULTS_MS;
use crate::random::Random;
use crate::stored::{Ledger, Stored, difference, everything, read};
use crate::world::World;

/// So many selections are compared.
const SELECTIONS: usize = 20;

/// Compares everything. The answer is how many samples were.
pub(crate) fn all(world: &World, random: &mut Random) -> Result<u64, String> {
    let databases = world.globals.iter().map(|global| global.site.database().ok_or("a global is down"));
    let databases = databases.collect::<Result<Vec<_>, _>>()?;
    let mut samples = 0;
    let (mut pulled_by, mut about_pulls) = (Vec::new(), Vec::new());
    for (global, db) in databases.iter().enumerate() {
        let (pulled, about) = split(read(db.as_ref(), everything(), TimeRange::ALL)?);
        samples += pulled_is_stored(world, global, pulled.clone())?;
        pulled_by.push(pulled);
        about_pulls.push(settled(about));
    }
    if let Some(difference) = difference(&about_pulls[0], &about_pulls[1]) {
        return Err(format!("what the globals say of their pulls differs: {difference}"));
    }
    sources_have_it(world)?;
    cursors_are_noted(world)?;
    if pulled_by[0] != pulled_by[1] {
        // One has what a replica lost in a power cut, or what it had deleted before the other asked. Nobody can bring it.
        return Ok(samples);
    }
    let views: Vec<_> = databases.into_iter().map(|db| Dedup::new(db, vec!["replica".to_owned()])).collect();
    same_selections(&views, random)?;
    Ok(samples)
}

/// Compares what the globals have on their disks.
pub(crate) fn after_restart(world: &World) -> Result<u64, String> {
    let mut samples = 0;
    for (number, global) in world.globals.iter().enumerate() {
        let db = global.site.open().map_err(|error| error.to_string())?;
        let (pulled, _) = split(read(db.as_ref(), everything(), TimeRange::ALL)?);
        samples += pulled_is_stored(world, number, pulled).map_err(|error| format!("after a restart: {error}"))?;
    }
    Ok(samples)
}

/// What was pulled of replicas, and what globals store about pulls.
fn split(all: Ledger) -> (Ledger, Ledger) {
    all.into_iter().partition(|(labels, _)| !matches!(labels.get("job"), Some("federation" | "peer")))
}

/// What both have had the time to pull from each other, whatever their clocks say.
fn settled(about: Ledger) -> Ledger {
    let until = START_MS + FAULTS_MS - 60_000;
    let cut = |samples: BTreeMap<i64, Stored>| samples.into_iter().filter(|(time, _)| *time < until).collect();
    let named = about.into_iter().map(|(labels, samples)| (labels, cut(samples)));
    named.filter(|(_, samples): &(Labels, BTreeMap<i64, Stored>)| !samples.is_empty()).collect()
}

/// One for one: nothing missing, nothing doubled, nothing else.
fn pulled_is_stored(world: &World, global: usize, mut pulled: Ledger) -> Result<u64, String> {
    let mut samples = 0;
    for (number, replica) in world.replicas.iter().enumerate() {
        let external = replica.external();
        let source = replica.source.lock().expect("nobody panics here");
        let mut expected = source.as_pulled(&external);
        let of_replica = |labels: &Labels| external.iter().all(|(name, value)| labels.get(name) == Some(*value));
        let mut found: Ledger = pulled.extract_if(.., |labels, _| of_replica(labels)).collect();
        for (labels, lost) in &source.lost {
            let named = Labels::from_pairs(labels.iter().chain(external));
            let Some(there) = found.get_mut(&named) else { continue };
            let is_expected = |time: &i64| expected.get(&named).is_some_and(|samples| samples.contains_key(time));
            there.retain(|time, value| lost.get(time) != Some(value) || is_expected(time));
            if there.is_empty() {
                found.remove(&named);
            }
        }
        if let Some(gaps) = world.gaps.get(&(global, number)) {
            for (labels, samples) in &mut expected {
                let there = found.get(labels);
                samples.retain(|time, _| {
                    there.is_some_and(|there| there.contains_key(time))
                        || !gaps.iter().any(|(from, until)| (from..=until).contains(&time))
                });
            }
            expected.retain(|_, samples| !samples.is_empty());
        }
        if let Some(difference) = difference(&expected, &found) {
            return Err(format!("global-{global} has not what {} stored: {difference}", replica.site.name));
        }
        samples += found.values().map(|samples| samples.len() as u64).sum::<u64>();
    }
    match pulled.first_key_value() {
        Some((labels, _)) => Err(format!("global-{global} has the series {labels} of nobody")),
        None => Ok(samples),
    }
}

/// The replicas themselves have what they said that they stored, as far back as they have to keep it.
fn sources_have_it(world: &World) -> Result<(), String> {
    for replica in &world.replicas {
        let db = replica.site.database().ok_or("a replica is down")?;
        let ledger = replica.source.lock().expect("nobody panics here").ledger.clone();
        let newest = ledger.values().filter_map(|samples| Some(*samples.last_key_value()?.0)).max().unwrap_or(0);
        // Blocks are deleted as a whole: some samples beyond the retention are still there.
        let oldest = match replica.site.options.retention_ms {
            0 => i64::MIN,
            retention_ms => newest - retention_ms,
        };
        let kept = |ledger: Ledger| -> Ledger {
            let cut = |samples: BTreeMap<i64, Stored>| samples.into_iter().filter(|(at, _)| *at >= oldest);
            let series = ledger.into_iter().map(|(labels, samples)| (labels, cut(samples).collect()));
            series.filter(|(_, samples): &(Labels, BTreeMap<i64, Stored>)| !samples.is_empty()).collect()
        };
        let found = read(db.as_ref(), everything(), TimeRange::ALL)?;
        if let Some(difference) = difference(&kept(ledger), &kept(found)) {
            return Err(format!("{} has not what it stored: {difference}", replica.site.name));
        }
    }
    Ok(())
}

/// The cursors of the last answers are where the next process finds them.
fn cursors_are_noted(world: &World) -> Result<(), String> {
    for (number, global) in world.globals.iter().enumerate() {
        let db = global.site.database().ok_or("a global is down")?;
        for (status, shard) in world.statuses(number).iter().zip(["eu", "eu", "us", "us"]) {
            let note = storage::Appendable::note(db.as_ref(), &format!("cursor {shard} {}/", status.url));
            if note.as_deref() != Some(status.cursor.as_bytes()) {
                return Err(format!("global-{number} notes {note:?} of {}, not {}", status.url, status.cursor));
            }
        }
    }
    Ok(())
}

/// Both answer alike, whatever they are asked.
fn same_selections(views: &[Dedup], random: &mut Random) -> Result<(), String> {
    let selectors = ["job:.*", "job:gauge", "job:requests_total", "job:latency|job:size", "job:sometimes", "up", ".+"];
    for _ in 0..SELECTIONS {
        let name = random.pick(&selectors);
        let name_matcher = Matcher::new(MatchOp::Regex, METRIC_NAME, name).expect("a regular expression");
        let mut matchers = vec![name_matcher, Matcher::equal("job", "made")];
        if random.one_in(2) {
            matchers.push(Matcher::equal("cluster", random.pick(&["eu", "us"])));
        }
        let from = random.between(0, FAULTS_MS - 10_000);
        let until = random.between(from, FAULTS_MS - 1);
        let range = TimeRange::new(Timestamp::from_ms(START_MS + from), Timestamp::from_ms(START_MS + until));
        let answers: Vec<Ledger> =
            views.iter().map(|view| read(view, matchers.clone(), range)).collect::<Result<_, _>>()?;
        if let Some(difference) = difference(&answers[0], &answers[1]) {
            return Err(format!("the globals answer {name} from {from} until {until} differently: {difference}"));
        }
    }
    Ok(())
}
