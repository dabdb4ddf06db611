//! Access tokens: asking whoever gives them out.

use config::Secret;
use http_client::RequestBuilder;
use model::Timestamp;
use reqwest::StatusCode;
use serde::{Deserialize, Deserializer};

use crate::answer::{AnswerError, of_any_status};
use crate::cloud::lease::Leased;
use crate::cloud::retry::{Passing, is_passing, retry};

/// So much of what a server says about a refusal is told.
const REASON_CHARS_MAX: usize = 200;

/// Why there is no token. What was sent is not told, nor a body in another form than that of refusals.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("no token is given out: HTTP status {status}{}{reason}", if reason.is_empty() { "" } else { ": " })]
    Refused { status: StatusCode, reason: String },
    #[error("the answer has no token that can be read")]
    Unreadable,
}

impl Passing for TokenError {
    fn may_pass(&self) -> bool {
        matches!(self, TokenError::Refused { status, .. } if is_passing(*status))
    }
}

/// A token as it is given out. Some servers write numbers as text.
#[derive(Deserialize)]
struct Given {
    access_token: Secret,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<i64>,
    /// Since the epoch.
    #[serde(default, deserialize_with = "seconds")]
    expires_on: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
}

/// Asks for a token. `request` makes the request, anew for each try.
pub(crate) async fn token(now: Timestamp, request: impl Fn() -> RequestBuilder) -> Result<Leased<Secret>, TokenError> {
    let asking = async |request| match of_any_status(request).await? {
        (StatusCode::OK, body) => Ok(body),
        (status, body) => Err(refused(status, &body)),
    };
    let body = retry(|| asking(request())).await?;
    let given: Given = serde_json::from_slice(&body).map_err(|_| TokenError::Unreadable)?;
    if given.access_token.is_empty() {
        return Err(TokenError::Unreadable);
    }
    let ends_on = given.expires_on.map(|secs| Timestamp::from_ms(secs.saturating_mul(1000)));
    let ends_in = given.expires_in.map(|secs| now.saturating_add(secs.saturating_mul(1000)));
    Ok(Leased { value: given.access_token, until: ends_in.or(ends_on).or(Some(now)) })
}

fn refused(status: StatusCode, body: &[u8]) -> TokenError {
    let Refusal { error, error_description } = serde_json::from_slice(body).unwrap_or_default();
    let reason = [error.as_str(), error_description.lines().next().unwrap_or_default()];
    let reason: Vec<&str> = reason.into_iter().filter(|part| !part.is_empty()).collect();
    TokenError::Refused { status, reason: reason.join(": ").chars().take(REASON_CHARS_MAX).collect() }
}

fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i64),
        Text(String),
    }
    Ok(match Option::deserialize(from)? {
        Some(Written::Number(secs)) => Some(secs),
        Some(Written::Text(text)) => text.parse().ok(),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_why_in_one_line() {
        let check = |body: &str, want: &str| {
            assert_eq!(refused(StatusCode::UNAUTHORIZED, body.as_bytes()).to_string(), want);
        };
        let told = "no token is given out: HTTP status 401 Unauthorized";
        check(
            r#"{"error": "invalid_client", "error_description": "AADSTS7000215: wrong secret.\r\nTrace ID: 1"}"#,
            &format!("{told}: invalid_client: AADSTS7000215: wrong secret."),
        );
        check(r#"{"error": "invalid_grant"}"#, &format!("{told}: invalid_grant"));
        check("<html>client_secret=hunter2</html>", told);
    }

    #[test]
    fn numbers_may_be_text() {
        let check = |text: &str, want: Option<i64>| {
            let given: Given = serde_json::from_str(text).expect("a token");
            assert_eq!(given.expires_in, want, "{text}");
        };
        check(r#"{"access_token": "t", "expires_in": 3599}"#, Some(3599));
        check(r#"{"access_token": "t", "expires_in": "3599"}"#, Some(3599));
        check(r#"{"access_token": "t", "expires_in": ""}"#, None);
        check(r#"{"access_token": "t", "expires_in": null}"#, None);
        check(r#"{"access_token": "t"}"#, None);
    }
}
