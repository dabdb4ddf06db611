//! Calling a webhook.

use bytes::Bytes;
use config::chain;
use reqwest::header::CONTENT_TYPE;

use crate::attempt::{SendError, judged};
use crate::receiver::definition::{UrlSource, Webhook, WebhookUrl};

impl UrlSource {
    /// The URL, read anew where it is in a file.
    pub(crate) async fn read(&self) -> Result<WebhookUrl, SendError> {
        match self {
            UrlSource::Inline(url) => Ok(url.clone()),
            UrlSource::File(path) => {
                let text = tokio::fs::read_to_string(path)
                    .await
                    .map_err(|e| SendError::Retry(format!("cannot read url_file {}: {e}", path.display())))?;
                WebhookUrl::parse(text.trim()).map_err(SendError::Refused)
            }
        }
    }
}

impl Webhook {
    /// Makes one attempt to deliver a message.
    pub(crate) async fn send(&self, body: Bytes, idempotency_key: &str) -> Result<(), SendError> {
        let url = self.url.read().await?;
        let request = self.client.post(url.expose().clone()).body(body);
        let request = request.header(CONTENT_TYPE, "application/json").header("Idempotency-Key", idempotency_key);
        let answer = request.send().await.map_err(|e| SendError::Retry(chain(&e)))?;
        judged("the receiver", answer.status())
    }
}
