//! Start timestamps beside the samples of a chunk: since when each has been counted.
//!
//! A byte in the chunk's header says which of them are written: the upper bit stands for the first sample's, the other seven are the number
//! (from 0) of the first sample whose start is not that of the one before it, or 0 where there is none. From there on all are written, at the
//! latest from the 127th on. A start of 0 is none.
//!
//! The first is a varint of its distance to the sample's time. Later ones are told by their distance to the time of the sample before, as
//! a varbit: that distance itself where they begin, then by how much it changed.

use super::bits::{BitReader, BitWriter};
use super::error::ChunkError;
use super::{varbit, varint};

/// The most histograms in a chunk with starts: what is known of a counter reset takes the upper two of the 16 bits that count samples.
pub(super) const HISTOGRAMS_MAX: u16 = 0x3fff;

const FIRST_IS_WRITTEN: u8 = 0x80;
/// The number of the sample from which on all starts are written, whether they changed or not.
const WRITTEN_FROM_MAX: usize = 0x7f;

/// The last start that was written or read, and what the next one needs to know.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Starts {
    header: u8,
    start: i64,
    /// From the start to the sample before the last one.
    distance: i64,
}

/// A sample's number, from 0, and its time and that of the one before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) number: usize,
    pub(super) time: i64,
    pub(super) before: i64,
}

impl Starts {
    /// Where a reader of a chunk with this byte begins.
    pub(super) fn of_header(header: u8) -> Self {
        Starts { header, ..Starts::default() }
    }

    /// The byte in the chunk's header.
    pub(super) fn header(&self) -> u8 {
        self.header
    }

    /// The start of the last sample, 0 where it has none.
    pub(super) fn last(&self) -> i64 {
        self.start
    }

    fn written_from(&self) -> usize {
        usize::from(self.header & !FIRST_IS_WRITTEN)
    }

    /// Writes the start of the next sample behind the sample.
    pub(super) fn push(&mut self, out: &mut BitWriter, place: Place, start: i64) {
        if place.number == 0 {
            if start != 0 {
                self.header = FIRST_IS_WRITTEN;
                varint::push_int(out, place.time.wrapping_sub(start));
            }
        } else {
            let distance = place.before.wrapping_sub(start);
            if self.written_from() > 0 {
                varbit::push_int(out, distance.wrapping_sub(self.distance));
            } else if start != self.start || place.number == WRITTEN_FROM_MAX {
                self.header |= place.number as u8; // it is no larger, or this would have begun before
                varbit::push_int(out, distance);
            }
            self.distance = distance;
        }
        self.start = start;
    }

    /// Reads the start of the next sample.
    pub(super) fn take(&mut self, bits: &mut BitReader<'_>, place: Place) -> Result<(), ChunkError> {
        if place.number == 0 {
            if self.header & FIRST_IS_WRITTEN != 0 {
                self.start = place.time.wrapping_sub(varint::take_int(bits)?);
            }
            return Ok(());
        }
        let from = self.written_from();
        if from > 0 && place.number >= from {
            let read = varbit::take_int(bits).ok_or(ChunkError::Corrupt("ends in the middle of a start timestamp"))?;
            self.distance = if place.number == from { read } else { self.distance.wrapping_add(read) };
            self.start = place.before.wrapping_sub(self.distance);
        }
        Ok(())
    }
}
