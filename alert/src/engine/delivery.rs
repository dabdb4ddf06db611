//! Telling one group: a message to each integration of its receiver, attempted until it is taken.
//!
//! Where there are peers, every attempt begins with asking them whose turn it is. The permit for an attempt is had before,
//! so that peers don't hold still for one who waits.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::attempt::SendError;
use crate::cluster_metrics::Turn;
use crate::engine::Engine;
use crate::loading::Config;
use crate::metrics::{Failure, Integration};
use crate::pair::{Answer, give_back};
use crate::receiver::{Message, Subject, Webhook, idempotency_key};
use crate::state::{Claim, Delivery, Outcome, Plan};

/// A group's notification may take its `group_interval`, but never less than this.
const DELIVERY_TIME_MIN: Duration = Duration::from_secs(10);
/// The waits between attempts: doubling between these.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

const WEBHOOK: Integration = Integration { integration: "webhook" };

/// What came of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The receiver has it.
    Delivered,
    /// The receiver doesn't have it.
    Failed,
    /// A peer tells it, or has.
    Elsewhere,
}

impl Engine {
    /// Tells a group that is due.
    pub(super) async fn tell(self: Arc<Self>, plan: Plan, config: Arc<Config>) {
        let route = config.routes.get(plan.flush.route);
        let interval = Duration::from_millis(u64::try_from(route.group_interval_ms).unwrap_or(0));
        let deadline = Instant::now() + interval.max(DELIVERY_TIME_MIN);
        let deliveries = plan.deliveries.iter().map(|delivery| self.deliver(&plan, delivery, &config, deadline));
        let outcomes = futures::future::join_all(deliveries).await;
        let elsewhere = outcomes.iter().zip(&plan.deliveries).filter(|(outcome, _)| **outcome == Told::Elsewhere);
        let elsewhere: Vec<String> = elsewhere.map(|(_, delivery)| delivery.intent.key.clone()).collect();
        let outcome = if !elsewhere.is_empty() {
            Outcome::Elsewhere(elsewhere)
        } else if outcomes.contains(&Told::Failed) {
            Outcome::Failed
        } else {
            Outcome::Delivered
        };
        self.with_state(|state, _, now| state.finish(&plan.flush, &outcome, now, self.at()));
        self.wake.notify_one();
    }

    /// Delivers one message.
    async fn deliver(&self, plan: &Plan, delivery: &Delivery, config: &Config, deadline: Instant) -> Told {
        let route = config.routes.get(plan.flush.route);
        let webhook = config.receiver(&route.receiver).and_then(|receiver| receiver.webhooks.get(delivery.integration));
        if let Some(webhook) = webhook.filter(|_| !delivery.alerts.is_empty()) {
            let subject = Subject {
                receiver: &route.receiver,
                route_key: &route.key,
                group_labels: &plan.flush.group.labels,
                external_url: &self.options.external_url,
            };
            let message = Message::new(&subject, &delivery.alerts, webhook.max_alerts, plan.flush.at);
            match self.send(webhook, &message, delivery, deadline).await {
                Ok(true) => {}
                Ok(false) => return Told::Elsewhere,
                Err(e) => {
                    let reason = if matches!(e, SendError::Refused(_)) { "clientError" } else { "serverError" };
                    self.metrics.failed.get_or_create(&Failure { integration: "webhook", reason }).inc();
                    tracing::error!(receiver = route.receiver, group = %plan.flush.group.labels, error = %e, "notification failed");
                    return Told::Failed;
                }
            }
        }
        let recorded = self.change(|state, _| state.record(delivery.intent.clone()));
        self.note(recorded);
        Told::Delivered
    }

    /// Attempts until the message is taken or refused, or time is up. False: a peer tells it, or has.
    async fn send(
        &self,
        webhook: &Webhook,
        message: &Message,
        delivery: &Delivery,
        deadline: Instant,
    ) -> Result<bool, SendError> {
        let body =
            serde_json::to_vec(message).map_err(|e| SendError::Refused(format!("cannot write the message: {e}")))?;
        let body = Bytes::from(body);
        let (mut wait, wait_max) = BACKOFF;
        let mut attempts = 0_u32;
        loop {
            attempts += 1;
            let attempt = self.attempt(webhook, body.clone(), delivery, attempts == 1);
            let reason = match tokio::time::timeout_at(deadline, attempt).await {
                Ok(Ok(taken)) => return Ok(taken),
                Ok(Err(SendError::Retry(reason))) => reason,
                Ok(Err(refused)) => return Err(refused),
                Err(_) => {
                    self.give_up(&delivery.intent.key).await;
                    "the receiver didn't answer in time".to_owned()
                }
            };
            if attempts == 1 {
                tracing::warn!(error = reason, "notification failed, trying again");
            }
            let given_up = Instant::now() + wait >= deadline;
            let stopped =
                tokio::time::timeout(if given_up { Duration::ZERO } else { wait }, self.stop.cancelled()).await;
            if given_up || stopped.is_ok() {
                return Err(SendError::Retry(format!("{reason} ({attempts} attempts)")));
            }
            wait = (wait * 2).min(wait_max);
        }
    }

    /// Makes one attempt, if it is our turn. Having failed, it is anybody's. False: it is a peer's turn.
    async fn attempt(
        &self,
        webhook: &Webhook,
        body: Bytes,
        delivery: &Delivery,
        is_first: bool,
    ) -> Result<bool, SendError> {
        let permit = self.attempts.acquire().await.map_err(|e| SendError::Retry(e.to_string()))?;
        if !self.is_our_turn(delivery).await {
            return Ok(false);
        }
        if is_first {
            self.metrics.notifications.get_or_create(&WEBHOOK).inc();
        }
        let begun = Instant::now();
        let key = idempotency_key(&delivery.intent, &delivery.alerts, delivery.last);
        let outcome = webhook.send(body, &key).await;
        drop(permit);
        self.metrics.requests.get_or_create(&WEBHOOK).inc();
        self.metrics.latency.get_or_create(&WEBHOOK).observe(begun.elapsed().as_secs_f64());
        if outcome.is_err() {
            self.metrics.requests_failed.get_or_create(&WEBHOOK).inc();
            self.give_up(&delivery.intent.key).await;
        }
        outcome.map(|()| true)
    }

    /// Asks the peers whether this is to be told by us.
    async fn is_our_turn(&self, delivery: &Delivery) -> bool {
        let key = &delivery.intent.key;
        let (claim, me) = self.with_state(|state, _, now| (state.claim(delivery, now, self.at()), state.me().clone()));
        if claim != Claim::Ask {
            self.metrics.cluster.turn(if claim == Claim::Told { Turn::Told } else { Turn::Held });
            return false;
        }
        let asked = self.peers.ask(&me, key, delivery.last).await;
        let turn = match (&asked.answers[..], asked.granted.len()) {
            ([], _) => Turn::Alone,
            (answers, granted) if answers.len() == granted => Turn::Granted,
            (answers, _) if answers.iter().any(|answer| matches!(answer, Answer::Sent(_))) => Turn::Told,
            _ => Turn::Held,
        };
        self.metrics.cluster.turn(turn);
        let decided = self
            .with_state(|state, config, now| state.decide(key, delivery.last, asked.answers, config, now, self.at()));
        match decided {
            Ok(true) => true,
            Ok(false) => {
                give_back(&asked.granted, &me, key).await;
                false
            }
            Err(e) => {
                self.note(Err(e));
                false
            }
        }
    }

    /// Ends an attempt that came to nothing; a peer may try, whose network may be better.
    async fn give_up(&self, key: &str) {
        let me = self.with_state(|state, _, _| {
            state.give_up(key);
            state.me().clone()
        });
        let up: Vec<_> = self.peers.links().iter().filter(|link| link.view().is_up).cloned().collect();
        give_back(&up, &me, key).await;
    }
}
