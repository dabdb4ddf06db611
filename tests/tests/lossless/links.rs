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
pub(crate) enum Weather {
    /// Every byte arrives.
    Clear = 0,
    /// Things go wrong.
    Bad = 1,
    /// Nothing gets through.
    Cut = 2,
}

/// Numbers that follow from a seed: SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// What went wrong on a link, counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connections: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) cut: AtomicU64,
    pub(crate) corrupted: AtomicU64,
    pub(crate) delayed: AtomicU64,
    pub(crate) stalled: AtomicU64,
}

/// A link to a node: a port of its own.
pub(crate) struct Link {
    pub(crate) port: u16,
    weather: Arc<AtomicU8>,
    pub(crate) counts: Arc<Counts>,
}

impl Link {
    pub(crate) async fn to(target: String, seed: u64) -> Result<Self> {
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

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.weather.store(weather as u8, Ordering::Relaxed);
    }
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
