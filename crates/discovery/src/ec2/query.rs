//! Queries to AWS: a form that is posted, and an answer in XML.

use config::HttpClientError;
use http_client::HttpClient;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, InvalidHeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::answer::{AnswerError, of_any_status};
use crate::cloud::retry::{Passing, is_passing, retry};
use crate::cloud::surroundings::Surroundings;
use crate::ec2::credentials::Credentials;
use crate::ec2::sign::{self, FORM, Scope};

/// So much of what AWS says about a refusal is told.
const MESSAGE_CHARS_MAX: usize = 300;

/// Refusals because of too many requests, whatever their status.
const BUSY: [&str; 7] = [
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "EC2ThrottledException",
    "TooManyRequestsException",
];
/// Refusals that other credentials may help against.
const UNAUTHORIZED: [&str; 7] = [
    "AuthFailure",
    "UnauthorizedOperation",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
];

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("the HTTP client can't be used")]
    Client(#[from] HttpClientError),
    #[error("the credentials have characters that a header must not have")]
    Header(#[from] InvalidHeaderValue),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("AWS answered {status}{}{reason}", if reason.is_empty() { "" } else { ": " })]
    Refused { status: StatusCode, code: String, reason: String },
    #[error("the answer can't be read")]
    Xml(#[source] quick_xml::DeError),
}

impl QueryError {
    /// Whether other credentials may help.
    pub(crate) fn is_about_credentials(&self) -> bool {
        matches!(self, QueryError::Refused { code, .. } if UNAUTHORIZED.contains(&code.as_str()))
    }
}

impl Passing for QueryError {
    fn may_pass(&self) -> bool {
        match self {
            QueryError::Refused { status, code, .. } => is_passing(*status) || BUSY.contains(&code.as_str()),
            _ => false,
        }
    }
}

/// A refusal: EC2 has `Errors` around it, STS has not.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Refusal {
    errors: Errors,
    error: Option<Reason>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Errors {
    error: Reason,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Reason {
    code: String,
    message: String,
}

/// Asks one service in one region.
pub(crate) struct Query<'a> {
    pub(crate) client: &'a HttpClient,
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) url: Url,
    pub(crate) service: &'static str,
    pub(crate) region: &'a str,
}

impl Query<'_> {
    /// Posts a form, signed where there are credentials, and reads the answer. Asks again where AWS is too busy.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        credentials: Option<&Credentials>,
        words: &[(&str, &str)],
    ) -> Result<T, QueryError> {
        let form = Serializer::new(String::new()).extend_pairs(words).finish();
        let body = retry(|| self.post(credentials, &form)).await?;
        quick_xml::de::from_reader(body.as_slice()).map_err(QueryError::Xml)
    }

    async fn post(&self, credentials: Option<&Credentials>, form: &str) -> Result<Vec<u8>, QueryError> {
        let scope = Scope { region: self.region, service: self.service, at: self.surroundings.now() };
        let headers = match credentials {
            Some(credentials) => sign::headers(credentials, scope, &self.url, form)?,
            None => HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(FORM))]),
        };
        let request = self.client.post(self.url.clone()).body(form.to_owned()).headers(&headers);
        match of_any_status(request).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, body) => Err(refused(status, &body, credentials)),
        }
    }
}

fn refused(status: StatusCode, body: &[u8], credentials: Option<&Credentials>) -> QueryError {
    let refusal: Refusal = quick_xml::de::from_reader(body).unwrap_or_default();
    let Reason { code, message } = refusal.error.unwrap_or(refusal.errors.error);
    let message = message.trim().lines().next().unwrap_or_default();
    let message = credentials.map_or_else(|| message.to_owned(), |credentials| credentials.blot(message));
    let reason = [code.as_str(), &message].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    QueryError::Refused { status, reason: reason.chars().take(MESSAGE_CHARS_MAX).collect(), code }
}

#[cfg(test)]
mod tests {
    use config::Secret;

    use super::*;

    #[test]
    fn refusals_say_why_and_no_secret() {
        let credentials = Credentials {
            access_key: Secret::new("AK"),
            secret_key: Secret::new("hunter2"),
            session_token: Some(Secret::new("geheim")),
        };
        let check = |body: &str, want: &str, may_pass: bool, is_about_credentials: bool| {
            let error = refused(StatusCode::BAD_REQUEST, body.as_bytes(), Some(&credentials));
            assert_eq!(error.to_string(), format!("AWS answered 400 Bad Request{want}"));
            assert_eq!((error.may_pass(), error.is_about_credentials()), (may_pass, is_about_credentials), "{body}");
        };
        let ec2 = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Too many\
                   </Message></Error></Errors><RequestID>1</RequestID></Response>";
        check(ec2, ": RequestLimitExceeded: Too many", true, false);
        let sts = "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>It differs: geheim \
                   hunter2\n\nThe canonical string is\nx-amz-security-token:geheim</Message></Error></ErrorResponse>";
        check(sts, ": SignatureDoesNotMatch: It differs: <secret> <secret>", false, true);
        check("garbage", "", false, false);
        check("<html><body>no</body></html>", "", false, false);
        // However deep an answer is nested, it takes no stack.
        check(&"<Errors>".repeat(300_000), "", false, false);
        check(&"<a>".repeat(300_000), "", false, false);
    }
}
