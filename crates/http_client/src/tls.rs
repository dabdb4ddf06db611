//! TLS of clients: from `tls_config` to a rustls configuration, which is made anew when a file of it has changed.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use config::{HttpClientError, SecretSource, TlsConfig, TlsVersion};
use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use url::{Host, Url};

/// What a server is told that may speak HTTP/2.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// TLS as configured, with its files as they are now.
#[derive(Debug)]
pub(crate) struct Tls {
    config: TlsConfig,
    enable_http2: bool,
    made: Mutex<Option<Arc<Made>>>,
}

/// What was made of the files as they were.
#[derive(Debug)]
pub(crate) struct Made {
    stamps: Vec<Stamp>,
    /// Counts how often something was made.
    pub(crate) generation: u64,
    /// For servers.
    pub(crate) to_server: Arc<ClientConfig>,
    /// For proxies, which are spoken to in HTTP/1.1.
    pub(crate) to_proxy: Arc<ClientConfig>,
}

/// By which another content of a file is noticed: time of its change and of its content, length, number.
type Stamp = ((i64, i64), (i64, i64), u64, u64);

impl Tls {
    pub(crate) fn new(config: TlsConfig, enable_http2: bool) -> Self {
        Tls { config, enable_http2, made: Mutex::new(None) }
    }

    /// Whether something of it lies in files.
    pub(crate) fn has_files(&self) -> bool {
        self.files().next().is_some()
    }

    /// What counts now. Files are looked at each time, and read where they have changed.
    pub(crate) fn now(&self) -> Result<Arc<Made>, HttpClientError> {
        // Before the files are read: a change between the two is found the next time.
        let stamps: Vec<Stamp> = self.files().map(stamp).collect::<Result<_, _>>()?;
        let mut made = self.made.lock();
        if let Some(made) = made.as_ref().filter(|made| made.stamps == stamps) {
            return Ok(Arc::clone(made));
        }
        let to_proxy = client_config(&self.config)?;
        let mut to_server = to_proxy.clone();
        if self.enable_http2 {
            to_server.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        }
        let generation = made.as_ref().map_or(0, |made| made.generation) + 1;
        let new = Made { stamps, generation, to_server: Arc::new(to_server), to_proxy: Arc::new(to_proxy) };
        Ok(Arc::clone(made.insert(Arc::new(new))))
    }

    /// The name that the server of a URL is asked for and that its certificate must have.
    pub(crate) fn server_name(&self, url: &Url) -> Result<ServerName<'static>, HttpClientError> {
        let (what, name) = match &self.config.server_name {
            Some(name) => ("tls_config.server_name", Ok(Host::Domain(name.as_str()))),
            None => ("the host of the URL", url.host().ok_or("there is none")),
        };
        let unusable =
            |reason: &dyn std::fmt::Display| HttpClientError::Tls { what: what.to_owned(), reason: reason.to_string() };
        match name.map_err(|reason| unusable(&reason))? {
            Host::Domain(name) => ServerName::try_from(name.to_owned()).map_err(|error| unusable(&error)),
            Host::Ipv4(ip) => Ok(ServerName::from(std::net::IpAddr::V4(ip))),
            Host::Ipv6(ip) => Ok(ServerName::from(std::net::IpAddr::V6(ip))),
        }
    }

    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let identity = self.config.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        self.config.ca.iter().chain(identity).filter_map(|source| match source {
            SecretSource::File(path) => Some(path),
            SecretSource::Inline(_) => None,
        })
    }
}

fn stamp(path: &PathBuf) -> Result<Stamp, HttpClientError> {
    let failed = |source| HttpClientError::File { path: path.clone(), source };
    let of = std::fs::metadata(path).map_err(failed)?;
    Ok(((of.ctime(), of.ctime_nsec()), (of.mtime(), of.mtime_nsec()), of.len(), of.ino()))
}

/// A rustls configuration that offers no protocol over ALPN.
fn client_config(config: &TlsConfig) -> Result<ClientConfig, HttpClientError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let tls = |what: &str, e: rustls::Error| HttpClientError::Tls { what: what.to_owned(), reason: e.to_string() };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(config))
        .map_err(|e| tls("tls_config", e))?;
    let builder = if config.insecure_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else {
        builder.with_root_certificates(roots(config)?)
    };
    match &config.identity {
        None => Ok(builder.with_no_client_auth()),
        Some((cert, key)) => {
            let chain = certificates("cert", cert)?;
            let der = PrivateKeyDer::from_pem_slice(key.read()?.expose().as_bytes());
            let der = der.map_err(|e| unusable("key", key, &e))?;
            builder.with_client_auth_cert(chain, der).map_err(|e| tls("the client certificate", e))
        }
    }
}

fn versions(config: &TlsConfig) -> Vec<&'static SupportedProtocolVersion> {
    [(TlsVersion::Tls13, &rustls::version::TLS13), (TlsVersion::Tls12, &rustls::version::TLS12)]
        .into_iter()
        .filter(|(v, _)| {
            config.min_version.is_none_or(|min| *v >= min) && config.max_version.is_none_or(|max| *v <= max)
        })
        .map(|(_, version)| version)
        .collect()
}

fn roots(config: &TlsConfig) -> Result<RootCertStore, HttpClientError> {
    let mut roots = RootCertStore::empty();
    match &config.ca {
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

fn certificates(key: &str, source: &SecretSource) -> Result<Vec<CertificateDer<'static>>, HttpClientError> {
    let text = source.read()?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.expose().as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(unusable(key, source, &"no certificate in PEM form found")),
        Ok(found) => Ok(found),
        Err(e) => Err(unusable(key, source, &e)),
    }
}

fn unusable(key: &str, source: &SecretSource, reason: &dyn std::fmt::Display) -> HttpClientError {
    let what = match source {
        SecretSource::Inline(_) => key.to_owned(),
        SecretSource::File(path) => format!("{key}_file {}", path.display()),
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
