//! What reader and writer of segments agree on.

/// Segments are made of pages of this size; no fragment crosses a page's end.
pub(crate) const PAGE_BYTES: usize = 32 << 10;
/// Type, length, checksum.
pub(crate) const FRAGMENT_HEADER_BYTES: usize = 7;
/// A decompressed record longer than this is refused.
pub(super) const RECORD_BYTES_MAX: usize = 1 << 30;

pub(super) const FULL: u8 = 1;
pub(super) const FIRST: u8 = 2;
pub(super) const MIDDLE: u8 = 3;
pub(super) const LAST: u8 = 4;
/// The bits of the header's first byte that hold one of the above.
pub(super) const TYPE_MASK: u8 = 0b111;
pub(super) const SNAPPY_FLAG: u8 = 1 << 3;
pub(super) const ZSTD_FLAG: u8 = 1 << 4;

/// How records of the write-ahead log are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WalCompression {
    /// Not at all.
    None,
    /// Snappy, which every Prometheus reads.
    #[default]
    Snappy,
    /// Zstandard, smaller; Prometheus reads it since 2.46.
    Zstd,
}
