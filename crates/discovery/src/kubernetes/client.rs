//! The two requests to the API: listing objects and watching them.

use std::time::Duration;

use config::HttpClientError;
use http_client::HttpClient;
use reqwest::{Response, StatusCode};
use url::Url;

use crate::kubernetes::access::{Access, AccessError};
use crate::kubernetes::kind::Kind;
use crate::kubernetes::object::record::Status;

/// A page of a list that is larger is not read.
const PAGE_BYTES_MAX: usize = 256 << 20;
/// One event of a watch that is larger is not read; the API server itself takes no object above a few megabytes.
const LINE_BYTES_MAX: usize = 16 << 20;
/// As much of an answer that refuses is read.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// A page has to be there within this.
const PAGE_PATIENCE: Duration = Duration::from_secs(60);
/// A watch has to begin within this.
const BEGIN_PATIENCE: Duration = Duration::from_secs(30);
/// A watch that says nothing for so long is taken for dead: there is a bookmark every minute.
const SILENCE_MAX: Duration = Duration::from_secs(150);

/// Which objects are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Query {
    pub(crate) kind: Kind,
    /// All where there is none.
    pub(crate) namespace: Option<String>,
    /// The selector for labels; nothing for all objects.
    pub(crate) label: String,
    /// The selector for fields; nothing for all objects.
    pub(crate) field: String,
}

impl Query {
    /// What is asked for, for people.
    pub(crate) fn describe(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} of the namespace {namespace:?}", self.kind.plural()),
            None => self.kind.plural().to_owned(),
        }
    }

    fn url(&self, server: &Url) -> Url {
        let mut url = server.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(self.kind.path(self.namespace.as_deref()));
        }
        for (name, value) in [("labelSelector", &self.label), ("fieldSelector", &self.field)] {
            if !value.is_empty() {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url
    }
}

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("the API server isn't known")]
    Access(#[from] AccessError),
    #[error("the HTTP client can't be used")]
    Client(#[from] HttpClientError),
    #[error("the request failed")]
    Request(#[from] http_client::Error),
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The version is too old to go on from: everything has to be listed anew.
    #[error("the version asked for is gone (410): {0}")]
    Gone(String),
    #[error(
        "the API server doesn't know who asks (401: {message}): check the credentials; those of a pod are the token of its service account, \
         which must be mounted"
    )]
    Unauthorized { message: String },
    #[error("the API server forbids it (403: {message}): allow the user or service account {rule}")]
    Forbidden { message: String, rule: String },
    #[error(
        "the API server has nothing there (404: {message}): it must serve the resource {plural} in version v1 of the API group {group:?}, and \
         the URL must be that of the API"
    )]
    NotFound { message: String, plural: &'static str, group: &'static str },
    #[error("the API server answered {code}: {message}")]
    Refused { code: u16, message: String },
    #[error("the list has more than {0} pages")]
    TooLong(usize),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the answer can't be read")]
    Json(#[from] serde_json::Error),
}

impl ApiError {
    /// Whether it is about this request, so that listing anew may help; not about the server's state, credentials or the network.
    pub(crate) fn is_about_version(&self) -> bool {
        match self {
            ApiError::Gone(_) => true,
            ApiError::Refused { code, .. } => (400..500).contains(code) && *code != 429,
            _ => false,
        }
    }

    /// The error of a status, which comes as an answer or within a watch.
    pub(crate) fn of_status(status: Status, query: &Query) -> ApiError {
        let Status { code, reason, message } = status;
        let message = if message.is_empty() { reason } else { message };
        let (plural, group) = (query.kind.plural(), query.kind.group());
        match code {
            401 => ApiError::Unauthorized { message },
            403 => ApiError::Forbidden { message, rule: rule(query) },
            404 => ApiError::NotFound { message, plural, group },
            410 => ApiError::Gone(message),
            _ => ApiError::Refused { code, message },
        }
    }
}

/// The rule of access control that a query needs.
fn rule(query: &Query) -> String {
    let role = match &query.namespace {
        Some(namespace) => format!("a Role in the namespace {namespace:?}"),
        None => "a ClusterRole".to_owned(),
    };
    let (plural, group) = (query.kind.plural(), query.kind.group());
    format!("the verbs list and watch on the resource {plural:?} of the API group {group:?}, by {role} and its binding")
}

/// Talks to one API server, with the credentials of the moment.
pub(crate) struct Client {
    http: HttpClient,
    access: Access,
}

impl Client {
    /// A client for a few requests: whoever goes on for longer makes a new one, so that keys and certificates may be replaced.
    pub(crate) fn new(access: Access) -> Result<Self, ApiError> {
        let http = HttpClient::new(&access.http, PAGE_PATIENCE)?;
        Ok(Client { http, access })
    }

    /// A page of the objects, as JSON. `next` is what the page before told; nothing for the first.
    pub(crate) async fn page(&self, query: &Query, limit: Option<u32>, next: &str) -> Result<Vec<u8>, ApiError> {
        let mut url = query.url(&self.access.server);
        if let Some(limit) = limit {
            url.query_pairs_mut().append_pair("limit", &limit.to_string());
        }
        if !next.is_empty() {
            url.query_pairs_mut().append_pair("continue", next);
        }
        let mut response = self.ask(query, url, PAGE_PATIENCE).await?;
        body(&mut response, PAGE_BYTES_MAX).await
    }

    /// What happens to the objects after `version`, for about as long as `patience`.
    pub(crate) async fn watch(&self, query: &Query, version: &str, patience: Duration) -> Result<Lines, ApiError> {
        let mut url = query.url(&self.access.server);
        url.query_pairs_mut()
            .append_pair("watch", "true")
            .append_pair("allowWatchBookmarks", "true")
            .append_pair("resourceVersion", version)
            .append_pair("timeoutSeconds", &patience.as_secs().to_string());
        let asking = self.ask(query, url, patience + BEGIN_PATIENCE);
        let response = tokio::time::timeout(BEGIN_PATIENCE, asking).await;
        let response = response.map_err(|_| ApiError::Silent(BEGIN_PATIENCE))??;
        Ok(Lines { response, buffer: Vec::new(), searched: 0 })
    }

    async fn ask(&self, query: &Query, url: Url, patience: Duration) -> Result<Response, ApiError> {
        let request = self.http.get(url).header(reqwest::header::ACCEPT, "application/json").timeout(patience);
        let mut response = request.send().await?;
        let code = response.status();
        if code == StatusCode::OK {
            return Ok(response);
        }
        let text = body(&mut response, REFUSAL_BYTES_MAX).await.unwrap_or_default();
        let status: Status = serde_json::from_slice(&text).unwrap_or_default();
        Err(ApiError::of_status(Status { code: code.as_u16(), ..status }, query))
    }
}

fn failed(error: reqwest::Error) -> ApiError {
    ApiError::Broken(error.without_url())
}

async fn body(response: &mut Response, bytes_max: usize) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&piece);
        if body.len() > bytes_max {
            return Err(ApiError::TooLarge(bytes_max));
        }
    }
    Ok(body)
}

/// The lines of a watch.
pub(crate) struct Lines {
    response: Response,
    buffer: Vec<u8>,
    /// So much of the buffer has no end of a line.
    searched: usize,
}

impl Lines {
    /// The next line; `None` when the server has ended the watch. Half a line at the end is dropped: it comes again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        loop {
            if let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(self.searched + end + 1);
                self.searched = 0;
                return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
            }
            self.searched = self.buffer.len();
            if self.searched > LINE_BYTES_MAX {
                return Err(ApiError::TooLarge(LINE_BYTES_MAX));
            }
            let piece = tokio::time::timeout(SILENCE_MAX, self.response.chunk()).await;
            match piece.map_err(|_| ApiError::Silent(SILENCE_MAX))?.map_err(failed)? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_where_the_api_has_the_objects() {
        let check = |kind: Kind, namespace: Option<&str>, server: &str, want: &str| {
            let query = Query {
                kind,
                namespace: namespace.map(str::to_owned),
                label: "app in (a,b)".to_owned(),
                field: String::new(),
            };
            let url = query.url(&Url::parse(server).expect("a URL"));
            assert_eq!(url.as_str(), format!("{want}?labelSelector=app+in+%28a%2Cb%29"));
        };
        check(Kind::Pod, None, "https://h:6443", "https://h:6443/api/v1/pods");
        check(Kind::Pod, Some("a"), "https://h/k8s/x/", "https://h/k8s/x/api/v1/namespaces/a/pods");
        check(Kind::Node, Some("a"), "https://h/", "https://h/api/v1/nodes");
        check(
            Kind::EndpointSlice,
            Some("a"),
            "https://h",
            "https://h/apis/discovery.k8s.io/v1/namespaces/a/endpointslices",
        );
        check(Kind::Ingress, None, "https://h", "https://h/apis/networking.k8s.io/v1/ingresses");
        check(Kind::Job, None, "https://h", "https://h/apis/batch/v1/jobs");
    }

    #[test]
    fn refusals_say_what_to_do() {
        let query = Query {
            kind: Kind::Ingress,
            namespace: Some("web".to_owned()),
            label: String::new(),
            field: String::new(),
        };
        let check = |code: u16, want: &str| {
            let status = Status { code, message: "no".to_owned(), ..Status::default() };
            assert_eq!(ApiError::of_status(status, &query).to_string(), want);
        };
        check(
            403,
            "the API server forbids it (403: no): allow the user or service account the verbs list and watch on the resource \"ingresses\" of \
             the API group \"networking.k8s.io\", by a Role in the namespace \"web\" and its binding",
        );
        check(
            401,
            "the API server doesn't know who asks (401: no): check the credentials; those of a pod are the token of its service account, which \
             must be mounted",
        );
        check(500, "the API server answered 500: no");
    }
}
