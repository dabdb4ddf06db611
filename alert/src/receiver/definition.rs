//! Receivers as configured.

use std::fmt;
use std::path::PathBuf;

use config::Position;
use http_client::HttpClient;

/// A named receiver with its integrations.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// Its name.
    pub(crate) name: String,
    /// Where it stands in the file.
    pub(crate) position: Position,
    /// The webhooks it calls; none is allowed, such a receiver takes alerts and tells nobody.
    pub(crate) webhooks: Vec<Webhook>,
}

/// One of `webhook_configs`.
#[derive(Debug)]
pub(crate) struct Webhook {
    /// Where it sends to.
    pub(crate) url: UrlSource,
    /// Whether it hears of resolved alerts.
    pub(crate) send_resolved: bool,
    /// How many alerts a message may hold; 0 means any number.
    pub(crate) max_alerts: usize,
    /// What sends, with credentials and headers.
    pub(crate) client: HttpClient,
}

/// Where a webhook's URL comes from.
#[derive(Debug)]
pub(crate) enum UrlSource {
    /// The configuration.
    Inline(WebhookUrl),
    /// A file that is read at each sending.
    File(PathBuf),
}

/// A webhook's URL. Path and query often are the token that lets one in, so printing it shows the server only.
#[derive(Clone)]
pub(crate) struct WebhookUrl {
    written: String,
    url: reqwest::Url,
}

impl WebhookUrl {
    /// Reads an http or https URL.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = reqwest::Url::parse(text).map_err(|e| format!("the webhook's url is not a URL: {e}"))?;
        match url.scheme() {
            "http" | "https" => Ok(WebhookUrl { written: text.to_owned(), url }),
            other => Err(format!("unsupported scheme {other:?} for a webhook's url: want http or https")),
        }
    }

    /// The URL itself, for the one place that calls it.
    pub(crate) fn expose(&self) -> &reqwest::Url {
        &self.url
    }

    /// The text it was read from.
    pub(crate) fn written(&self) -> &str {
        &self.written
    }

    /// The URL for other eyes.
    pub(crate) fn shown(&self) -> String {
        let url = &self.url;
        let server = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let hides =
            url.path() != "/" || url.query().is_some() || !url.username().is_empty() || url.password().is_some();
        format!("{server}{port}/{}", if hides { "<secret>" } else { "" })
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_its_server_only() {
        let check = |text: &str, shown: &str| {
            let url = WebhookUrl::parse(text).unwrap();
            assert_eq!((url.shown(), format!("{url:?}")), (shown.to_owned(), shown.to_owned()));
        };
        check("http://127.0.0.1:5001/", "http://127.0.0.1:5001/");
        check("https://hooks.example.org/T000/B000/xyz", "https://hooks.example.org/<secret>");
        check("https://user:pass@example.org", "https://example.org/<secret>");
        check("https://example.org/?key=1", "https://example.org/<secret>");
        assert!(WebhookUrl::parse("ftp://example.org").unwrap_err().contains("unsupported scheme \"ftp\""));
        assert!(WebhookUrl::parse("example").unwrap_err().contains("not a URL"));
    }
}
