//! What replicas see of a target: scrapes with phases, jitter, outages, restarts, resets and lag.

use model::{STALE_NAN, is_stale};
use proptest::collection::vec;
use proptest::prelude::*;
use storage::Samples;

/// What interrupts a replica's scrapes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outage {
    /// One scrape fails, with or without a stale marker.
    Missed { marked: bool },
    /// The replica is away for so many intervals, and scrapes at another phase afterwards.
    Away { intervals: i64, phase: i64 },
}

/// How one replica scrapes.
#[derive(Debug, Clone)]
pub(crate) struct Scraper {
    /// When in the interval, in thousandths of it.
    pub(crate) phase: i64,
    /// Scrapes that succeed, then what interrupts them.
    pub(crate) life: Vec<(i64, Outage)>,
    /// How much the value lags behind, in thousandths of the interval.
    pub(crate) lag: i64,
    /// What jitter is made from.
    pub(crate) seed: u64,
}

/// A target and those who scrape it.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// The scrape interval in milliseconds.
    pub(crate) interval: i64,
    /// How many intervals it lasts.
    pub(crate) length: i64,
    /// The counter's growth per 1000 s.
    pub(crate) growth: i64,
    /// When the counter begins anew, in thousandths of the length.
    pub(crate) resets: Vec<i64>,
    /// When the target is away, in thousandths of the length.
    pub(crate) down: Vec<(i64, i64)>,
    /// Whether samples are at multiples of the interval, as those of recording rules, and lag.
    pub(crate) aligned: bool,
    /// The replicas in order.
    pub(crate) scrapers: Vec<Scraper>,
}

/// Worlds of two and three replicas.
pub(crate) fn worlds() -> impl Strategy<Value = World> {
    let outage = prop_oneof![
        3 => any::<bool>().prop_map(|marked| Outage::Missed { marked }),
        1 => (2..60_i64, 0..1000_i64).prop_map(|(intervals, phase)| Outage::Away { intervals, phase }),
    ];
    let scraper = (0..1000_i64, vec((9..60_i64, outage), 1..6), 0..1000_i64, any::<u64>())
        .prop_map(|(phase, life, lag, seed)| Scraper { phase, life, lag, seed });
    let world = (
        prop_oneof![Just(1_000), Just(5_000), Just(15_000), Just(30_000), Just(60_000), Just(120_000)],
        20..150_i64,
        1..100_000_i64,
        vec(0..1000_i64, 0..3),
        vec((0..1000_i64, 1..100_i64), 0..2),
        any::<bool>(),
        vec(scraper, 2..4),
    );
    world.prop_map(|(interval, length, growth, mut resets, down, aligned, scrapers)| {
        resets.sort_unstable();
        World { interval, length, growth, resets, down, aligned, scrapers }
    })
}

/// The world's first moment.
pub(crate) const START_MS: i64 = 1_700_000_000_000 / 120_000 * 120_000;

impl World {
    /// A moment in thousandths of the length.
    fn moment(&self, thousandths: i64) -> i64 {
        START_MS + self.length * self.interval * thousandths / 1000
    }

    /// When the counter begins anew.
    pub(crate) fn reset_times(&self) -> impl Iterator<Item = i64> {
        self.resets.iter().map(|at| self.moment(*at))
    }

    /// Whether the counter begins anew after the one time and not after the other.
    pub(crate) fn is_reset_within(&self, after: i64, until: i64) -> bool {
        self.reset_times().any(|at| after < at && at <= until)
    }

    /// The counter: it has begun at its last reset, or an hour before the world.
    pub(crate) fn counter(&self, time: i64) -> f64 {
        let begin = self.reset_times().filter(|at| *at <= time).max().unwrap_or(START_MS - 3_600_000);
        ((time - begin) * self.growth / 1_000_000) as f64
    }

    /// How much the counter grows from the one time to the other, resets or not.
    pub(crate) fn growth_between(&self, from: i64, to: i64) -> f64 {
        (to - from) as f64 * self.growth as f64 / 1_000_000.0
    }

    fn is_down(&self, time: i64) -> bool {
        self.down.iter().any(|(from, length)| (self.moment(*from)..self.moment(from + length)).contains(&time))
    }

    /// How far a replica's value is behind.
    fn lag(&self, scraper: &Scraper) -> i64 {
        if self.aligned { scraper.lag * self.interval / 1000 } else { 0 }
    }

    /// What each replica holds of the series whose value at a time is this.
    pub(crate) fn samples(&self, value: impl Fn(i64) -> f64) -> Vec<Samples> {
        self.scrapers.iter().map(|scraper| self.replica(scraper, &value)).collect()
    }

    fn replica(&self, scraper: &Scraper, value: &impl Fn(i64) -> f64) -> Samples {
        let mut samples = Samples::default();
        let mut push = |time: i64, value: f64| {
            // A marker follows samples, and a restart brings no sample before the last.
            let stale = samples.values.last().is_none_or(|value| is_stale(*value));
            if samples.times.last().is_none_or(|last| *last < time) && !(stale && is_stale(value)) {
                samples.push(time, value);
            }
        };
        let (mut slot, mut phase) = (0, scraper.phase);
        for (alive, outage) in scraper.life.iter().cycle() {
            for slot in slot..slot + alive {
                let time = self.time(slot, phase, scraper.seed);
                let value = if self.is_down(time) { STALE_NAN } else { value(time - self.lag(scraper)) };
                push(time, value);
            }
            slot += alive;
            match outage {
                Outage::Missed { marked } => {
                    if *marked {
                        push(self.time(slot, phase, scraper.seed), STALE_NAN);
                    }
                    slot += 1;
                }
                Outage::Away { intervals, phase: next } => {
                    slot += intervals;
                    phase = *next;
                }
            }
            if slot > self.length {
                break;
            }
        }
        samples
    }

    /// When a scrape happens: at its phase, up to a tenth of the interval later.
    fn time(&self, slot: i64, phase: i64, seed: u64) -> i64 {
        let begin = START_MS + slot * self.interval;
        if self.aligned {
            return begin;
        }
        begin + phase * self.interval / 1000 + (scatter(seed ^ slot as u64) % 100) as i64 * self.interval / 1000
    }

    /// A gauge that jumps up and down.
    pub(crate) fn gauge(&self, time: i64) -> f64 {
        let step = (time - START_MS).div_euclid(self.interval / 4);
        let sign = if step % 2 == 0 { 1.0 } else { -1.0 };
        sign * (scatter(step as u64) % 1000) as f64
    }
}

/// Numbers without a pattern (the finisher of SplitMix64).
pub(crate) fn scatter(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 30)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 16
}
