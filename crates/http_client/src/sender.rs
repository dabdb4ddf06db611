//! One request, one answer, over connections that are kept.

use std::error::Error as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use config::{HttpClientError, chain};
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use reqwest::{Body, Request, Response};
use tower_service::Service;
use url::Url;

use crate::connector::{ConnectError, Connector};
use crate::error::Error;
use crate::stream::Stream;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("Watershed/", env!("CARGO_PKG_VERSION")));

type Pool = Client<Dial, Body>;

/// Sends requests as they are, and follows no redirect.
pub(crate) struct Sender {
    connector: Arc<Connector>,
    /// The connections that are kept, and the count of TLS configurations that they were made with.
    pool: Mutex<(Option<u64>, Pool)>,
}

impl Sender {
    pub(crate) fn new(connector: Connector) -> Self {
        let connector = Arc::new(connector);
        let pool = Mutex::new((None, pool(&connector)));
        Sender { connector, pool }
    }

    pub(crate) async fn send(&self, mut request: Request) -> Result<Response, Error> {
        own_credentials(&mut request)?;
        let url = request.url().clone();
        let headers = request.headers_mut();
        headers.entry(USER_AGENT).or_insert(AGENT);
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if let Some(proxy) = self.connector.forwarding(&url)
            && let Some(value) = proxy.authorization()
        {
            headers.insert(PROXY_AUTHORIZATION, value);
        }
        let request: http::Request<Body> =
            request.try_into().map_err(|error: reqwest::Error| Error::Request(error.without_url().to_string()))?;
        let answer = self.pool(&url)?.request(request).await.map_err(|error| failed(&error))?;
        Ok(answer.map(Body::wrap).into())
    }

    /// The connections to the server of a URL. Those made with keys or certificates that have been replaced are given up.
    fn pool(&self, url: &Url) -> Result<Pool, HttpClientError> {
        let generation = self.connector.generation(url)?;
        let mut kept = self.pool.lock();
        if generation.is_some() && kept.0 != generation {
            *kept = (generation, pool(&self.connector));
        }
        Ok(kept.1.clone())
    }
}

fn pool(connector: &Arc<Connector>) -> Pool {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .build(Dial(Arc::clone(connector)))
}

/// User and password in a URL are sent as `Authorization`, if nothing else is.
fn own_credentials(request: &mut Request) -> Result<(), Error> {
    let url = request.url_mut();
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pair = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
    // Only a URL without a host refuses, and that one has no user either.
    let _ = (url.set_username(""), url.set_password(None));
    let value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair)));
    let mut value = value.map_err(|error| Error::Request(error.to_string()))?;
    value.set_sensitive(true);
    request.headers_mut().entry(AUTHORIZATION).or_insert(value);
    Ok(())
}

/// What went wrong, without the pool's own words before it.
fn failed(error: &hyper_util::client::legacy::Error) -> Error {
    let reason = error.source().map_or_else(|| error.to_string(), chain);
    if error.is_connect() { Error::Connect(reason) } else { Error::Exchange(reason) }
}

/// The connector as the pool calls it.
#[derive(Debug, Clone)]
struct Dial(Arc<Connector>);

impl Service<Uri> for Dial {
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = Arc::clone(&self.0);
        Box::pin(async move {
            let url = Url::parse(&uri.to_string()).map_err(|_| ConnectError::Address(uri.to_string()))?;
            connector.connect(&url).await.map(TokioIo::new)
        })
    }
}
