//! All peers together.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::join_all;
use model::Timestamp;

use crate::pair::definition::PairConfig;
use crate::pair::intents::{Answer, Member};
use crate::pair::link::Link;
use crate::pair::wire::{self, From, INTENT_PATH, Intent, IntentAnswer};

/// How long one waits for the answer of a peer that goes after oneself.
const PATIENCE: Duration = Duration::from_millis(500);
/// And of one that goes first: it may be slow because it is telling a lot.
const PATIENCE_BEHIND: Duration = Duration::from_secs(2);

/// The peers of an instance. They can be exchanged while it runs.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    links: ArcSwap<Vec<Arc<Link>>>,
}

/// What the peers said to an intent.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The answers of those that gave one.
    pub answers: Vec<Answer>,
    /// Those that hold still now.
    pub granted: Vec<Arc<Link>>,
}

impl Peers {
    /// Puts these peers in place of those before, and gives those that are new. What is known of one that stays is kept.
    pub(crate) fn set(&self, config: &PairConfig) -> Vec<Arc<Link>> {
        let old = self.links.load();
        let (mut links, mut new) = (Vec::new(), Vec::new());
        for peer in &config.peers {
            let known = old.iter().find(|link| link.config.is_same(peer)).cloned();
            links.push(known.unwrap_or_else(|| {
                let link = Arc::new(Link::new(peer.clone()));
                new.push(Arc::clone(&link));
                link
            }));
        }
        self.links.store(Arc::new(links));
        new
    }

    /// The ways to them.
    pub(crate) fn links(&self) -> Arc<Vec<Arc<Link>>> {
        self.links.load_full()
    }

    /// Whether a way is still one of them.
    pub(crate) fn has(&self, link: &Arc<Link>) -> bool {
        self.links.load().iter().any(|known| Arc::ptr_eq(known, link))
    }

    /// Says that there is something to tell all of them.
    pub(crate) fn news(&self) {
        self.links.load().iter().for_each(|link| link.news.notify_one());
    }

    /// Says that the peer with this name is there, to look whether the way to it is free again.
    pub(crate) fn heard_of(&self, member: &Member) {
        for link in self.links.load().iter() {
            let view = link.view();
            if !view.is_up && view.member.is_none_or(|known| known.name == member.name) {
                link.back.notify_one();
            }
        }
    }

    /// Asks all that may answer whether this may be told. Nobody is waited for long.
    pub(crate) async fn ask(&self, me: &Member, key: &str, after: Option<Timestamp>) -> Asked {
        let links = self.links();
        let intent = Intent { from: From::new(me.clone()), key: key.to_owned(), after, gives_back: false };
        let body = wire::write(&intent);
        let asks = links.iter().filter(|link| link.may_answer()).map(|link| ask_one(link, me, body.clone()));
        let mut asked = Asked::default();
        for (link, answer) in join_all(asks).await.into_iter().flatten() {
            asked.granted.extend((answer == Answer::Granted).then_some(link));
            asked.answers.push(answer);
        }
        asked
    }
}

async fn ask_one(link: &Arc<Link>, me: &Member, body: Vec<u8>) -> Option<(Arc<Link>, Answer)> {
    let goes_after_us = link.view().member.is_some_and(|peer| me.name < peer.name);
    let patience = if goes_after_us { PATIENCE } else { PATIENCE_BEHIND };
    match link.post(INTENT_PATH, body, patience).await {
        Ok(body) => {
            let answer: IntentAnswer = wire::read(&body).ok()?;
            link.answered(&answer.from.member);
            Some((Arc::clone(link), answer.answer))
        }
        Err(e) => {
            link.failed(&e);
            None
        }
    }
}

/// Tells those that hold still that they needn't. One that doesn't hear of it holds still until the lease ends.
pub(crate) async fn give_back(links: &[Arc<Link>], me: &Member, key: &str) {
    let intent = Intent { from: From::new(me.clone()), key: key.to_owned(), after: None, gives_back: true };
    let body = wire::write(&intent);
    join_all(links.iter().map(|link| link.post(INTENT_PATH, body.clone(), PATIENCE))).await;
}
