//! Places in a file, and values that remember theirs.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer};

/// A place in a file; lines and columns count from 1, 0 means unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl Position {
    /// A line and a column.
    pub const fn new(line: u64, column: u64) -> Self {
        Position { line, column }
    }
}

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

impl<T> From<&Spanned<T>> for Position {
    fn from(spanned: &Spanned<T>) -> Self {
        spanned.position
    }
}
