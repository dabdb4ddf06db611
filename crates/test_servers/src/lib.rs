//! Real servers for tests of HTTP clients: with TLS by an authority of their own, in HTTP/1.1 and HTTP/2, and proxies of all
//! kinds. They listen on this machine, remember what they are asked, and end when they are dropped. They hold only what
//! tests need: a proxy passes on requests without bodies.

mod authority;
mod proxy;
mod server;
mod shared;
mod socks;

pub use authority::{Authority, Identity};
pub use proxy::Proxy;
pub use server::{Seen, Server, text};
