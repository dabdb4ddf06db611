//! One attempt to reach somebody over HTTP, and what its outcome means.

use reqwest::StatusCode;

/// Why a notification didn't arrive. No text in it contains the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// Another attempt may succeed: the network failed, or the receiver is overloaded or broken.
    #[error("{0}")]
    Retry(String),
    /// Another attempt would fail as well.
    #[error("{0}")]
    Refused(String),
}

/// What the status of an answer means; `who` answered.
pub(crate) fn judged(who: &str, status: StatusCode) -> Result<(), SendError> {
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::TOO_MANY_REQUESTS => Err(SendError::Retry(format!("{who} answered {status}"))),
        status if status.is_server_error() => Err(SendError::Retry(format!("{who} answered {status}"))),
        status => Err(SendError::Refused(format!("{who} answered {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let check = |status: u16, want: Option<bool>| {
            let retried =
                judged("it", StatusCode::from_u16(status).unwrap()).err().map(|e| matches!(e, SendError::Retry(_)));
            assert_eq!(retried, want, "{status}");
        };
        check(200, None);
        check(204, None);
        check(301, Some(false));
        check(400, Some(false));
        check(404, Some(false));
        check(429, Some(true));
        check(500, Some(true));
        check(503, Some(true));
    }
}
