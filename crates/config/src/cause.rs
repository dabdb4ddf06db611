//! Errors on one line, for logs and for tables that show the last error of something.

use std::error::Error;

/// An error with all its causes on one line. A cause that the error before it ends with, as those of HTTP clients do, isn't repeated.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Told(&'static str, #[source] Option<Box<Told>>);

    #[test]
    fn each_cause_is_told_once() {
        let check = |texts: &[&'static str], want: &str| {
            let error = texts.iter().rev().fold(None, |cause, text| Some(Box::new(Told(text, cause))));
            assert_eq!(error.map(|error| chain(&*error)), Some(want.to_owned()));
        };
        check(&["cannot connect"], "cannot connect");
        check(&["cannot pull", "cannot connect", "refused"], "cannot pull: cannot connect: refused");
        check(&["cannot pull: refused", "refused"], "cannot pull: refused");
    }
}
