//! The serving half: `/federate`.

mod encode;
mod federate;
mod handler;
mod newest;

pub use federate::{Federate, FederateError};
pub use handler::router;
