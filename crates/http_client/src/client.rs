//! A client for everything but scraping: redirects, credentials, and a bound on the time.

use std::fmt::{self, Display};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{HttpClientConfig, HttpClientError};
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue,
    LOCATION, TRANSFER_ENCODING,
};
use http::{Method, StatusCode};
use reqwest::{Body, Request, Response};
use tokio::time::Instant;
use url::Url;

use crate::connector::Connector;
use crate::credentials::Credentials;
use crate::error::{Error, REDIRECTS_MAX};
use crate::sender::Sender;
use crate::timed::Timed;

/// Sends requests as the configuration says, with its credentials. Copies share connections and tokens.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    sender: Sender,
    credentials: Credentials,
    follow_redirects: bool,
    timeout: Duration,
}

impl fmt::Debug for HttpClient {
    /// What it was made of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpClient").field(self.config()).finish()
    }
}

impl HttpClient {
    /// A client whose requests take at most `timeout`, to the last byte of the answer. Certificates and keys are read now, and
    /// again when their files have changed.
    ///
    /// # Errors
    /// They can't be used.
    pub fn new(config: &HttpClientConfig, timeout: Duration) -> Result<Self, HttpClientError> {
        HttpClient::with(Connector::new(config)?, config, timeout)
    }

    /// The same over a socket in the file system; the host of URLs means nothing. There is neither TLS nor a proxy.
    ///
    /// # Errors
    /// Files of the configuration can't be used.
    pub fn over_socket(config: &HttpClientConfig, socket: &Path, timeout: Duration) -> Result<Self, HttpClientError> {
        HttpClient::with(Connector::over_socket(config, socket)?, config, timeout)
    }

    fn with(connector: Connector, config: &HttpClientConfig, timeout: Duration) -> Result<Self, HttpClientError> {
        let (sender, credentials) = (Sender::new(connector), Credentials::new(config)?);
        Ok(HttpClient(Arc::new(Inner { sender, credentials, follow_redirects: config.follow_redirects, timeout })))
    }

    /// What it was made of.
    pub fn config(&self) -> &HttpClientConfig {
        self.0.credentials.config()
    }

    /// Begins a `GET`.
    pub fn get(&self, url: Url) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a `POST`.
    pub fn post(&self, url: Url) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Begins a `PUT`.
    pub fn put(&self, url: Url) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Begins a request.
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        RequestBuilder { client: self.clone(), request: Ok(Request::new(method, url)) }
    }

    /// Sends a request. The answer's head is here when this returns, its body comes as it is read. A timeout of the request's own
    /// takes the place of the client's.
    ///
    /// # Errors
    /// No answer came, or none in time. What answers is an answer, whatever its status.
    pub async fn execute(&self, request: Request) -> Result<Response, Error> {
        let patience = request.timeout().copied().unwrap_or(self.0.timeout);
        let deadline = Instant::now() + patience;
        match tokio::time::timeout_at(deadline, self.0.follow(request)).await {
            Ok(answer) => {
                let answer: http::Response<Body> = answer?.into();
                Ok(answer.map(|body| Body::wrap(Timed::new(body, deadline, patience))).into())
            }
            Err(_) => Err(Error::Timeout(patience)),
        }
    }
}

/// A request that is being written. What can't be written down is told when it is sent.
#[derive(Debug)]
#[must_use]
pub struct RequestBuilder {
    client: HttpClient,
    request: Result<Request, Error>,
}

impl RequestBuilder {
    /// Sets a header.
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Display>,
        V: TryInto<HeaderValue, Error: Display>,
    {
        self.request = self.request.and_then(|mut request| {
            let name = name.try_into().map_err(|error| Error::Request(error.to_string()))?;
            let value = value.try_into().map_err(|error| Error::Request(format!("the header {name}: {error}")))?;
            request.headers_mut().insert(name, value);
            Ok(request)
        });
        self
    }

    /// Sets headers, each with the last value that is given for it. What is configured takes their place.
    pub fn headers(mut self, headers: &HeaderMap) -> Self {
        if let Ok(request) = &mut self.request {
            set(request, headers);
        }
        self
    }

    /// Sets the body to a form.
    pub fn form(self, pairs: &[(&str, &str)]) -> Self {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")).body(form)
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        if let Ok(request) = &mut self.request {
            *request.body_mut() = Some(body.into());
        }
        self
    }

    /// Takes another bound on the time than the client's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        if let Ok(request) = &mut self.request {
            *request.timeout_mut() = Some(timeout);
        }
        self
    }

    /// Sends it; see [`HttpClient::execute`].
    ///
    /// # Errors
    /// No answer came, or none in time.
    pub async fn send(self) -> Result<Response, Error> {
        self.client.execute(self.request?).await
    }
}

impl Inner {
    /// The first answer that is no redirect.
    async fn follow(&self, request: Request) -> Result<Response, Error> {
        let first = request.url().clone();
        let mut next = request;
        for _ in 0..=REDIRECTS_MAX {
            let again = next.try_clone().filter(|_| self.follow_redirects);
            let at_home = is_same_origin(&first, next.url());
            let answer = if at_home { self.authorized(next).await? } else { self.sender.send(next).await? };
            match again.map(|again| redirected(again, &answer, &first)).transpose()?.flatten() {
                Some(request) => next = request,
                None => return Ok(answer),
            }
        }
        Err(Error::Redirects)
    }

    /// Sends a request with credentials. A token that isn't taken is replaced once.
    async fn authorized(&self, mut request: Request) -> Result<Response, Error> {
        let again = self.credentials.may_expire().then(|| request.try_clone()).flatten();
        let headers = self.credentials.headers().await?;
        set(&mut request, &headers);
        let answer = self.sender.send(request).await?;
        match again {
            Some(mut request) if answer.status() == StatusCode::UNAUTHORIZED && self.credentials.refused(&headers) => {
                set(&mut request, &self.credentials.headers().await?);
                self.sender.send(request).await
            }
            _ => Ok(answer),
        }
    }
}

/// What is configured takes the place of what the request has.
fn set(request: &mut Request, headers: &HeaderMap) {
    for name in headers.keys() {
        request.headers_mut().remove(name);
    }
    for (name, value) in headers {
        request.headers_mut().append(name, value.clone());
    }
}

/// The request that an answer asks for; none if it is no redirect.
fn redirected(mut request: Request, answer: &Response, first: &Url) -> Result<Option<Request>, Error> {
    let status = answer.status().as_u16();
    let Some(location) = answer.headers().get(LOCATION).filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308))
    else {
        return Ok(None);
    };
    let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
    let url = match request.url().join(&location) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => return Err(Error::Location(location)),
    };
    if matches!(status, 301..=303) && !matches!(*request.method(), Method::GET | Method::HEAD) {
        *request.method_mut() = Method::GET;
        *request.body_mut() = None;
        for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING] {
            request.headers_mut().remove(name);
        }
    }
    if !is_same_origin(first, &url) {
        request.headers_mut().remove(AUTHORIZATION);
        request.headers_mut().remove(COOKIE);
    }
    *request.url_mut() = url;
    Ok(Some(request))
}

/// Whether two URLs have scheme, host and port in common.
pub fn is_same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.port_or_known_default() == b.port_or_known_default() && a.host_str() == b.host_str()
}
