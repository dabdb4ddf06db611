//! What is known of the windows whose blocks are in the bucket: `bucket-windows.json` in the data directory.
//!
//! A window is done when every local block that has samples of it was there when its block was made. Late samples come to the
//! blocks of a database as blocks that weren't, so a window is made anew when one appears, and nothing has to be asked
//! until then.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use model::{TimeRange, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tsdb::{BlockId, BlockMeta};

use crate::error::BucketError;
use crate::window::Window;

const FILE: &str = "bucket-windows.json";
/// Where Thanos's sidecar, and earlier versions, keep the names of the local blocks that are uploaded as they are.
const UPLOADED_FILE: &str = "thanos.shipper.json";
const VERSION: u32 = 1;
/// A block that claims to reach over more windows than this is never taken for uploaded.
const WINDOWS_PER_BLOCK_MAX: usize = 1 << 16;

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    width_ms: i64,
    through: Timestamp,
    windows: BTreeMap<i64, Done>,
}

#[derive(Deserialize)]
struct Uploaded {
    #[serde(default)]
    uploaded: BTreeSet<String>,
}

/// A window that needs nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    /// The block in the bucket; `None` where there are no samples.
    pub(crate) block: Option<BlockId>,
    /// The local blocks that had samples of the window when its block was made.
    pub(crate) local: BTreeSet<BlockId>,
}

/// The windows that are done, in memory and on disk. Losing the file costs making each window's block once more.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    width_ms: i64,
    /// Samples that are no farther away from a window than this may have a part in its block.
    margin_ms: i64,
    /// Windows up to here are done, whether they are listed or not, as far as they have no local blocks.
    through: Timestamp,
    windows: BTreeMap<Timestamp, Done>,
    /// Local blocks that are in the bucket as they are.
    uploaded: BTreeSet<BlockId>,
}

/// What is local of a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Local {
    /// The blocks that have a part in it.
    blocks: BTreeSet<BlockId>,
    /// Whether one of them is in the bucket as it is, and reaches into the window itself.
    uploaded: bool,
}

impl Ledger {
    /// Reads the files of a data directory. One that can't be read counts as empty, and is told. What was noted of windows of
    /// another width says nothing of these.
    pub(crate) fn load(data_dir: &Path, width_ms: i64, margin_ms: i64) -> Self {
        let path = data_dir.join(FILE);
        let content =
            read::<Content>(&path).filter(|content| content.version == VERSION && content.width_ms == width_ms);
        let (through, windows) = content.map_or((Timestamp::MIN, BTreeMap::new()), |content| {
            let windows = content.windows.into_iter().map(|(start, done)| (Timestamp::from_ms(start), done));
            (content.through, windows.collect())
        });
        let uploaded = read::<Uploaded>(&data_dir.join(UPLOADED_FILE)).map_or_else(BTreeSet::new, |file| file.uploaded);
        let uploaded = uploaded.iter().filter_map(|name| name.parse().ok()).collect();
        Ledger { path, width_ms, margin_ms, through, windows, uploaded }
    }

    /// The time up to `ready` of which it is not known what windows have samples, `begin` being that of the oldest sample.
    pub(crate) fn unknown(&self, begin: Timestamp, ready: Timestamp) -> TimeRange {
        let end = Window::at(ready, self.width_ms).start();
        TimeRange::new(Window::at(self.through.max(begin), self.width_ms).start(), end.saturating_sub(1))
    }

    /// The windows that end at `ready` at the latest and aren't done, oldest first, each with the local blocks that have a part in
    /// it: of those that the blocks have a part in, and of `occupied` ones besides.
    pub(crate) fn pending(
        &self,
        local: &[BlockMeta],
        occupied: &[Window],
        ready: Timestamp,
    ) -> Vec<(Window, BTreeSet<BlockId>)> {
        let mut windows = self.by_window(local, ready);
        for window in occupied {
            windows.entry(window.start()).or_default();
        }
        let windows = windows.into_iter().map(|(start, local)| (Window::at(start, self.width_ms), local));
        let pending = windows.filter(|(window, local)| window.end() <= ready && !self.is_done(*window, local));
        pending.map(|(window, local)| (window, local.blocks)).collect()
    }

    fn is_done(&self, window: Window, local: &Local) -> bool {
        let done = self.done(window);
        let known =
            |block: &BlockId| self.uploaded.contains(block) || done.is_some_and(|done| done.local.contains(block));
        local.blocks.iter().all(known) && (done.is_some() || local.uploaded || window.end() <= self.through)
    }

    /// What is noted of a window.
    pub(crate) fn done(&self, window: Window) -> Option<&Done> {
        self.windows.get(&window.start())
    }

    /// Whether all of a local block's samples are in the bucket, and none of the other local blocks is still needed together
    /// with it.
    pub(crate) fn is_uploaded(&self, block: BlockId, local: &[BlockMeta]) -> bool {
        let Some(meta) = local.iter().find(|meta| meta.ulid == block) else { return false };
        if self.touched(meta.range()).nth(WINDOWS_PER_BLOCK_MAX).is_some() {
            return false;
        }
        self.touched(meta.range()).all(|window| {
            let mut found = Local::default();
            for other in local.iter().filter(|other| self.widened(other.range()).overlaps(window.range())) {
                self.add(&mut found, window, other);
            }
            self.is_done(window, &found)
        })
    }

    fn widened(&self, range: TimeRange) -> TimeRange {
        TimeRange::new(range.min.saturating_sub(self.margin_ms), range.max.saturating_add(self.margin_ms))
    }

    /// The windows that samples of a range have a part in.
    fn touched(&self, range: TimeRange) -> impl Iterator<Item = Window> {
        Window::touched(self.widened(range), self.width_ms)
    }

    fn add(&self, local: &mut Local, window: Window, block: &BlockMeta) {
        local.blocks.insert(block.ulid);
        local.uploaded |= self.uploaded.contains(&block.ulid) && block.range().overlaps(window.range());
    }

    /// What is local of the windows that begin before `end`, by their starts.
    fn by_window(&self, blocks: &[BlockMeta], end: Timestamp) -> BTreeMap<Timestamp, Local> {
        let mut windows = BTreeMap::<Timestamp, Local>::new();
        for block in blocks {
            let touched = self.touched(block.range()).take(WINDOWS_PER_BLOCK_MAX);
            for window in touched.take_while(|window| window.start() < end) {
                self.add(windows.entry(window.start()).or_default(), window, block);
            }
        }
        windows
    }

    /// Notes a window that needs nothing more.
    pub(crate) fn put(&mut self, window: Window, done: Done) -> Result<(), BucketError> {
        self.windows.insert(window.start(), done);
        self.save()
    }

    /// Notes that all windows which end at `through` at the latest are done, and forgets those of which there is nothing
    /// local any more.
    pub(crate) fn advance(&mut self, through: Timestamp, local: &[BlockMeta]) -> Result<(), BucketError> {
        let through = Window::at(through, self.width_ms).start().max(self.through);
        let touched = self.by_window(local, through);
        let before = (self.through, self.windows.len());
        self.through = through;
        let width_ms = self.width_ms;
        self.windows.retain(|start, _| touched.contains_key(start) || start.saturating_add(width_ms) > through);
        if before == (self.through, self.windows.len()) { Ok(()) } else { self.save() }
    }

    fn save(&self) -> Result<(), BucketError> {
        let windows = self.windows.iter().map(|(start, done)| (start.as_ms(), done.clone())).collect();
        let content = Content { version: VERSION, width_ms: self.width_ms, through: self.through, windows };
        let temporary = self.path.with_extension("json.tmp");
        let bytes = serde_json::to_vec_pretty(&content).expect("plain data has a JSON form");
        fs::write(&temporary, bytes)
            .and_then(|()| fs::rename(&temporary, &self.path))
            .map_err(|source| BucketError::File { path: self.path.clone(), source })
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let read = fs::read(path).map_err(|error| (error.kind() != ErrorKind::NotFound).then(|| error.to_string()));
    let parsed = read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| Some(error.to_string())));
    parsed
        .inspect_err(|error| {
            if let Some(error) = error {
                tracing::warn!(path = %path.display(), error, "cannot read what is in the bucket already, finding it out again");
            }
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ms(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn id(n: u64) -> BlockId {
        BlockId::from_content(ms(1), u128::from(n))
    }

    fn block(n: u64, min: i64, max: i64) -> BlockMeta {
        let json = json!({
            "ulid": id(n).to_string(), "version": 1, "minTime": min, "maxTime": max, "compaction": {"level": 1}
        });
        BlockMeta::from_json(json.to_string().as_bytes()).expect("valid")
    }

    /// As if there were samples everywhere from `begin` on.
    fn all(ledger: &Ledger, local: &[BlockMeta], begin: i64, ready: i64) -> Vec<(Window, BTreeSet<BlockId>)> {
        let occupied: Vec<Window> = Window::touched(ledger.unknown(ms(begin), ms(ready)), ledger.width_ms).collect();
        ledger.pending(local, &occupied, ms(ready))
    }

    fn pending(ledger: &Ledger, local: &[BlockMeta], begin: i64, ready: i64) -> Vec<i64> {
        all(ledger, local, begin, ready).iter().map(|(window, _)| window.start().as_ms()).collect()
    }

    fn done(ledger: &mut Ledger, local: &[BlockMeta], begin: i64, ready: i64) {
        for (window, blocks) in all(ledger, local, begin, ready) {
            ledger.put(window, Done { block: None, local: blocks }).expect("written");
        }
        ledger.advance(ms(ready), local).expect("written");
    }

    #[test]
    fn a_window_is_pending_until_it_is_done_and_again_when_a_block_appears() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut ledger = Ledger::load(dir.path(), 100, 0);
        assert_eq!(pending(&ledger, &[], 150, 399), [100, 200], "300 is not complete");
        done(&mut ledger, &[], 150, 399);
        assert_eq!(pending(&ledger, &[], 150, 400), [300]);
        done(&mut ledger, &[], 150, 400);
        let mut local = vec![block(1, 150, 200)];
        assert_eq!(pending(&ledger, &local, 150, 400), [100], "it was cut from the head since");
        assert!(!ledger.is_uploaded(id(1), &local));
        done(&mut ledger, &local, 150, 400);
        assert!(pending(&ledger, &local, 150, 400).is_empty());
        assert!(ledger.is_uploaded(id(1), &local));
        local.push(block(2, 180, 301));
        assert_eq!(pending(&ledger, &local, 150, 400), [100, 200, 300]);
        assert!(!ledger.is_uploaded(id(1), &local), "what came late is to be seen with it");
        let mut again = Ledger::load(dir.path(), 100, 0);
        assert_eq!(pending(&again, &local, 150, 400), [100, 200, 300]);
        done(&mut again, &local, 150, 400);
        assert!(again.is_uploaded(id(1), &local) && again.is_uploaded(id(2), &local));
        assert!(!again.is_uploaded(id(3), &local));
        // Of another width nothing is known.
        assert_eq!(pending(&Ledger::load(dir.path(), 200, 0), &local, 150, 400), [0, 200]);
    }

    #[test]
    fn what_has_nothing_local_is_forgotten() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut ledger = Ledger::load(dir.path(), 100, 0);
        let local = [block(1, 0, 100), block(2, 100, 200)];
        done(&mut ledger, &local, 0, 250);
        assert_eq!(ledger.windows.len(), 2);
        done(&mut ledger, &local[1..], 100, 250);
        assert_eq!(ledger.windows.keys().copied().collect::<Vec<_>>(), [ms(100)]);
        assert!(pending(&ledger, &local[1..], 100, 250).is_empty());
    }

    #[test]
    fn blocks_that_were_uploaded_as_they_are_need_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = json!({"version": 1, "uploaded": [id(1).to_string(), "up"]});
        fs::write(dir.path().join(UPLOADED_FILE), file.to_string()).expect("written");
        let ledger = Ledger::load(dir.path(), 100, 0);
        let mut local = vec![block(1, 0, 100), block(2, 100, 200)];
        assert_eq!(pending(&ledger, &local, 0, 200), [100]);
        assert!(ledger.is_uploaded(id(1), &local) && !ledger.is_uploaded(id(2), &local));
        local.push(block(3, 50, 60));
        assert_eq!(pending(&ledger, &local, 0, 200), [0, 100], "late samples");
    }

    #[test]
    fn what_lies_close_to_a_window_has_a_part_in_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let uploaded = json!({"version": 1, "uploaded": [id(1).to_string()]});
        fs::write(dir.path().join(UPLOADED_FILE), uploaded.to_string()).expect("written");
        let mut ledger = Ledger::load(dir.path(), 100, 20);
        let mut local = vec![block(1, 0, 100)];
        assert_eq!(pending(&ledger, &local, 0, 200), [-100, 100], "the uploaded one is of the window between");
        done(&mut ledger, &local, 0, 200);
        assert!(pending(&ledger, &local, 0, 200).is_empty() && ledger.is_uploaded(id(1), &local));
        local.push(block(2, 200, 250));
        assert_eq!(pending(&ledger, &local, 0, 200), [100]);
        done(&mut ledger, &local, 0, 200);
        assert!(pending(&ledger, &local, 0, 200).is_empty());
        assert!(!ledger.is_uploaded(id(2), &local), "its own window is not complete");
        done(&mut ledger, &local, 0, 300);
        assert!(ledger.is_uploaded(id(2), &local));
    }

    #[test]
    fn a_damaged_file_counts_as_none_and_a_block_without_end_is_never_uploaded() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join(FILE), "{").expect("written");
        let mut ledger = Ledger::load(dir.path(), 100, 0);
        let local = [block(1, 0, i64::MAX)];
        assert_eq!(pending(&ledger, &local, 0, 200), [0, 100]);
        done(&mut ledger, &local, 0, 200);
        assert!(!ledger.is_uploaded(id(1), &local));
    }
}
