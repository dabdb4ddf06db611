//! The serving half: `/federate`.

mod answer;
mod asked;
mod encode;
mod error;
mod federate;
mod follow;
mod format;
mod handler;
mod history;
mod newest;
mod page;
mod session;

pub use error::FederateError;
pub use federate::Federate;
pub use handler::router;
