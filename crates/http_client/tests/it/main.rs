//! Clients against real servers, proxies and places that give out tokens.

mod fixture;
mod oauth2;
mod proxies;
mod redirects;
mod tls;
