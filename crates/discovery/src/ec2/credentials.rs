//! Keys that requests to AWS are signed with.

use config::Secret;
use model::Timestamp;
use serde::Deserialize;

use crate::cloud::lease::Leased;

/// A key with its ID, and the token of a session where it is one of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) access_key: Secret,
    pub(crate) secret_key: Secret,
    pub(crate) session_token: Option<Secret>,
}

impl Credentials {
    /// A text with these credentials blotted out: some refusals quote the request.
    pub(crate) fn blot(&self, text: &str) -> String {
        let secrets = [Some(&self.secret_key), self.session_token.as_ref()];
        let secrets = secrets.into_iter().flatten().filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret.expose(), "<secret>"))
    }
}

/// Credentials as metadata servers tell them.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Told {
    /// `Success`, or what went wrong; empty where the server has no such word.
    code: String,
    access_key_id: Secret,
    secret_access_key: Secret,
    token: Secret,
    expiration: String,
}

impl Told {
    /// The credentials; nothing where there are none.
    pub(crate) fn leased(self) -> Option<Leased<Credentials>> {
        let is_good = matches!(self.code.as_str(), "" | "Success");
        leased(self.access_key_id, self.secret_access_key, self.token, &self.expiration).filter(|_| is_good)
    }
}

/// Credentials that hold until a time in RFC 3339; nothing where a part is missing.
pub(crate) fn leased(
    access_key: Secret,
    secret_key: Secret,
    token: Secret,
    expiration: &str,
) -> Option<Leased<Credentials>> {
    let session_token = Some(token).filter(|token| !token.is_empty());
    let is_whole = !access_key.is_empty() && !secret_key.is_empty();
    let until = match expiration {
        "" => None,
        text => Some(Timestamp::parse(text).ok()?),
    };
    is_whole.then_some(Leased { value: Credentials { access_key, secret_key, session_token }, until })
}
