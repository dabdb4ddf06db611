//! `gce_sd_configs`: targets are the instances of a project in a zone of Google Compute Engine.
//!
//! It doesn't use Google's client libraries: one request, and a token from one of three places, are needed.

pub(crate) mod config;
mod credentials;
mod instance;
mod jwt;
pub(crate) mod source;
