//! Text: hosts, links, case.

use std::net::IpAddr;

use gotmpl::url_encode;

/// `title`: the first letter of each word in upper case, the rest as it is. A word goes on over letters, digits and `_`,
/// and over one `'`, `.` or `:` between letters (Unicode's word boundaries, as far as names have them).
pub(crate) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || c == '_' {
            if in_word {
                out.push(c);
            } else {
                out.extend(c.to_uppercase());
            }
            in_word = true;
        } else {
            out.push(c);
            let joins = matches!(c, '\'' | '’' | '.' | ':') && chars.peek().is_some_and(|next| next.is_alphabetic());
            in_word = in_word && joins;
        }
    }
    out
}

/// `stripPort`: the host of `host:port`, anything else as it is.
pub(crate) fn strip_port(text: &str) -> &str {
    split_host_port(text).map_or(text, |(host, _)| host)
}

/// `stripDomain`: the first label of a host name, the port kept; an address as it is.
pub(crate) fn strip_domain(text: &str) -> String {
    let (host, port) = split_host_port(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let first = host.split('.').next().unwrap_or(host);
    if port.is_empty() { first.to_owned() } else { format!("{first}:{port}") }
}

/// Go's `net.SplitHostPort`: `host:port` or `[v6]:port`; `None` where the text is neither.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once("]:")?;
        return (!port.contains([':', ']', '['])).then_some((host, port));
    }
    let (host, port) = text.rsplit_once(':')?;
    (!host.contains([':', '[', ']'])).then_some((host, port))
}

/// `graphLink`: the path of an expression's graph.
pub(crate) fn graph_link(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=0", url_encode(expr))
}

/// The path of the page that shows an expression as a table, as `tableLink` gives it and Prometheus links alerts to.
pub fn table_link(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=1", url_encode(expr))
}

/// The path of an URL, empty where it has none: `http://host/prefix?x` has `/prefix`.
pub(crate) fn url_path(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return "" };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_words() {
        let check = |text: &str, want: &str| assert_eq!(title(text), want, "{text}");
        check("aa bb CC", "Aa Bb CC");
        check("foo-bar foo_bar", "Foo-Bar Foo_bar");
        check("it's a.b", "It's A.b");
        check("élan", "Élan");
        check("", "");
    }

    #[test]
    fn strips_ports_and_domains() {
        let check = |text: &str, port: &str, domain: &str| {
            assert_eq!(strip_port(text), port, "{text}");
            assert_eq!(strip_domain(text), domain, "{text}");
        };
        check("hostname:1234", "hostname", "hostname:1234");
        check("hostname", "hostname", "hostname");
        check("hostname.example.com:1234", "hostname.example.com", "hostname:1234");
        check("192.168.0.1:3000", "192.168.0.1", "192.168.0.1:3000");
        check("192.168.0.1", "192.168.0.1", "192.168.0.1");
        check("[2001:db8::1]:80", "2001:db8::1", "[2001:db8::1]:80");
        check("2001:db8::1", "2001:db8::1", "2001:db8::1");
        check("[::1]", "[::1]", "[::1]");
        check("", "", "");
    }

    #[test]
    fn takes_the_path_of_an_url() {
        let check = |url: &str, want: &str| assert_eq!(url_path(url), want, "{url}");
        check("http://testhost:9090/path/prefix", "/path/prefix");
        check("http://testhost:9090", "");
        check("http://testhost/p?q=/x", "/p");
        check("", "");
    }
}
