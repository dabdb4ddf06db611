//! Environment variables in external labels.

/// Replaces `$NAME` and `${NAME}` by what `lookup` knows, `$$` by `$`; an unknown variable becomes nothing. The rules are
/// those of Go's `os.Expand`, which Prometheus applies to the values of `external_labels`. The names that were not found
/// are the second part of the answer, so that the caller can warn.
pub fn expand_environment(text: &str, lookup: impl Fn(&str) -> Option<String>) -> (String, Vec<String>) {
    let (mut out, mut missing) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let (name, after) = variable(&rest[dollar + 1..]);
        match name {
            Some("$") => out.push('$'),
            Some(name) => match lookup(name) {
                Some(value) => out.push_str(&value),
                None => missing.push(name.to_owned()),
            },
            None => {
                // Go keeps a dollar before a character that begins no name, and swallows a broken `${`.
                if !rest[dollar + 1..].starts_with('{') {
                    out.push('$');
                }
            }
        }
        rest = after;
    }
    out.push_str(rest);
    (out, missing)
}

/// The name that follows a dollar, and the text behind it; no name where none begins.
fn variable(text: &str) -> (Option<&str>, &str) {
    if let Some(braced) = text.strip_prefix('{') {
        return match braced.split_once('}') {
            Some(("", rest)) => (None, rest),
            Some((name, rest)) => (Some(name), rest),
            None => (None, braced),
        };
    }
    match text.as_bytes().first() {
        Some(b'*' | b'#' | b'$' | b'@' | b'!' | b'?' | b'-' | b'0'..=b'9') => (Some(&text[..1]), &text[1..]),
        _ => {
            let len = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
            ((len > 0).then_some(&text[..len]), &text[len..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_as_prometheus_does() {
        let lookup = |name: &str| (name == "HOME").then(|| "/root".to_owned());
        let check = |text: &str, want: &str, missing: &[&str]| {
            let (got, not_found) = expand_environment(text, lookup);
            assert_eq!(
                (got.as_str(), not_found.iter().map(String::as_str).collect::<Vec<_>>()),
                (want, missing.to_vec())
            );
        };
        check("plain", "plain", &[]);
        check("${HOME}", "/root", &[]);
        check("$HOME/x", "/root/x", &[]);
        check("a${HOME}b$HOME", "a/rootb/root", &[]);
        check("a${NONE}b", "ab", &["NONE"]);
        check("$$HOME", "$HOME", &[]);
        check("price: 5$", "price: 5$", &[]);
        check("$ x", "$ x", &[]);
        check("${broken", "broken", &[]);
    }
}
