//! Tokens of `oauth2`: fetched once for all who need one, kept until shortly before they end.
//!
//! Ordering: whoever comes while a token is being fetched waits for that one. Cancellation: fetching is a task of its own, so
//! that it goes on when who began it gives up, as a scrape does at its timeout; the next one finds the token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use config::{HttpClientConfig, HttpClientError, OAuth2Config, Secret, chain};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use parking_lot::Mutex;
use reqwest::{Body, Request, Response};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use url::form_urlencoded;

use crate::connector::Connector;
use crate::error::TokenError;
use crate::sender::Sender;

/// So long before its end a token isn't used any more.
const MARGIN: Duration = Duration::from_secs(10);
/// How long a token is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// An answer with a token may not be longer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// So much of what a server says of a refusal is told.
const REASON_CHARS_MAX: usize = 200;

/// Where the requests of one client get their token from.
#[derive(Clone)]
pub(crate) struct TokenSource(Arc<Source>);

struct Source {
    config: OAuth2Config,
    sender: Sender,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    fetching: Option<Fetching>,
    /// Where the server wants the client's name and secret.
    place: Option<Place>,
}

type Fetching = Shared<BoxFuture<'static, Result<HeaderValue, TokenError>>>;

struct Token {
    header: HeaderValue,
    /// The secret that it was given for.
    secret: Secret,
    end: Option<Instant>,
}

/// Where name and secret stand in a request for a token.
#[derive(Clone, Copy)]
enum Place {
    Header,
    Body,
}

/// What a server answers.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    access_token: Secret,
    token_type: String,
    /// Seconds; some servers write a text.
    expires_in: Value,
    error: String,
    error_description: String,
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenSource").field(&self.0.config).finish()
    }
}

impl TokenSource {
    pub(crate) fn new(config: &OAuth2Config) -> Result<Self, HttpClientError> {
        let http =
            HttpClientConfig { tls: config.tls.clone(), proxy: config.proxy.clone(), ..HttpClientConfig::default() };
        let source =
            Source { config: config.clone(), sender: Sender::new(Connector::new(&http)?), state: Mutex::default() };
        Ok(TokenSource(Arc::new(source)))
    }

    /// The value of `Authorization`.
    pub(crate) async fn header(&self) -> Result<HeaderValue, TokenError> {
        let secret = self.0.config.client_secret.read().map_err(|error| self.0.failed(chain(&error)))?;
        let fetching = {
            let mut state = self.0.state.lock();
            let is_over = |token: &Token| token.end.is_some_and(|end| end <= Instant::now());
            if let Some(token) = state.token.as_ref().filter(|token| token.secret == secret && !is_over(token)) {
                return Ok(token.header.clone());
            }
            // One whose runtime has ended, or that panicked, couldn't take itself away.
            state.fetching.take_if(|fetching| fetching.peek().is_some());
            state.fetching.get_or_insert_with(|| self.begin(secret)).clone()
        };
        fetching.await
    }

    /// Forgets a token that a server didn't take. Another one may have come since then.
    pub(crate) fn forget(&self, header: &HeaderValue) {
        self.0.state.lock().token.take_if(|token| token.header == *header);
    }

    fn begin(&self, secret: Secret) -> Fetching {
        let source = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let fetched = tokio::time::timeout(PATIENCE, source.fetch(&secret)).await;
            let fetched = fetched.unwrap_or_else(|_| Err(source.failed(format!("no answer within {PATIENCE:?}"))));
            let mut state = source.state.lock();
            state.fetching = None;
            let token = fetched?;
            let header = token.header.clone();
            state.token = Some(token);
            Ok(header)
        });
        let source = Arc::clone(&self.0);
        let waiting = async move { task.await.unwrap_or_else(|error| Err(source.failed(error.to_string()))) };
        waiting.boxed().shared()
    }
}

impl Source {
    fn failed(&self, reason: String) -> TokenError {
        let mut url = self.config.token_url.clone();
        url.set_query(None);
        let _ = url.set_password(None); // only a URL without a host refuses
        TokenError { url: url.into(), reason }
    }

    /// A new token. Servers differ in where they look for name and secret, and don't say so: one place is tried after the other.
    async fn fetch(&self, secret: &Secret) -> Result<Token, TokenError> {
        let place = self.state.lock().place;
        if let Some(place) = place {
            return self.ask(secret, place).await;
        }
        let (token, place) = match self.ask(secret, Place::Header).await {
            Ok(token) => (token, Place::Header),
            Err(first) => match self.ask(secret, Place::Body).await {
                Ok(token) => (token, Place::Body),
                Err(_) => return Err(first),
            },
        };
        self.state.lock().place = Some(place);
        Ok(token)
    }

    async fn ask(&self, secret: &Secret, place: Place) -> Result<Token, TokenError> {
        let asked = Instant::now();
        let answer =
            self.sender.send(self.request(secret, place)?).await.map_err(|error| self.failed(chain(&error)))?;
        let status = answer.status();
        let form = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| {
            let kind = kind.as_bytes();
            kind.starts_with(b"application/x-www-form-urlencoded") || kind.starts_with(b"text/plain")
        });
        let text = self.read(answer).await?;
        let answer = if form { Answer::from_form(&text) } else { serde_json::from_slice(&text).ok() };
        let said: Answer = match answer {
            Some(answer) => answer,
            None if status.is_success() => return Err(self.failed("the answer is not JSON".to_owned())),
            None => Answer::default(),
        };
        if !status.is_success() || !said.error.is_empty() {
            return Err(self.failed(said.refusal(status)));
        }
        let mut header = match said.access_token.is_empty() {
            true => return Err(self.failed("the answer has no access_token".to_owned())),
            false => HeaderValue::from_str(&format!("{} {}", said.scheme(), said.access_token.expose())),
        }
        .map_err(|_| self.failed("the token has characters that a header must not have".to_owned()))?;
        header.set_sensitive(true);
        let end = said.lifetime().and_then(|lifetime| asked.checked_add(lifetime.saturating_sub(MARGIN)));
        Ok(Token { header, secret: secret.clone(), end })
    }

    fn request(&self, secret: &Secret, place: Place) -> Result<Request, TokenError> {
        let config = &self.config;
        let mut form = form_urlencoded::Serializer::new(String::new());
        if !config.endpoint_params.contains_key("grant_type") {
            form.append_pair("grant_type", "client_credentials");
        }
        if !config.scopes.is_empty() {
            form.append_pair("scope", &config.scopes.join(" "));
        }
        for (name, value) in &config.endpoint_params {
            form.append_pair(name, value.expose());
        }
        let mut request = Request::new(Method::POST, config.token_url.clone());
        match place {
            Place::Body => {
                form.append_pair("client_id", &config.client_id);
                form.append_pair("client_secret", secret.expose());
            }
            Place::Header => {
                let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(&config.client_id), encoded(secret.expose()));
                let value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair)));
                let mut value = value.map_err(|error| self.failed(error.to_string()))?;
                value.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, value);
            }
        }
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        *request.body_mut() = Some(Body::from(form.finish()));
        Ok(request)
    }

    async fn read(&self, mut answer: Response) -> Result<Vec<u8>, TokenError> {
        let mut text = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.failed(chain(&error.without_url())))? {
            text.extend_from_slice(&piece);
            if text.len() > ANSWER_BYTES_MAX {
                return Err(self.failed(format!("the answer has more than {ANSWER_BYTES_MAX} bytes")));
            }
        }
        Ok(text)
    }
}

impl Answer {
    fn from_form(text: &[u8]) -> Option<Self> {
        let mut answer = Answer::default();
        for (name, value) in form_urlencoded::parse(text) {
            match &*name {
                "access_token" => answer.access_token = Secret::new(value),
                "token_type" => answer.token_type = value.into_owned(),
                "expires_in" => answer.expires_in = Value::String(value.into_owned()),
                "error" => answer.error = value.into_owned(),
                "error_description" => answer.error_description = value.into_owned(),
                _ => {}
            }
        }
        Some(answer)
    }

    /// How the token is called in a header; servers write its kind in any case.
    fn scheme(&self) -> &str {
        match self.token_type.as_str() {
            "" => "Bearer",
            kind if kind.eq_ignore_ascii_case("bearer") => "Bearer",
            kind => kind,
        }
    }

    /// How long the token lasts, where that is said.
    fn lifetime(&self) -> Option<Duration> {
        let seconds = self.expires_in.as_f64().or_else(|| self.expires_in.as_str()?.parse().ok())?;
        (seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
    }

    fn refusal(&self, status: StatusCode) -> String {
        let words = [status.to_string(), self.error.clone(), self.error_description.clone()];
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
        words.join(": ").chars().take(REASON_CHARS_MAX).collect()
    }
}
