//! `kubernetes_sd_configs`: targets are the objects of a Kubernetes cluster, followed through its API.
//!
//! A *reflection* lists the objects of one kind and then watches them; it keeps only what makes labels. A *view* makes groups of
//! targets from reflections and remembers which objects each group was made of, so that a change of an object makes anew just the
//! groups it is in. Reflections are shared by all sources of a node that ask one server the same, and so are whole sources that are
//! configured alike. What can't be listed or watched keeps what was known last and is asked again, ever less often.
//!
//! It doesn't use a client library of Kubernetes: those bring models of all kinds of objects and an HTTP stack of their own, where two
//! requests and nine kinds are needed.

pub(crate) mod access;
mod client;
pub(crate) mod config;
mod dirt;
pub(crate) mod follow;
pub(crate) mod hub;
mod kind;
mod kubeconfig;
mod meta;
mod object;
mod reflection;
mod role;
mod selector;
mod store;
mod view;
mod watch;
