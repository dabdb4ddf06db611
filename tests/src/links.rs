//! Links that do what links do on a bad day, by a plan that follows from a seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// How links are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Every byte arrives.
    Clear = 0,
    /// Things go wrong.
    Bad = 1,
    /// Nothing gets through.
    Cut = 2,
}

/// Numbers that follow from a seed: SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers that follow from this seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// What went wrong on a link, counted.
#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    refused: AtomicU64,
    cut: AtomicU64,
    corrupted: AtomicU64,
    delayed: AtomicU64,
    stalled: AtomicU64,
}

/// A link to a node: a port of its own.
pub struct Link {
    /// Where it is entered.
    pub port: u16,
    weather: Arc<AtomicU8>,
    counts: Arc<Counts>,
}

impl Link {
    /// A link to an address, whose bad days follow from the seed.
    pub async fn to(target: String, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (weather, counts) = (Arc::new(AtomicU8::new(0)), Arc::new(Counts::default()));
        let (sky, count) = (weather.clone(), counts.clone());
        tokio::spawn(async move {
            let mut random = Random::new(seed);
            while let Ok((near, _)) = listener.accept().await {
                let random = Random::new(random.next());
                tokio::spawn(connection(near, target.clone(), sky.clone(), count.clone(), random));
            }
        });
        Ok(Link { port, weather, counts })
    }

    /// Says how it is from now on.
    pub fn set_weather(&self, weather: Weather) {
        self.weather.store(weather as u8, Ordering::Relaxed);
    }
}

/// What went wrong on all links, in a line.
pub fn link_report(links: &[Link]) -> String {
    let sum =
        |of: fn(&Counts) -> &AtomicU64| links.iter().map(|link| of(&link.counts).load(Ordering::Relaxed)).sum::<u64>();
    format!(
        "links: {} connections, {} refused, {} cut, {} bytes corrupted, {} delayed, {} stalled",
        sum(|counts| &counts.connections),
        sum(|counts| &counts.refused),
        sum(|counts| &counts.cut),
        sum(|counts| &counts.corrupted),
        sum(|counts| &counts.delayed),
        sum(|counts| &counts.stalled),
    )
}

fn is(sky: &AtomicU8, weather: Weather) -> bool {
    sky.load(Ordering::Relaxed) == weather as u8
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

async fn connection(near: TcpStream, target: String, sky: Arc<AtomicU8>, counts: Arc<Counts>, mut random: Random) {
    add(&counts.connections);
    if is(&sky, Weather::Cut) || is(&sky, Weather::Bad) && random.below(4) == 0 {
        return add(&counts.refused);
    }
    let Ok(far) = TcpStream::connect(target).await else { return };
    let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
    let back = random.clone();
    // Either direction ends the other: a connection is cut as a whole.
    tokio::select! {
        () = pass(&mut near_in, &mut far_out, &sky, &counts, random) => {}
        () = pass(&mut far_in, &mut near_out, &sky, &counts, back) => {}
    }
}

async fn pass(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    sky: &AtomicU8,
    counts: &Counts,
    mut random: Random,
) {
    let mut buffer = vec![0; 4096];
    loop {
        let Ok(read) = from.read(&mut buffer).await else { return };
        let mut bytes = &mut buffer[..read];
        if bytes.is_empty() {
            return;
        }
        let mut ends = false;
        if is(sky, Weather::Cut) {
            return add(&counts.cut);
        }
        if is(sky, Weather::Bad) {
            match random.below(12) {
                0 => {
                    add(&counts.delayed);
                    sleep(Duration::from_millis(random.below(700))).await;
                }
                1 => {
                    add(&counts.corrupted);
                    let at = random.below(bytes.len() as u64) as usize;
                    bytes[at] ^= 1 << random.below(8);
                }
                2 => {
                    add(&counts.cut);
                    let kept = random.below(bytes.len() as u64) as usize;
                    bytes = &mut bytes[..kept];
                    ends = true;
                }
                3 if random.below(4) == 0 => {
                    add(&counts.stalled);
                    sleep(Duration::from_secs(3)).await;
                }
                _ => {}
            }
        }
        if to.write_all(bytes).await.is_err() || ends {
            return;
        }
    }
}
