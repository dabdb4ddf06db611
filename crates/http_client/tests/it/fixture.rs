//! Clients out of configuration text.

use std::path::Path;
use std::time::Duration;

use config::{HttpClientConfig, HttpClientError, RawHttpClientConfig, Report};
use http_client::{Error, HttpClient};
use reqwest::Response;
use url::Url;

/// Long enough for a busy machine; no test waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn config(folder: &Path, words: &str) -> HttpClientConfig {
    let file = folder.join("a.yml");
    let raw: RawHttpClientConfig = config::load(words, &file).expect(words);
    let mut report = Report::new(&file);
    let config = HttpClientConfig::validate(raw, &mut report);
    report.finish(config).expect(words)
}

pub(crate) fn try_client(folder: &Path, words: &str) -> Result<HttpClient, HttpClientError> {
    HttpClient::new(&config(folder, words), PATIENCE)
}

pub(crate) fn client(folder: &Path, words: &str) -> HttpClient {
    try_client(folder, words).expect(words)
}

pub(crate) async fn get(client: &HttpClient, url: &str) -> Result<Response, Error> {
    client.get(url.parse::<Url>().expect("a URL")).send().await
}

/// The text that is answered.
pub(crate) async fn text(client: &HttpClient, url: &str) -> String {
    get(client, url).await.expect("an answer").text().await.expect("a text")
}

/// Why there is no answer, with all causes.
pub(crate) async fn failure(client: &HttpClient, url: &str) -> String {
    config::chain(&get(client, url).await.expect_err("no answer"))
}

/// Puts a file in the place of another, as whoever rotates secrets does.
pub(crate) fn replace(folder: &Path, name: &str, content: &str) {
    let draft = folder.join("draft");
    std::fs::write(&draft, content).expect("a draft");
    std::fs::rename(draft, folder.join(name)).expect("a file");
}
