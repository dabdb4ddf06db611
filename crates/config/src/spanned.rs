//! A value that remembers where it stood.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer};

use crate::error::Position;

/// A value with its place in the file, for errors that are found after parsing. It must not stand below a
/// `#[serde(flatten)]` or in an untagged enum: serde buffers there and the place is lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub position: Position,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub const fn new(value: T, position: Position) -> Self {
        Spanned { value, position }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Spanned<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let inner = serde_yaml::Spanned::<T>::deserialize(deserializer)?;
        let position = Position::new(inner.referenced.line(), inner.referenced.column());
        Ok(Spanned { value: inner.value, position })
    }
}
