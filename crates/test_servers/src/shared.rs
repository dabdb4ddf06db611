//! What a proxy knows, whichever language it speaks.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use parking_lot::Mutex;
use tokio::net::TcpStream;

/// What a proxy knows.
pub(crate) struct Shared {
    /// Hosts that only the proxy knows, with their ports.
    pub(crate) hosts: HashMap<String, SocketAddr>,
    /// What every request is answered instead of being passed on.
    pub(crate) refusal: Option<Vec<u8>>,
    pub(crate) heads: Mutex<Vec<String>>,
}

impl Shared {
    pub(crate) fn note(&self, head: &str) {
        self.heads.lock().push(head.to_owned());
    }

    pub(crate) async fn dial(&self, host: &str) -> io::Result<TcpStream> {
        match self.hosts.get(host) {
            Some(address) => TcpStream::connect(address).await,
            None => TcpStream::connect(host).await,
        }
    }
}
