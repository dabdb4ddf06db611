//! What was sent and promised, against what is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::contents::{Contents, digest};
use super::workload::{Profile, Sent, deletion, steady, transaction};

/// What is known of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Its commit was acknowledged, or it has been read after a restart.
    There,
    /// It was sent, or is being deleted: nobody was promised anything.
    Maybe,
    /// Its commit failed, its deletion was acknowledged, or a restart has shown that it isn't there.
    Gone,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    digest: u64,
    known: Known,
}

/// All samples of one directory, by series and time.
pub(crate) struct Ledger {
    profile: Profile,
    samples: HashMap<String, BTreeMap<i64, Entry>>,
    /// What was taken of transactions whose end is not known, by thread and step.
    open: BTreeMap<(u64, u64), Vec<Sent>>,
    /// The step that no thread has reached.
    pub(crate) next_step: u64,
    pub(crate) acknowledged: u64,
    pub(crate) deletions: u64,
    pub(crate) failures: u64,
}

impl Ledger {
    pub(crate) fn new(profile: Profile) -> Self {
        Ledger {
            profile,
            samples: HashMap::new(),
            open: BTreeMap::new(),
            next_step: 0,
            acknowledged: 0,
            deletions: 0,
            failures: 0,
        }
    }

    /// Takes a line of the process; `None` where it is none that the process should have written.
    pub(crate) fn take(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        let word = words.next()?;
        let mut number = || words.next()?.parse::<u64>().ok();
        match word {
            "send" => self.send(number()?, number()?, number()?),
            "stored" => self.end(number()?, number()?, Known::There)?,
            "failed" => self.end(number()?, number()?, Known::Gone)?,
            "delete" => self.delete(number()?, Known::Maybe)?,
            "deleted" => self.delete(number()?, Known::Gone)?,
            _ => return None,
        }
        Some(())
    }

    fn send(&mut self, thread: u64, step: u64, refused: u64) {
        self.next_step = self.next_step.max(step + 1);
        let mut taken = Vec::new();
        for (at, sent) in transaction(self.profile, thread, step).into_iter().enumerate() {
            if refused >> at & 1 == 1 {
                continue;
            }
            let entry = Entry { digest: digest(&sent.written), known: Known::Maybe };
            let known = self.samples.entry(sent.labels.to_string()).or_default().entry(sent.time).or_insert(entry);
            if known.known == Known::Gone {
                known.known = Known::Maybe;
            }
            taken.push(sent);
        }
        self.open.insert((thread, step), taken);
    }

    fn end(&mut self, thread: u64, step: u64, known: Known) -> Option<()> {
        let taken = self.open.remove(&(thread, step))?;
        self.acknowledged += u64::from(known == Known::There);
        self.failures += u64::from(known == Known::Gone);
        for sent in taken {
            let entry = self.samples.get_mut(&sent.labels.to_string())?.get_mut(&sent.time)?;
            // A late sample may repeat one that is there.
            if known == Known::There || entry.known == Known::Maybe {
                entry.known = known;
            }
        }
        Some(())
    }

    fn delete(&mut self, step: u64, known: Known) -> Option<()> {
        let deletion = deletion(self.profile, step)?;
        self.deletions += u64::from(known == Known::Gone);
        let series = steady(deletion.thread, deletion.index).to_string();
        let samples = self.samples.get_mut(&series)?;
        for (_, entry) in samples.range_mut(deletion.from..=deletion.to) {
            if entry.known != Known::Gone {
                entry.known = known;
            }
        }
        Some(())
    }

    /// Compares with what is there, and takes it for granted from now on. The answer is what is wrong, a few lines of it.
    pub(crate) fn compare(&mut self, contents: &Contents) -> Vec<String> {
        let mut wrong = contents.wrong.clone();
        let mut unknown = BTreeSet::new();
        for (series, samples) in &contents.samples {
            let Some(known) = self.samples.get_mut(series) else {
                unknown.insert(series);
                continue;
            };
            for (time, digest) in samples {
                match known.get(time) {
                    None => wrong.push(format!("{series} at {time} was never sent")),
                    Some(entry) if entry.digest != *digest => {
                        wrong.push(format!("{series} at {time} has another value"));
                    }
                    Some(entry) if entry.known == Known::Gone => {
                        wrong.push(format!("{series} at {time} was deleted, or its commit failed"));
                    }
                    Some(_) => {}
                }
            }
        }
        wrong.extend(unknown.iter().map(|series| format!("{series} was never sent")));
        for ((thread, step), taken) in std::mem::take(&mut self.open) {
            wrong.extend(half_a_commit(&taken, contents).map(|lines| format!("commit {step} of {thread}: {lines}")));
        }
        let nothing = BTreeMap::new();
        for (series, known) in &mut self.samples {
            let there = contents.samples.get(series).unwrap_or(&nothing);
            for (time, entry) in known {
                let is_there = there.contains_key(time);
                if entry.known == Known::There && !is_there {
                    wrong.push(format!("{series} at {time} was stored and is missing"));
                }
                if entry.known == Known::Maybe {
                    entry.known = if is_there { Known::There } else { Known::Gone };
                }
            }
        }
        wrong.truncate(wrong.len().min(12));
        wrong
    }

    /// How many samples are there for sure.
    pub(crate) fn len(&self) -> usize {
        self.samples.values().flat_map(BTreeMap::values).filter(|entry| entry.known == Known::There).count()
    }
}

/// The floats of a commit that came in order are one record: all are there or none.
fn half_a_commit(taken: &[Sent], contents: &Contents) -> Option<String> {
    let in_order = taken.iter().filter(|sent| !sent.late && matches!(sent.written, super::workload::Written::Float(_)));
    let is_there = |sent: &Sent| {
        contents.samples.get(&sent.labels.to_string()).is_some_and(|samples| samples.contains_key(&sent.time))
    };
    let (there, missing): (Vec<&Sent>, Vec<&Sent>) = in_order.partition(|sent| is_there(sent));
    (!there.is_empty() && !missing.is_empty())
        .then(|| format!("{} samples are there, {} are not", there.len(), missing.len()))
}
