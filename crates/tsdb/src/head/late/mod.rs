//! Samples that come after newer ones: kept beside the others ([`samples`]), logged in a log of their own ([`log`]) by the commit that
//! brings them ([`commit`]), read from it at start ([`replay`]), and cut into blocks ([`cut`]).

pub(super) mod commit;
pub(super) mod cut;
pub(super) mod log;
pub(super) mod replay;
pub(super) mod samples;
