//! The books that a node keeps on its queries: which run, for whoever starts it after a crash, and, where it is asked for, all that ended.

mod active;
mod books;
mod log;
mod metrics;
mod times;

pub(crate) use books::Books;
pub(crate) use metrics::HeldBytes;
