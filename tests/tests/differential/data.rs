//! The blocks that both answer from: six hours of whole numbers, 15 seconds apart, at odd milliseconds.

use std::fmt::Write;

/// Where the samples end, seconds since the epoch.
pub(crate) const END: i64 = 1_700_006_400;
const HOURS: i64 = 6;
const INTERVAL: i64 = 15;

/// The text that blocks are made of.
pub(crate) fn exposition() -> String {
    let mut out = String::new();
    let samples = HOURS * 3_600 / INTERVAL;
    let mut series = |labels: &str, value: &dyn Fn(i64) -> Option<i64>| {
        for at in 0..samples {
            let time = END - HOURS * 3_600 + at * INTERVAL;
            if let Some(value) = value(at) {
                // Writing to a string doesn't fail.
                let _ = writeln!(out, "{labels} {value} {time}.123");
            }
        }
    };
    for (i, job) in ["api", "db", "web"].iter().enumerate() {
        for instance in 0..3_i64 {
            let shift = i as i64 * 7 + instance;
            let labels = format!("job=\"{job}\",instance=\"{instance}\"");
            series(&format!("gauge{{{labels}}}"), &|at| Some((at * 37 + shift * 101) % 211 - 50));
            // Apart from each other, so that an order is one.
            series(&format!("distinct{{{labels}}}"), &|at| Some(1_000 * shift + at % 90));
            series(&format!("counter{{{labels}}}"), &|at| Some(1_000_000 + shift * 977 + at * (shift + 1) * 3));
            // With gaps of a minute and of an hour. A counter that falls counts from zero, near which 2.42 extrapolates differently.
            series(&format!("broken{{{labels}}}"), &|at| {
                let is_there = (at + shift) % 11 < 7 && !(400..640).contains(&at);
                is_there.then_some(500_000 + at * 5)
            });
            for (place, le) in ["0.1", "1.0", "10.0", "+Inf"].iter().enumerate() {
                let rate = (place as i64 + 1) * (shift + 2);
                series(&format!("latency_bucket{{{labels},le=\"{le}\"}}"), &|at| {
                    Some(100_000 * (place as i64 + 1) + at * rate)
                });
            }
        }
        series(&format!("meta{{job=\"{job}\",team=\"t{}\"}}", i % 2), &|_| Some(1));
    }
    out.push_str("# EOF\n");
    out
}
