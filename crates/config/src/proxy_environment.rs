//! The proxies that the environment names.

use crate::secret::Secret;

/// The variables of the environment that name proxies.
#[derive(Debug, Clone, Default)]
pub struct ProxyEnvironment {
    pub(crate) http: Secret,
    pub(crate) https: Secret,
    pub(crate) no_proxy: String,
}

impl ProxyEnvironment {
    /// Takes them out of an environment; a name in capitals wins over one in small letters.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            let capitals = lookup(name).filter(|value| !value.is_empty());
            capitals.or_else(|| lookup(&name.to_ascii_lowercase())).unwrap_or_default()
        };
        ProxyEnvironment {
            http: Secret::new(either("HTTP_PROXY")),
            https: Secret::new(either("HTTPS_PROXY")),
            no_proxy: either("NO_PROXY"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_win_and_secrets_stay() {
        let variables = [
            ("HTTP_PROXY", "http://a:hunter2@p"),
            ("http_proxy", "http://b"),
            ("HTTPS_PROXY", ""),
            ("https_proxy", "c"),
        ];
        let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let read = ProxyEnvironment::read(lookup);
        assert_eq!((read.http.expose(), read.https.expose(), read.no_proxy.as_str()), ("http://a:hunter2@p", "c", ""));
        assert!(!format!("{read:?}").contains("hunter2"));
    }
}
