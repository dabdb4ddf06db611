//! A tunnel through an HTTP proxy: `CONNECT`.

use std::io;

use config::{Proxy, Secret};
use http::header::HeaderName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stream::Leg;

/// The head of a proxy's answer may not be longer.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Why a proxy made no tunnel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TunnelError {
    /// The connection broke.
    #[error("the connection to the proxy broke")]
    Io(#[from] io::Error),
    /// The proxy has closed the connection without a whole answer.
    #[error("the proxy hung up on CONNECT")]
    Closed,
    /// It refused.
    #[error("the proxy answered CONNECT with {0}")]
    Refused(String),
    /// Its answer isn't HTTP.
    #[error("the proxy's answer to CONNECT is not HTTP/1.1")]
    NotHttp,
    /// Its answer is too long.
    #[error("the head of the proxy's answer to CONNECT has more than {HEAD_BYTES_MAX} bytes")]
    TooLong,
}

/// Lets the proxy connect to `authority`, a host and port. What is sent after that reaches the server.
pub(crate) async fn open(
    leg: &mut Leg,
    authority: &str,
    proxy: &Proxy,
    headers: &[(HeaderName, Secret)],
) -> Result<(), TunnelError> {
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    let mut add = |name: &str, value: &[u8]| {
        for piece in [name.as_bytes(), b": ", value, b"\r\n"] {
            request.extend_from_slice(piece);
        }
    };
    // Written by hand it wins over the one out of the URL.
    let is_given = headers.iter().any(|(name, _)| *name == http::header::PROXY_AUTHORIZATION);
    if let Some(value) = proxy.authorization().filter(|_| !is_given) {
        add("Proxy-Authorization", value.as_bytes());
    }
    for (name, value) in headers {
        add(name.as_str(), value.expose().as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    leg.write_all(&request).await?;
    leg.flush().await?;
    read_answer(leg).await
}

async fn read_answer(leg: &mut Leg) -> Result<(), TunnelError> {
    // A server speaks only after its client, so that nothing of the tunnel is behind the head yet.
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES_MAX {
            return Err(TunnelError::TooLong);
        }
        if leg.read_buf(&mut head).await? == 0 {
            return Err(TunnelError::Closed);
        }
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..)).map(str::trim);
    match status {
        Some(status) if status.starts_with('2') => Ok(()),
        Some(status) => Err(TunnelError::Refused(status.chars().take(100).collect())),
        None => Err(TunnelError::NotHttp),
    }
}
