//! Calling a webhook.

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;

use crate::attempt::{SendError, chain, judged};
use crate::receiver::definition::{UrlSource, Webhook, WebhookUrl};

impl Webhook {
    /// Makes one attempt to deliver a message.
    pub(crate) async fn send(&self, body: Bytes, idempotency_key: &str) -> Result<(), SendError> {
        let url = match &self.url {
            UrlSource::Inline(url) => url.clone(),
            UrlSource::File(path) => {
                let text = tokio::fs::read_to_string(path)
                    .await
                    .map_err(|e| SendError::Retry(format!("cannot read url_file {}: {e}", path.display())))?;
                WebhookUrl::parse(text.trim()).map_err(SendError::Refused)?
            }
        };
        let request = self.client.post(url.expose().clone()).body(body);
        let request = self.http.authorize(request).map_err(|e| SendError::Retry(chain(&e)))?;
        let request = request.header(CONTENT_TYPE, "application/json").header("Idempotency-Key", idempotency_key);
        let answer = request.send().await.map_err(|e| SendError::Retry(chain(&e.without_url())))?;
        judged("the receiver", answer.status())
    }
}
