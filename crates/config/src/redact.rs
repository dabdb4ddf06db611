//! Configuration text for other eyes: with its secrets blotted out.

/// Keys whose values are secrets wherever they stand.
const SECRET_KEYS: [&str; 29] = [
    "password",
    "credentials",
    "bearer_token",
    "client_secret",
    "client_certificate_key",
    "endpoint_params",
    "proxy_connect_header",
    "key",
    "secrets",
    "secret_key",
    "access_key",
    "secret",
    "token",
    "api_key",
    "api_url",
    "webhook_url",
    "service_key",
    "routing_key",
    "auth_password",
    "auth_secret",
    "smtp_auth_password",
    "smtp_auth_secret",
    "slack_api_url",
    "user_key",
    "bot_token",
    "api_secret",
    "opsgenie_api_key",
    "victorops_api_key",
    "sas_token",
];

/// The text of a configuration file with the values of all secret keys replaced by `<secret>`, and the password in a URL
/// with it. The rest is left as the person wrote it, comments and order included.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut below: Option<usize> = None; // indentation of a secret key whose value goes on over the next lines
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let indent = content.len() - content.trim_start().len();
        if let Some(key_indent) = below {
            let is_list_item = indent == key_indent && content.trim_start().starts_with("- ");
            if content.is_empty() || indent > key_indent || is_list_item {
                continue;
            }
            below = None;
        }
        out.push_str(&redact_line(content, &mut below));
        if line.ends_with('\n') {
            out.push('\n');
        }
    }
    out
}

/// One line; notes in `below` the indentation of a secret key whose value may continue on the lines that follow.
fn redact_line(line: &str, below: &mut Option<usize>) -> String {
    if line.trim_start().starts_with('#') {
        return line.to_owned();
    }
    let without_dashes = line.trim_start_matches([' ', '-']);
    let indent = line.len() - without_dashes.len();
    if let Some((key, value)) = without_dashes.split_once(':')
        && is_secret(key)
        && (value.is_empty() || value.starts_with(' '))
    {
        *below = Some(indent);
        return format!("{}{key}: <secret>", &line[..indent]);
    }
    redact_url(&redact_flow(line))
}

fn is_secret(key: &str) -> bool {
    let key = key.trim().trim_matches(['"', '\'']);
    SECRET_KEYS.contains(&key)
}

/// Secrets inside `{key: value, …}` on one line.
fn redact_flow(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(open) = rest.find(['{', ',']) {
        let (head, tail) = rest.split_at(open + 1);
        out.push_str(head);
        rest = tail;
        let Some((key, value)) = tail.split_once(':') else { continue };
        if is_secret(key) {
            out.push_str(key);
            out.push_str(": <secret>");
            rest = &value[flow_value_len(value)..];
        }
    }
    out + rest
}

/// How many bytes a value in a flow mapping takes: up to the comma or bracket that ends it, quotes and nesting respected.
fn flow_value_len(value: &str) -> usize {
    let (mut quote, mut depth, mut escaped) = (None, 0_usize, false);
    for (at, c) in value.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']' | ',') if depth == 0 => return at,
            (None, '}' | ']') => depth -= 1,
            (None, _) => {}
        }
    }
    value.len()
}

/// The password in `scheme://user:password@host`.
fn redact_url(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(scheme) = rest.find("://") {
        let (head, tail) = rest.split_at(scheme + 3);
        out.push_str(head);
        let authority = tail.find(['/', ' ', '"', '\'', ',', '}', ']', '?']).unwrap_or(tail.len());
        rest = tail;
        if let Some((user_info, _)) = tail[..authority].rsplit_once('@')
            && let Some((user, _)) = user_info.split_once(':')
        {
            out.push_str(user);
            out.push_str(":<secret>");
            rest = &tail[user_info.len()..];
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blots_out_secrets_and_nothing_else() {
        let check = |text: &str, want: &str| assert_eq!(redact(text), want);
        check("a: 1 # why\n\nb: 2\n", "a: 1 # why\n\nb: 2\n");
        check(
            "basic_auth:\n  username: u\n  password: hunter2\nnext: 1\n",
            "basic_auth:\n  username: u\n  password: <secret>\nnext: 1\n",
        );
        check("password_file: /run/p\n", "password_file: /run/p\n");
        check("- password: \"x: y\"\n  job: a\n", "- password: <secret>\n  job: a\n");
        check("key: |\n  BEGIN\n\n  END\ncert_file: c\n", "key: <secret>\ncert_file: c\n");
        check("  secrets:\n  - a\n  - b\n  files: [c]\n", "  secrets: <secret>\n  files: [c]\n");
        check("auth: {username: u, password: \"a,}b\", x: 1}\n", "auth: {username: u, password: <secret>, x: 1}\n");
        check("  proxy_connect_header:\n    X-Key: [a]\n  x: 1\n", "  proxy_connect_header: <secret>\n  x: 1\n");
        check("proxy_url: http://u:p@host:1/\n", "proxy_url: http://u:<secret>@host:1/\n");
        check("targets: ['a:1', \"b:2\"]", "targets: ['a:1', \"b:2\"]");
    }
}
