//! TLS of clients: `tls_config`.

use rustls_pki_types::ServerName;

use crate::error::Report;
use crate::header::SecretSource;
use crate::http_raw::RawTlsConfig;
use crate::secret::Secret;
use crate::spanned::{Position, Spanned};

/// A version of TLS that is spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

impl TlsVersion {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "TLS12" => Ok(TlsVersion::Tls12),
            "TLS13" => Ok(TlsVersion::Tls13),
            "TLS10" | "TLS11" => Err(format!(
                "{text} is not spoken, because TLS 1.0 and 1.1 can be broken: write TLS12, or put a proxy that speaks {text} before \
                 a server that knows nothing newer"
            )),
            _ => Err(format!("unknown TLS version {text:?}, expected TLS12 or TLS13")),
        }
    }

    /// A lowest version. Where an older one is allowed those that are spoken are, too.
    fn lowest(written: &Spanned<String>, report: &mut Report) -> Option<Self> {
        if matches!(written.as_str(), "TLS10" | "TLS11") {
            let spoken = "TLS 1.2 and 1.3 are spoken: a server that knows nothing newer than 1.1 can't be reached";
            report.note(written, format_args!("{} is taken as TLS12, because {spoken}", written.value));
            return None;
        }
        report.check(written, Self::parse(written))
    }
}

/// `tls_config`, validated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// The authorities; the system's where there are none.
    pub ca: Option<SecretSource>,
    /// The client's certificate chain and its key.
    pub identity: Option<(SecretSource, SecretSource)>,
    /// The name that is asked for and that the server's certificate must have, instead of the host's.
    pub server_name: Option<String>,
    /// Take any certificate.
    pub insecure_skip_verify: bool,
    /// The lowest version that is spoken.
    pub min_version: Option<TlsVersion>,
    /// The highest version that is spoken.
    pub max_version: Option<TlsVersion>,
}

impl TlsConfig {
    /// Checks what was written.
    pub fn validate(raw: Spanned<RawTlsConfig>, report: &mut Report) -> Self {
        let (position, raw) = (raw.position, raw.value);
        for (key, value) in [("ca", &raw.ca_ref), ("cert", &raw.cert_ref), ("key", &raw.key_ref)] {
            report.refuse_reference(key, value.as_ref());
        }
        let mut source = |key: &str, inline: Option<Secret>, file: Option<Spanned<String>>| {
            if let (Some(_), Some(file)) = (&inline, &file) {
                report.error(file, format_args!("at most one of {key} and {key}_file may be given"));
            }
            file.filter(|f| !f.is_empty())
                .map(|f| SecretSource::File(report.resolve(&f)))
                .or(inline.filter(|s| !s.is_empty()).map(SecretSource::Inline))
        };
        let ca = source("ca", raw.ca.map(|s| Secret::new(s.value)), raw.ca_file);
        let cert = source("cert", raw.cert.map(|s| Secret::new(s.value)), raw.cert_file);
        let key = source("key", raw.key, raw.key_file);
        let identity = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => missing(report, position, "a client certificate needs its key: give key or key_file"),
            (None, Some(_)) => missing(report, position, "a client key needs its certificate: give cert or cert_file"),
        };
        let min_version = raw.min_version.and_then(|written| TlsVersion::lowest(&written, report));
        let max_version = raw.max_version.and_then(|written| report.check(&written, TlsVersion::parse(&written)));
        if min_version > max_version && max_version.is_some() {
            report.error(position, "min_version must not be above max_version");
        }
        if let Some(name) = &raw.server_name
            && ServerName::try_from(name.as_str()).is_err()
        {
            report.error(name, format_args!("{:?} is not a valid server name", name.value));
        }
        let server_name = raw.server_name.map(|s| s.value);
        let insecure_skip_verify = raw.insecure_skip_verify;
        TlsConfig { ca, identity, server_name, insecure_skip_verify, min_version, max_version }
    }
}

fn missing<T>(report: &mut Report, at: Position, message: &str) -> Option<T> {
    report.error(at, message);
    None
}
