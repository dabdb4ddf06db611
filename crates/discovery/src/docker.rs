//! `docker_sd_configs` and `dockerswarm_sd_configs`: targets are the containers of a Docker daemon, or the services, tasks and nodes of
//! the swarm it manages.
//!
//! It doesn't use a client library of Docker: four lists are asked for, and those libraries bring models of all others.

pub(crate) mod config;
mod container;
mod daemon;
mod network;
pub(crate) mod source;
mod swarm;
