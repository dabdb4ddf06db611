//! What a service account signs to get a token (RFC 7523, with RS256).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use config::Secret;
use model::Timestamp;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

/// How long a signed text is good for a token: the longest that Google allows.
const LIFE_SECS: i64 = 3600;

/// Why nothing is signed. The key is not told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    #[error("private_key is not an RSA key in PEM")]
    Key,
    #[error("the text can't be signed with private_key")]
    Sign,
}

/// Who asks for what.
pub(crate) struct Claims<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) key_id: &'a str,
}

/// The claims as a signed text.
pub(crate) fn signed(claims: &Claims<'_>, private_key: &Secret, now: Timestamp) -> Result<Secret, SignError> {
    let key = key_pair(private_key).ok_or(SignError::Key)?;
    let issued = now.as_ms().div_euclid(1000);
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": claims.key_id});
    let payload = json!({
        "iss": claims.issuer,
        "scope": claims.scope,
        "aud": claims.audience,
        "iat": issued,
        "exp": issued + LIFE_SECS,
    });
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let text = format!("{}.{}", encode(header.to_string().as_bytes()), encode(payload.to_string().as_bytes()));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).map_err(|_| SignError::Sign)?;
    Ok(Secret::new(format!("{text}.{}", encode(&signature))))
}

fn key_pair(pem: &Secret) -> Option<KeyPair> {
    match PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).ok()? {
        PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()).ok(),
        _ => None,
    }
}
