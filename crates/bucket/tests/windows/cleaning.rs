//! Blocks that are deleted, and what broke off.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use bucket::{BucketError, Catalog, Cleaner};
use model::{Clock, Labels, ManualClock, TimeRange, Timestamp};
use object_store::ObjectStore;
use prometheus_client::registry::Registry;
use proptest::prelude::*;

use crate::fixture::{Node, check_property, content, marked, ms, objects};
use crate::stamped::Stamped;

const HOUR_MS: i64 = 3_600_000;
const DELAY_MS: i64 = 48 * HOUR_MS;
/// More requests than a test makes.
const STEPS_MAX: usize = 10_000_000;
const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);

struct World {
    clock: Arc<ManualClock>,
    store: Stamped,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(START));
        World { store: Stamped::new(clock.clone()), clock }
    }

    fn node(&self) -> Node {
        let node = Node::new(Arc::new(self.store.clone()));
        node.clock.set(self.clock.now());
        node
    }

    fn cleaner(&self) -> Cleaner {
        self.cleaner_of("global", DELAY_MS)
    }

    fn cleaner_of(&self, tier: &str, delay_ms: i64) -> Cleaner {
        let store: Arc<dyn ObjectStore> = Arc::new(self.store.clone());
        let labels = Labels::from_pairs([("tier", tier)]);
        let catalog = Arc::new(Catalog::new(store));
        let cleaner = Cleaner::new(catalog, &labels, self.clock.clone(), &mut Registry::default());
        cleaner.set_delay(delay_ms);
        cleaner
    }

    async fn blocks(&self) -> BTreeSet<String> {
        self.store.names().await.iter().filter_map(|name| Some(name.split_once('/')?.0.to_owned())).collect()
    }

    /// Whoever finds a block's `meta.json` finds all of it.
    async fn has_no_half_blocks(&self) -> bool {
        let names = self.store.names().await;
        let complete = names.iter().filter_map(|name| name.strip_suffix("/meta.json"));
        complete
            .into_iter()
            .all(|block| ["index", "chunks/000001"].iter().all(|file| names.contains(&format!("{block}/{file}"))))
    }

    /// Puts what an upload of this block left at a time, `files` of them.
    async fn leave_partial(&self, block: &str, of: &dyn ObjectStore, files: &[&str], at: Timestamp) {
        let objects = objects(of).await;
        for file in files {
            let name = format!("{block}/{file}");
            self.store.put_at(&name, objects[&name].clone(), at).await;
        }
    }
}

fn fill(node: &Node, seconds: impl Iterator<Item = i64>) {
    seconds.for_each(|second| node.append_float("up", second * 1000, (second % 7) as f64));
}

/// A bucket with a block, and another of the same window that is marked.
async fn with_a_marked_block() -> (World, Node) {
    let world = World::new();
    let (less, more) = (world.node(), world.node());
    fill(&less, (0..20).filter(|second| *second != 5));
    fill(&more, 0..20);
    less.sync(20_000).await.expect("uploaded");
    more.sync(20_000).await.expect("uploaded");
    assert_eq!(marked(&world.store).await.len(), 1);
    (world, more)
}

/// A block that no bucket has yet, in a bucket of its own.
async fn a_block() -> (Stamped, String) {
    let world = World::new();
    let node = world.node();
    fill(&node, 0..20);
    node.sync(20_000).await.expect("uploaded");
    let block = world.blocks().await.pop_first().expect("a block");
    (world.store, block)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_marked_block_is_deleted_after_the_delay() {
    let (world, node) = with_a_marked_block().await;
    let before = world.store.names().await;
    let gone = marked(&world.store).await.pop_first().expect("one is marked");
    let cleaner = world.cleaner();
    world.clock.advance(DELAY_MS - 1000);
    assert_eq!(cleaner.clean().await.ok(), Some(0));
    let requests = world.store.requests();
    world.clock.advance(1000);
    assert_eq!(cleaner.clean().await.ok(), Some(0), "it looks every hour");
    assert_eq!(world.store.requests(), requests);
    for other in [world.cleaner_of("other", DELAY_MS), world.cleaner_of("global", 0)] {
        assert_eq!(other.clean().await.ok(), Some(0), "it is not theirs, or nothing is to be deleted");
    }
    assert_eq!(world.store.names().await, before);
    world.clock.advance(HOUR_MS);
    assert_eq!(cleaner.clean().await.ok(), Some(1));
    let left: BTreeSet<String> = before.into_iter().filter(|name| !name.starts_with(&gone)).collect();
    assert_eq!(world.store.names().await, left);
    let range = TimeRange::new(ms(0), ms(9_999));
    assert_eq!(content(&node.view().await, range).await, content(&**node.db(), range).await);
    world.clock.advance(HOUR_MS);
    assert_eq!(cleaner.clean().await.ok(), Some(0));
}

/// Whoever dies on the way, and wherever: nobody sees half a block, and the next one goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deletion_that_broke_off_is_finished() {
    for waits in 0.. {
        let (world, node) = with_a_marked_block().await;
        world.clock.advance(DELAY_MS);
        let before = world.blocks().await.len();
        let done = {
            let cleaner = world.cleaner();
            let mut clean = std::pin::pin!(cleaner.clean());
            let mut polls = 0;
            while polls < waits && futures::poll!(&mut clean).is_pending() {
                polls += 1;
                assert!(world.has_no_half_blocks().await, "{waits}");
            }
            polls < waits
        };
        let range = TimeRange::new(ms(0), ms(9_999));
        assert_eq!(content(&node.view().await, range).await, content(&**node.db(), range).await, "{waits}");
        world.cleaner().clean().await.expect("finished");
        assert_eq!(world.blocks().await.len(), before - 1, "{waits}");
        assert!(marked(&world.store).await.is_empty(), "{waits}");
        if done {
            assert!(waits > 10, "{waits}");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_an_upload_left_is_deleted_when_nobody_is_at_it() {
    let (source, block) = a_block().await;
    let check = async |files: &[&str], hours: i64, last_hours: i64, want: usize| {
        let world = World::new();
        let at = |hours: i64| START.saturating_sub(hours * HOUR_MS);
        let (last, others) = files.split_last().expect("some");
        world.leave_partial(&block, &source, others, at(hours)).await;
        world.leave_partial(&block, &source, &[last], at(last_hours)).await;
        let before = world.store.names().await;
        assert_eq!(world.cleaner().clean().await.ok(), Some(want), "{files:?} {hours} {last_hours}");
        let left = if want > 0 { BTreeSet::new() } else { before };
        assert_eq!(world.store.names().await, left, "{files:?} {hours} {last_hours}");
    };
    check(&["chunks/000001"], 47, 47, 0).await;
    check(&["chunks/000001"], 48, 48, 1).await;
    check(&["chunks/000001", "index"], 100, 47, 0).await;
    check(&["chunks/000001", "index"], 100, 49, 1).await;
    check(&["chunks/000001", "index", "meta.json"], 100, 100, 0).await;
}

/// What is left of a deletion may be nothing but the mark, or half a block that was marked long enough ago.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_deletion_left_is_deleted() {
    let (source, block) = a_block().await;
    let check = async |files: &[&str], marked_hours: i64, want: usize| {
        let world = World::new();
        world.leave_partial(&block, &source, files, START.saturating_sub(HOUR_MS)).await;
        let marked_at = START.saturating_sub(marked_hours * HOUR_MS);
        let mark = format!("{{\"id\":\"{block}\",\"version\":1,\"deletion_time\":{}}}", marked_at.as_ms() / 1000);
        world.store.put_at(&format!("{block}/deletion-mark.json"), mark.into_bytes(), marked_at).await;
        assert_eq!(world.cleaner().clean().await.ok(), Some(want), "{files:?} {marked_hours}");
        assert_eq!(world.blocks().await.len(), 1 - want, "{files:?} {marked_hours}");
    };
    check(&[], 1, 1).await;
    check(&["index"], 48, 1).await;
    check(&["chunks/000001", "index"], 47, 0).await;
}

/// An upload goes on with what one before it left so long ago that others are about to delete it.
#[test]
fn a_block_that_is_uploaded_meanwhile_is_never_deleted_in_part() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let (source, block) = runtime.block_on(a_block());
    let course = (0..24_usize, 0..24_usize, prop::collection::vec(0..3_usize, 60), any::<bool>(), any::<bool>());
    check_property("resumed", 96, &course, |(first, second, turns, with_index, marked)| {
        runtime.block_on(async {
            let world = World::new();
            let long_ago = START.saturating_sub(3 * DELAY_MS);
            let files: &[&str] = if with_index { &["chunks/000001", "index"] } else { &["chunks/000001"] };
            world.leave_partial(&block, &source, files, long_ago).await;
            if marked {
                let mark = format!("{{\"id\":\"{block}\",\"version\":1,\"deletion_time\":0}}").into_bytes();
                world.store.put_at(&format!("{block}/deletion-mark.json"), mark, long_ago).await;
            }
            let node = world.node();
            fill(&node, 0..20);
            let cleaners = [world.cleaner(), world.cleaner()];
            race(&world, &node, &cleaners, [first, second], &turns).await?;
            // Who gave way tries again.
            for _ in 0..3 {
                world.clock.advance(HOUR_MS);
                for cleaner in &cleaners {
                    cleaner.clean().await.expect("cleaned");
                }
                let _ = node.sync(20_000).await;
            }
            prop_assert!(world.has_no_half_blocks().await);
            let meta = format!("{block}/meta.json");
            prop_assert!(world.store.names().await.contains(&meta));
            prop_assert!(crate::fixture::marked(&world.store).await.is_empty());
            let range = TimeRange::new(ms(0), ms(9_999));
            prop_assert_eq!(content(&node.view().await, range).await, content(&**node.db(), range).await);
            Ok(())
        })
    });
}

type Work<'a> = Pin<Box<dyn Future<Output = Result<usize, BucketError>> + 'a>>;

/// Lets an upload and two deletions go on in turns; a deletion begins after so many requests of all.
async fn race(
    world: &World,
    node: &Node,
    cleaners: &[Cleaner; 2],
    begins: [usize; 2],
    turns: &[usize],
) -> Result<(), TestCaseError> {
    let mut works: [Option<Work<'_>>; 3] =
        [Some(Box::pin(node.sync(20_000))), Some(Box::pin(cleaners[0].clean())), Some(Box::pin(cleaners[1].clean()))];
    let mut turns = turns.iter().copied().cycle();
    for _ in 0..STEPS_MAX {
        let turn = turns.next().unwrap_or_default();
        let alone = works[0].is_none();
        if turn > 0 && world.store.requests() < begins[turn - 1] && !alone {
            tokio::task::yield_now().await;
            let Some(upload) = &mut works[0] else { continue };
            if futures::poll!(upload).is_ready() {
                works[0] = None;
            }
            continue;
        }
        if let Some(work) = &mut works[turn]
            && futures::poll!(work).is_ready()
        {
            works[turn] = None;
        }
        prop_assert!(world.has_no_half_blocks().await, "half a block is to be seen");
        if works.iter().all(Option::is_none) {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
    Err(TestCaseError::fail("it does not end"))
}
