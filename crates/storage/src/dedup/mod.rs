//! Replicas of a series made one: as a view over a [`Queryable`](crate::Queryable), and for blocks.
//!
//! Two nodes of a pair scrape the same targets, so each series is there twice, and the two differ in a replica label only.
//! [`Dedup`] shows each once; [`merge_series`] makes the chunks of a block from the same choice.
//!
//! # What counts
//! The replicas of a series have an order, that of their labels' values. All live samples of the first one count. In its
//! gaps those of the second count, in the gaps of both those of the third, and so on.
//!
//! - **Gaps.** The interval at a place is inferred from the four distances on either side of it: a third of them are shorter.
//!   Neighbours more than one and a half intervals apart have a gap between them, and so have those with a stale marker
//!   between them. At its edges a gap keeps half an interval free, so that two samples are never closer than that. A replica's
//!   last sample is followed by a gap as soon as it is one and a half intervals old, or has a stale marker after it, or others
//!   went on: a sample that is about to come is not stood in for.
//! - **Counters.** The replicas' own counters may differ: aggregates are recorded from scrapes at other moments. A sample in
//!   a gap that is lower than the preferred replica's last one, or higher than its next one, would look like a reset and count
//!   the whole counter again. It is left out, unless another replica saw a reset there, for at most five minutes from the gap's
//!   edge: by then an instant query would see nothing, and having data is worth more. Counters are known by their name
//!   (`_total`, `_count`, `_sum`, `_bucket`), by being histograms that are no gauges, or by rising only, in both replicas,
//!   around the edge. A query's function is not looked at, or else a graph would differ from its rule.
//! - **Stale markers.** A series has ended when it has ended for all replicas that are there: when the last that is known of
//!   each is a marker, or it is silent for longer than one and a half intervals. Then the marker that came last counts.
//!   The end of a replica alone shows nowhere.
//! - A series without replica labels is what was chosen before, in a block for example: all of it counts, and where it is
//!   silent for long, what is chosen from the others now goes on.
//! - At the same time the preferred replica's sample counts. No sample is made up or changed.
//!
//! # What this gives
//! Whether a sample counts depends on samples within [`MARGIN_MS`] of it and on the replicas' order, never on the query, on chunk
//! borders, on the order in which data arrived or on what counted before: all who hold the samples say the same, and the
//! answer for a part is a part of the answer.
//! Thanos's choice (its penalty for switching) depends on where a query begins, and is told apart for counters by the query's function;
//! VictoriaMetrics keeps the newest sample of fixed intervals, which alternates between replicas. A sticky choice, which stays
//! with the second replica after a gap, would switch less often, but knows no bound for what it depends on.
//!
//! # What it can't do
//! - Replicas whose counters differ by more than five minutes' worth of growth (a target that only one of them reaches, a
//!   replica's own metrics) still show a step or a reset where a gap longer than five minutes is filled.
//! - A reset that no replica saw, because none was there, looks like lag: the counter comes back up to five minutes late.
//! - Intervals above five minutes are not inferred: replicas that are not aligned then come with up to twice the samples.
//! - What was chosen before is silent for long, and the replicas' own samples go back no farther than into this silence: up to
//!   [`MARGIN_MS`] behind their beginning samples may be shown that were left out then.
//! - A replica that vanishes without a marker, just before the others say that the series ended, leaves it without a marker; it
//!   ends by the lookback then.

mod counter;
mod gaps;
mod group;
mod interval;
mod markers;
mod merge;
mod plan;
mod rewrite;
mod track;
mod view;

pub use counter::Kind;
pub use group::{Group, groups};
pub use merge::merge;
pub use rewrite::{MARGIN_MS, merge_series};
pub use view::Dedup;
