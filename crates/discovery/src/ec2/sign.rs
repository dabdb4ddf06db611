//! Signature version 4 of requests to AWS, as far as queries need it: a form that is posted.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>. Crates for it bring clients' runtimes or ask the
//! machine for the time.

use aws_lc_rs::{digest, hmac};
use model::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use url::Url;

use crate::ec2::credentials::Credentials;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The media type of what is posted.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// For which service, in which region and when a signature holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) at: Timestamp,
}

/// The headers of a form that is posted to a URL, its signature among them.
pub(crate) fn headers(
    credentials: &Credentials,
    scope: Scope<'_>,
    url: &Url,
    form: &str,
) -> Result<HeaderMap, InvalidHeaderValue> {
    let (host, time) = (host(url), time(scope.at));
    let mut signed = vec![("content-type", FORM), ("host", host.as_str()), ("x-amz-date", time.as_str())];
    if let Some(token) = &credentials.session_token {
        signed.push(("x-amz-security-token", token.expose()));
    }
    let authorization = authorization(credentials, scope, url.path(), &signed, form);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    headers.insert(HeaderName::from_static("x-amz-date"), HeaderValue::from_str(&time)?);
    if let Some(token) = &credentials.session_token {
        headers.insert(HeaderName::from_static("x-amz-security-token"), sensitive(token.expose())?);
    }
    headers.insert(AUTHORIZATION, sensitive(&authorization)?);
    Ok(headers)
}

fn sensitive(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The `Authorization` header of a post with these headers, which are sorted.
fn authorization(
    credentials: &Credentials,
    scope: Scope<'_>,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> String {
    let time = time(scope.at);
    let date = &time[..8];
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let request = format!("POST\n{path}\n\n{lines}\n{names}\n{}", sha256(body));
    let place = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
    let text = format!("{ALGORITHM}\n{time}\n{place}\n{}", sha256(&request));

    let first = format!("AWS4{}", credentials.secret_key.expose());
    let parts = [date, scope.region, scope.service, "aws4_request", &text];
    let signature = parts.iter().fold(first.into_bytes(), |key, part| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        hmac::sign(&key, part.as_bytes()).as_ref().to_vec()
    });
    let access_key = credentials.access_key.expose();
    format!("{ALGORITHM} Credential={access_key}/{place}, SignedHeaders={names}, Signature={}", hex(&signature))
}

/// As the client writes it into `Host`.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// As 20150830T123600Z.
fn time(at: Timestamp) -> String {
    let mut text = at.align_down(1000).to_rfc3339();
    text.retain(|character| !matches!(character, '-' | ':'));
    text
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use config::Secret;

    use super::*;

    fn credentials(token: Option<&str>) -> Credentials {
        Credentials {
            access_key: Secret::new("AKIDEXAMPLE"),
            secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(Secret::new),
        }
    }

    fn scope() -> Scope<'static> {
        let at = Timestamp::parse("2015-08-30T12:36:00.789Z").expect("a time");
        Scope { region: "us-east-1", service: "service", at }
    }

    /// Those of AWS's own test suite for signature version 4 that post something.
    #[test]
    fn signs_as_the_published_examples() {
        const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        let (host, date) = (("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z"));
        let check = |headers: &[(&str, &str)], body: &str, want: &str| {
            let got = authorization(&credentials(None), scope(), "/", headers, body);
            let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
            let place = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
            let names = names.join(";");
            assert_eq!(got, format!("{ALGORITHM} Credential={place}, SignedHeaders={names}, Signature={want}"));
        };
        check(&[host, date], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
        check(
            &[("content-type", FORM), host, date],
            "Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        );
        check(
            &[host, date, ("x-amz-security-token", TOKEN)],
            "",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        );
    }

    #[test]
    fn what_is_signed_is_sent() {
        let url = Url::parse("https://example.amazonaws.com/").expect("a URL");
        let got = headers(&credentials(None), scope(), &url, "Param1=value1").expect("headers");
        let text = got[AUTHORIZATION].to_str().expect("text");
        let want = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a";
        assert!(text.ends_with(want), "{text}");
        assert_eq!(got["x-amz-date"], "20150830T123600Z");
        let got = headers(&credentials(Some("geheim")), scope(), &url, "").expect("headers");
        assert_eq!(got["x-amz-security-token"], "geheim");
        assert!(!format!("{got:?}").contains("geheim"), "{got:?}");
        assert_eq!(host(&Url::parse("http://127.0.0.1:5000/").expect("a URL")), "127.0.0.1:5000");
    }
}
