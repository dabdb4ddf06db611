//! What a record holds, told by its first byte.

/// The kinds of records that a Prometheus writes, as of version 3.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RecordKind {
    Series,
    Samples,
    Tombstones,
    Exemplars,
    /// A chunk of a series went into a file of mapped chunks; found in the log of late samples.
    MmapMarker,
    Metadata,
    /// With buckets by schema or listed ones.
    Histograms,
    /// With buckets by schema or listed ones.
    FloatHistograms,
    /// At the head of a checkpoint: what the log was cut at. Our own blocks say the same.
    MinValidTime,
    /// Our own.
    Notes,
    /// Known by name, not read by this version.
    Unread(&'static str),
    Unknown(u8),
}

impl RecordKind {
    pub(crate) fn of(record: &[u8]) -> Self {
        match record.first() {
            Some(&SERIES) => RecordKind::Series,
            Some(&SAMPLES) => RecordKind::Samples,
            Some(&TOMBSTONES) => RecordKind::Tombstones,
            Some(&EXEMPLARS) => RecordKind::Exemplars,
            Some(&MMAP_MARKERS) => RecordKind::MmapMarker,
            Some(&METADATA) => RecordKind::Metadata,
            Some(&HISTOGRAMS | &CUSTOM_HISTOGRAMS) => RecordKind::Histograms,
            Some(&FLOAT_HISTOGRAMS | &CUSTOM_FLOAT_HISTOGRAMS) => RecordKind::FloatHistograms,
            Some(11) => RecordKind::Unread("samples_v2"),
            Some(12) => RecordKind::Unread("histogram_samples_v2"),
            Some(13) => RecordKind::Unread("float_histogram_samples_v2"),
            Some(14) => RecordKind::MinValidTime,
            Some(&NOTES) => RecordKind::Notes,
            Some(other) => RecordKind::Unknown(*other),
            None => RecordKind::Unknown(0),
        }
    }

    /// A word for logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            RecordKind::Series => "series",
            RecordKind::Samples => "samples",
            RecordKind::Tombstones => "tombstones",
            RecordKind::Exemplars => "exemplars",
            RecordKind::MmapMarker => "mmap_markers",
            RecordKind::Metadata => "metadata",
            RecordKind::Histograms => "histograms",
            RecordKind::FloatHistograms => "float_histograms",
            RecordKind::MinValidTime => "min_valid_time",
            RecordKind::Notes => "notes",
            RecordKind::Unread(name) => name,
            RecordKind::Unknown(_) => "unknown",
        }
    }
}

pub(super) const SERIES: u8 = 1;
pub(super) const SAMPLES: u8 = 2;
pub(super) const TOMBSTONES: u8 = 3;
pub(super) const EXEMPLARS: u8 = 4;
pub(super) const MMAP_MARKERS: u8 = 5;
pub(super) const METADATA: u8 = 6;
pub(super) const HISTOGRAMS: u8 = 7;
pub(super) const FLOAT_HISTOGRAMS: u8 = 8;
pub(super) const CUSTOM_HISTOGRAMS: u8 = 9;
pub(super) const CUSTOM_FLOAT_HISTOGRAMS: u8 = 10;
/// Far from what Prometheus counts on with.
pub(super) const NOTES: u8 = 200;
