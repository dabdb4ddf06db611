//! `no_proxy`: what is reached without the proxy, by the rules of Go's `httpproxy`.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

/// Hosts that are reached directly. This machine always is one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoProxy {
    /// `*`.
    Everything,
    Some(Vec<Exception>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    host: ExceptHost,
    /// Every port where none is given.
    port: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ExceptHost {
    Address(IpAddr),
    Network(IpNet),
    /// A suffix with a dot in front, and whether the name without the dot belongs to it.
    Domain {
        suffix: String,
        with_itself: bool,
    },
}

impl NoProxy {
    /// Reads a list separated by commas. What makes no sense in it is passed over, as in Go.
    pub(crate) fn parse(text: &str) -> Self {
        let entries = text.split(',').map(|entry| entry.trim().to_ascii_lowercase());
        let entries: Vec<String> = entries.filter(|entry| !entry.is_empty()).collect();
        match entries.iter().any(|entry| entry == "*") {
            true => NoProxy::Everything,
            false => NoProxy::Some(entries.iter().filter_map(|entry| Exception::parse(entry)).collect()),
        }
    }

    pub(crate) fn covers(&self, url: &Url) -> bool {
        let (address, name) = match url.host() {
            None => return false,
            Some(Host::Ipv4(ip)) => (Some(IpAddr::V4(ip)), ip.to_string()),
            Some(Host::Ipv6(ip)) => (Some(ip.to_canonical()), ip.to_string()),
            Some(Host::Domain(name)) => (None, name.trim_end_matches('.').to_ascii_lowercase()),
        };
        if name == "localhost" || address.is_some_and(|ip| ip.is_loopback()) {
            return true;
        }
        let port = url.port_or_known_default().unwrap_or_default().to_string();
        match self {
            NoProxy::Everything => true,
            NoProxy::Some(exceptions) => exceptions.iter().any(|exception| exception.covers(address, &name, &port)),
        }
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        if let Ok(network) = entry.parse() {
            return Some(Exception { host: ExceptHost::Network(network), port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
            _ => (entry, ""),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = Some(port).filter(|port| !port.is_empty()).map(str::to_owned);
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Exception { host: ExceptHost::Address(address.to_canonical()), port });
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        let (suffix, with_itself) = match host {
            "" | "." => return None,
            _ if host.starts_with('.') => (host.to_owned(), false),
            _ => (format!(".{host}"), true),
        };
        Some(Exception { host: ExceptHost::Domain { suffix, with_itself }, port })
    }

    fn covers(&self, address: Option<IpAddr>, name: &str, port: &str) -> bool {
        let is_host = match &self.host {
            ExceptHost::Address(own) => address == Some(*own),
            ExceptHost::Network(network) => address.is_some_and(|address| network.contains(&address)),
            ExceptHost::Domain { suffix, with_itself } => {
                address.is_none() && (name.ends_with(suffix.as_str()) || *with_itself && name == &suffix[1..])
            }
        };
        is_host && self.port.as_ref().is_none_or(|own| own == port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excepts_as_go_does() {
        let check = |list: &str, direct: &[&str], proxied: &[&str]| {
            let except = NoProxy::parse(list);
            for (urls, want) in [(direct, true), (proxied, false)] {
                for url in urls {
                    assert_eq!(except.covers(&Url::parse(url).expect("a URL")), want, "{url} with {list:?}");
                }
            }
        };
        check("", &["http://localhost:1", "http://127.8.0.1", "http://[::1]:9"], &["http://a", "http://10.0.0.1"]);
        check("*", &["http://a", "https://10.0.0.1"], &[]);
        check("x, *", &["http://a"], &[]);
        check("a.com", &["http://a.com", "http://b.a.com:9", "http://A.COM."], &["http://ba.com", "http://a.com.b"]);
        check(".a.com", &["http://b.a.com", "http://c.b.a.com"], &["http://a.com"]);
        check("*.a.com", &["http://b.a.com"], &["http://a.com"]);
        check("a.com:8080", &["http://a.com:8080", "http://b.a.com:8080"], &["http://a.com", "http://a.com:80"]);
        check("a.com:443", &["https://a.com"], &["http://a.com"]);
        check("10.0.0.1", &["http://10.0.0.1:9100"], &["http://10.0.0.11", "http://10.0.0.1.example"]);
        check("10.0.0.1:80", &["http://10.0.0.1"], &["http://10.0.0.1:81"]);
        check("10.1.0.0/16, fd00::/8", &["http://10.1.2.3:1", "http://[fd12::1]"], &["http://10.2.0.1", "http://a"]);
        check("fd00::1", &["http://[fd00::1]:80"], &["http://[fd00::2]"]);
        check("[fd00::1]:80", &["http://[fd00::1]"], &["http://[fd00::1]:81"]);
        check(" ,:80,., A.com ", &["http://a.com"], &["http://b"]);
    }
}
