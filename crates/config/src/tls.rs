//! TLS of clients: from `tls_config` to a rustls configuration.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};

use crate::error::Report;
use crate::header::{HttpClientError, SecretSource, read_text};
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
            "TLS10" | "TLS11" => Err(format!("{text} is not supported: the lowest version spoken is TLS12")),
            _ => Err(format!("unknown TLS version {text:?}, expected TLS12 or TLS13")),
        }
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
        for (key, value) in [("ca_ref", &raw.ca_ref), ("cert_ref", &raw.cert_ref), ("key_ref", &raw.key_ref)] {
            report.unsupported(key, value.as_ref());
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
        let mut version = |raw: Option<Spanned<String>>| raw.and_then(|v| report.check(&v, TlsVersion::parse(&v)));
        let (min_version, max_version) = (version(raw.min_version), version(raw.max_version));
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

    /// The rustls configuration, with files read now. It offers no protocol over ALPN; the HTTP client adds its own.
    pub fn rustls_config(&self) -> Result<ClientConfig, HttpClientError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = |what: &str, e: rustls::Error| HttpClientError::Tls { what: what.to_owned(), reason: e.to_string() };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions())
            .map_err(|e| tls("tls_config", e))?;
        let builder = if self.insecure_skip_verify {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some((cert, key)) => {
                let key = PrivateKeyDer::from_pem_slice(pem(key)?.as_bytes()).map_err(|e| unusable("key", key, &e))?;
                let chain = certificates("cert", cert)?;
                builder.with_client_auth_cert(chain, key).map_err(|e| tls("the client certificate", e))
            }
        }
    }

    fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        [(TlsVersion::Tls13, &rustls::version::TLS13), (TlsVersion::Tls12, &rustls::version::TLS12)]
            .into_iter()
            .filter(|(v, _)| {
                self.min_version.is_none_or(|min| *v >= min) && self.max_version.is_none_or(|max| *v <= max)
            })
            .map(|(_, version)| version)
            .collect()
    }

    fn roots(&self) -> Result<RootCertStore, HttpClientError> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(ca) => {
                for certificate in certificates("ca", ca)? {
                    roots.add(certificate).map_err(|e| unusable("ca", ca, &e))?;
                }
            }
            // A machine without authorities fails at the handshake of the first https request, and says so there.
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        Ok(roots)
    }
}

fn missing<T>(report: &mut Report, at: Position, message: &str) -> Option<T> {
    report.error(at, message);
    None
}

fn pem(source: &SecretSource) -> Result<String, HttpClientError> {
    match source {
        SecretSource::Inline(text) => Ok(text.expose().to_owned()),
        SecretSource::File(path) => read_text(path),
    }
}

fn certificates(key: &str, source: &SecretSource) -> Result<Vec<CertificateDer<'static>>, HttpClientError> {
    let text = pem(source)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(unusable(key, source, &"no certificate in PEM form found")),
        Ok(found) => Ok(found),
        Err(e) => Err(unusable(key, source, &e)),
    }
}

fn unusable(key: &str, source: &SecretSource, reason: &dyn std::fmt::Display) -> HttpClientError {
    let what = match source {
        SecretSource::Inline(_) => key.to_owned(),
        SecretSource::File(path) => format!("{key}_file {}", PathBuf::from(path).display()),
    };
    HttpClientError::Tls { what, reason: reason.to_string() }
}

/// `insecure_skip_verify`: whoever answers is believed to be the one who was asked; the handshake's own signature is
/// still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
