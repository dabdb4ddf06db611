//! `ec2_sd_configs`, and `aws_sd_configs` with the role `ec2`: targets are the instances of an account in a region.
//!
//! A *plan* says where credentials come from, out of the configuration, the environment and the files of profiles; they are *obtained*
//! from metadata servers and from STS. EC2 and STS are asked by *queries*: a form that is signed, and an answer in XML.
//!
//! It doesn't use AWS's client libraries, which bring a runtime of their own: four requests and one way to sign are needed.

pub(crate) mod config;
mod credentials;
mod endpoint;
mod instance;
mod labels;
mod metadata;
mod obtain;
mod plan;
mod profile;
mod query;
mod sign;
pub(crate) mod source;
mod sts;
