//! `consul_sd_configs`: targets are the instances of services that Consul knows.
//!
//! A *watch* is a question that Consul holds back until its answer has changed (a blocking query). There is one for the catalog, where
//! services are picked out of it, and one for each service. They run in tasks of their own; one loop hears what they bring, starts and
//! ends them, so that nothing of a service is shown after it has gone. A watch that fails keeps what it brought last, and asks again,
//! ever less often.

mod agent;
pub(crate) mod config;
pub(crate) mod follow;
mod instance;
pub(crate) mod metrics;
mod watch;
