//! Keeps a peer up to date: one task for each.
//!
//! Ordering: what changed last is told last, and what was told is told again only if the peer has started anew. Messages are
//! made one after the other, so a peer hears of a change as it is when its message leaves. A message without news goes out
//! every second: it is the sign of life, and renews the leases of what is being told. Cancellation: ends with the engine,
//! or when the peer is no longer configured; what a peer hasn't heard then it hears after the next start, because a start
//! tells everything.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use crate::engine::Engine;
use crate::pair::{From, Link, LinkError, STATE_PATH, StateHead, read, write_state};

/// How often a peer gets a sign of life at least.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long a peer may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the last messages may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Keeps a peer up to date for as long as it is one.
pub(crate) async fn run(engine: Arc<Engine>, link: Arc<Link>) {
    while engine.peers().has(&link) && !engine.stopping().is_cancelled() {
        if tell(&engine, &link).await {
            continue;
        }
        // A peer that is away isn't called at every change, but once it has called.
        let news = if link.may_answer() { &link.news } else { &link.back };
        tokio::select! {
            () = engine.stopping().cancelled() => {}
            () = news.notified() => {}
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
    }
    engine.metrics().cluster.forget(&link.config.address());
}

/// Tells peers what they haven't heard yet, at the end; those that don't answer soon hear of it after the next start.
pub(crate) async fn last_words(engine: &Engine) {
    let links = engine.peers().links();
    let all = links.iter().filter(|link| link.view().is_up).map(|link| async { while tell(engine, link).await {} });
    if tokio::time::timeout(LAST_WORDS, join_all(all)).await.is_err() {
        tracing::warn!("alert peers didn't hear everything before the end");
    }
}

/// Sends one message. Whether there is more to tell that the peer is able to hear.
async fn tell(engine: &Engine, link: &Link) -> bool {
    let acknowledged = link.acknowledged();
    let (me, batch, holds) =
        engine.with_state(|state, _, _| (state.me().clone(), state.news_after(acknowledged), state.holds()));
    let head = StateHead { from: From::new(me.clone()), holds, records: batch.records };
    let answer = link.post(STATE_PATH, write_state(&head, &batch.lines), PATIENCE).await;
    let answer = answer.and_then(|body| read::<From>(&body).map_err(|e| LinkError::Broken(e.to_string())));
    let peer = match answer {
        Ok(from) => from.member,
        Err(e) => {
            engine.metrics().cluster.behind(&link.config.address(), batch.records + batch.behind);
            if link.failed(&e) {
                tracing::warn!(peer = link.config.address(), error = %e, "an alert peer doesn't answer");
            }
            return false;
        }
    };
    if peer.name == me.name {
        tracing::error!(
            peer = link.config.address(),
            name = me.name,
            "an alert peer has our own name: is it this node itself, or was its data directory copied?"
        );
        return false;
    }
    let was_known = link.view().member.as_ref() == Some(&peer);
    link.answered(&peer);
    let follows = link.acknowledge(&peer, acknowledged, batch.upto);
    if !was_known {
        tracing::info!(peer = link.config.address(), name = peer.name, "an alert peer is there");
    }
    engine.metrics().cluster.behind(&link.config.address(), batch.behind);
    engine.count_peers();
    batch.behind > 0 || !follows
}
