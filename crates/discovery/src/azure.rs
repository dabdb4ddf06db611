//! `azure_sd_configs`: targets are the virtual machines of a subscription, those of scale sets included.
//!
//! Azure's resource manager tells machines and network interfaces separately. An interface is asked for by itself, and remembered for
//! some rounds: there are limits to how often one may ask.
//!
//! It doesn't use Azure's client libraries: five requests, and a token from one of three places, are needed.

mod api;
pub(crate) mod config;
mod credentials;
mod hosts;
mod interface;
mod machine;
mod resource;
pub(crate) mod source;
