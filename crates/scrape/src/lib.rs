//! TBD

mod discovery;
mod global_config;
mod metrics;
mod protocols;
pub mod relabel;
mod scrape_config;
mod size;

pub use discovery::{FileSdConfig, RawFileSdConfig, RawTargetGroup, TargetGroup};
pub use global_config::{GlobalConfig, Limits, NameValidation, RawGlobalConfig};
pub use protocols::{Escaping, Protocol};
pub use scrape_config::{RawScrapeConfig, Scheme, ScrapeConfig};
