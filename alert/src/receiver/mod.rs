//! Receivers: what they are configured with, what they are sent, and how.

mod definition;
mod payload;
mod webhook;

pub(crate) use definition::{Receiver, UrlSource, Webhook, WebhookUrl};
pub(crate) use payload::{Message, Subject, idempotency_key};
