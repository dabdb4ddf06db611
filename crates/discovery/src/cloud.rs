//! What finding machines in clouds has in common: what is known of the machine this runs on, credentials that expire, REST APIs with
//! pages, and the labels of a machine.

pub(crate) mod client;
pub(crate) mod file;
pub(crate) mod lease;
pub(crate) mod machine;
pub(crate) mod oauth;
pub(crate) mod rest;
pub(crate) mod retry;
pub(crate) mod surroundings;
pub(crate) mod words;
