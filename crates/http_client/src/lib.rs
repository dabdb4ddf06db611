//! HTTP clients as a configuration describes them: Prometheus's `http_config` with every word of it.
//!
//! [`Connector`] knows the way to a server: proxies, TLS with files that may be replaced, HTTP/2 where both sides want it.
//! [`Credentials`] knows what a request carries. Scraping uses these two and moves its connections itself. Everything else sends
//! its requests with [`HttpClient`], which keeps connections, follows redirects and bounds the time.
//!
//! A client of reqwest would be less code, but it can't ask a server for another name than the URL's host
//! (`tls_config.server_name`), reads certificates once, and has other rules for `no_proxy`. Its requests and answers are used.
//! What a configuration may say is checked in `config`.

mod client;
mod connector;
mod credentials;
mod error;
mod sender;
mod stream;
mod timed;
mod tls;
mod token;
mod tunnel;

pub use client::{HttpClient, RequestBuilder, is_same_origin};
pub use connector::{ConnectError, Connector};
pub use credentials::Credentials;
pub use error::{Error, TokenError};
pub use stream::Stream;
