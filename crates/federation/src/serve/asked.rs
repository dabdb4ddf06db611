//! What a request asks for, as it was written.

use crate::serve::error::FederateError;

/// The parameters of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) selectors: Vec<String>,
    pub(super) cursor: Option<String>,
    pub(super) session: Option<String>,
    pub(super) since: Option<String>,
}

impl Asked {
    /// Reads a query string. What isn't known is passed over, as Prometheus does.
    pub(super) fn from_query(query: &str) -> Self {
        let mut asked = Asked::default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "match[]" => asked.selectors.push(value.into_owned()),
                "cursor" => asked.cursor = Some(value.into_owned()),
                "session" => asked.session = Some(value.into_owned()),
                "since" => asked.since = Some(value.into_owned()),
                _ => {}
            }
        }
        asked
    }

    /// A parameter, if it is there and can be read.
    pub(super) fn parse<T>(
        &self,
        name: &str,
        value: &Option<String>,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, FederateError> {
        let unreadable = |text: &str| FederateError::Parameter(format!("the parameter {name} can't be {text:?}"));
        value.as_deref().map(|text| read(text).ok_or_else(|| unreadable(text))).transpose()
    }
}

/// A session and the number of the answer that comes next, with a point between them.
pub(super) fn read_session(text: &str) -> Option<(u64, u64)> {
    let (session, answer) = text.split_once('.')?;
    Some((session.parse().ok()?, answer.parse().ok()?))
}
