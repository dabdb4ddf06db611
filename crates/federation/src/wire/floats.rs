//! Floats in columns.
//!
//! The columns are such that the compressor finds equal bytes: series follow each other in the order in which they were defined, times
//! are those of their commit, and a value is the difference to the last one of its series, which both sides remember for a session.
//! Most values are whole numbers that change little, or don't change, and many of the others have two digits behind the point.

use serde_bytes::ByteBuf;

use super::body::WireError;
use super::frame::Floats;

/// What counts as the value of a series before its first one.
pub(crate) const FIRST_VALUE: f64 = 0.0;
/// Whole numbers beyond this have neighbours that a float can't tell apart.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

const SAME: u8 = 0;
const STALE: u8 = 1;
const WHOLE: u8 = 2;
const BITS: u8 = 3;
/// By how much a value is multiplied to be a whole number, beginning with the kind after `BITS`: tenths, hundredths, thousandths.
const SCALES: [f64; 3] = [10.0, 100.0, 1000.0];

/// A float with its series and time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WireFloat {
    /// The series' number.
    pub(crate) id: u32,
    /// When, in milliseconds since the epoch.
    pub(crate) time: i64,
    /// What.
    pub(crate) value: f64,
}

fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    put_uvarint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// The number if it is a whole one that differences are exact for; the negative zero is none.
fn whole(value: f64) -> Option<i64> {
    let is_whole = value.abs() < WHOLE_MAX && value.trunc() == value && (value != 0.0 || value.is_sign_positive());
    is_whole.then_some(value as i64)
}

/// The number of tenths, hundredths or thousandths if the value is exactly what so many of them are.
fn scaled(value: f64, scale: f64) -> Option<i64> {
    let count = whole((value * scale).round())?;
    (unscaled(count, scale).to_bits() == value.to_bits()).then_some(count)
}

fn unscaled(count: i64, scale: f64) -> f64 {
    count as f64 / scale
}

/// The kind of a value that is a number of tenths, hundredths or thousandths, as the last one was, and by how many it is larger.
fn decimal(last: f64, value: f64) -> Option<(u8, i64)> {
    let difference = |scale: f64| Some(scaled(value, scale)? - scaled(last, scale)?);
    let kinds = (BITS + 1..).zip(SCALES);
    kinds.into_iter().find_map(|(kind, scale)| Some((kind, difference(scale)?)))
}

/// Writes the columns.
#[derive(Debug, Default)]
pub(crate) struct FloatWriter {
    count: u32,
    ids: Vec<u8>,
    times: Vec<u8>,
    kinds: Vec<u8>,
    whole: Vec<u8>,
    bits: Vec<u64>,
    last_id: u32,
    last_time: i64,
}

impl FloatWriter {
    /// Adds a float. `last` is the last value of its series, and becomes this one; a stale marker leaves it as it is.
    pub(crate) fn add(&mut self, WireFloat { id, time, value }: WireFloat, last: &mut f64) {
        self.count += 1;
        put_varint(&mut self.ids, i64::from(id) - i64::from(self.last_id));
        put_varint(&mut self.times, time.wrapping_sub(self.last_time));
        (self.last_id, self.last_time) = (id, time);
        let kind = if value.to_bits() == last.to_bits() {
            SAME
        } else if model::is_stale(value) {
            self.kinds.push(STALE);
            return;
        } else if let (Some(before), Some(now)) = (whole(*last), whole(value)) {
            put_varint(&mut self.whole, now - before);
            WHOLE
        } else if let Some((kind, difference)) = decimal(*last, value) {
            put_varint(&mut self.whole, difference);
            kind
        } else {
            self.bits.push(value.to_bits() ^ last.to_bits());
            BITS
        };
        self.kinds.push(kind);
        *last = value;
    }

    /// How many floats there are.
    pub(crate) fn len(&self) -> usize {
        self.count as usize
    }

    /// The columns; the writer begins anew.
    pub(crate) fn take(&mut self) -> Floats {
        let mut bits = Vec::with_capacity(self.bits.len() * 8);
        // All first bytes, then all second ones: signs and exponents are alike.
        for shift in (0..8).rev() {
            bits.extend(self.bits.iter().map(|bits| (bits >> (8 * shift)) as u8));
        }
        let columns = std::mem::take(self);
        Floats {
            count: columns.count,
            ids: ByteBuf::from(columns.ids),
            times: ByteBuf::from(columns.times),
            kinds: ByteBuf::from(columns.kinds),
            whole: ByteBuf::from(columns.whole),
            bits: ByteBuf::from(bits),
        }
    }
}

/// A column of varints.
struct Varints<'a> {
    name: &'static str,
    bytes: &'a [u8],
}

impl Varints<'_> {
    fn next(&mut self) -> Result<i64, WireError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.bytes.split_first().ok_or(WireError::Column(self.name))?;
            self.bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(WireError::Column(self.name))
    }

    fn end(&self) -> Result<(), WireError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(WireError::Column(self.name)) }
    }
}

/// Reads the columns, one float after the other.
pub(crate) struct FloatReader<'a> {
    ids: Varints<'a>,
    times: Varints<'a>,
    kinds: std::slice::Iter<'a, u8>,
    whole: Varints<'a>,
    bits: &'a [u8],
    /// How many values the column of bits has, and how many have been read.
    planes: usize,
    plane: usize,
    id: i64,
    time: i64,
}

impl<'a> FloatReader<'a> {
    /// A reader at the beginning.
    pub(crate) fn new(floats: &'a Floats) -> Result<Self, WireError> {
        if floats.kinds.len() != floats.count as usize {
            return Err(WireError::Column("kinds"));
        }
        let planes = floats.kinds.iter().filter(|kind| **kind == BITS).count();
        if floats.bits.len() != planes * 8 {
            return Err(WireError::Column("bits"));
        }
        Ok(FloatReader {
            ids: Varints { name: "ids", bytes: &floats.ids },
            times: Varints { name: "times", bytes: &floats.times },
            kinds: floats.kinds.iter(),
            whole: Varints { name: "whole", bytes: &floats.whole },
            bits: &floats.bits,
            planes,
            plane: 0,
            id: 0,
            time: 0,
        })
    }

    /// Series and time of the next float, whose value must be asked for then; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, i64)>, WireError> {
        if self.kinds.len() == 0 {
            self.ids.end()?;
            self.times.end()?;
            self.whole.end()?;
            return Ok(None);
        }
        self.id = self.id.wrapping_add(self.ids.next()?);
        self.time = self.time.wrapping_add(self.times.next()?);
        let id = u32::try_from(self.id).map_err(|_| WireError::Column("ids"))?;
        Ok(Some((id, self.time)))
    }

    /// The value. `last` is the last one of the series, and becomes this one as in [`FloatWriter::add`].
    pub(crate) fn value(&mut self, last: &mut f64) -> Result<f64, WireError> {
        match self.kinds.next() {
            Some(&SAME) => {}
            Some(&STALE) => return Ok(model::STALE_NAN),
            Some(&WHOLE) => {
                let before = whole(*last).ok_or(WireError::Column("kinds"))?;
                let now = before.wrapping_add(self.whole.next()?) as f64;
                *last = Some(now).filter(|now| now.abs() < WHOLE_MAX).ok_or(WireError::Column("whole"))?;
            }
            Some(&BITS) => {
                let bytes = (0..8).map(|at| u64::from(self.bits[at * self.planes + self.plane]));
                *last = f64::from_bits(last.to_bits() ^ bytes.fold(0, |bits, byte| bits << 8 | byte));
                self.plane += 1;
            }
            Some(kind) => {
                let broken = WireError::Column("kinds");
                let Some(scale) = kind.checked_sub(BITS + 1).and_then(|at| SCALES.get(usize::from(at))) else {
                    return Err(broken);
                };
                let before = scaled(*last, *scale).ok_or(broken)?;
                *last = unscaled(before.wrapping_add(self.whole.next()?), *scale);
            }
            None => return Err(WireError::Column("kinds")),
        }
        Ok(*last)
    }
}

#[cfg(test)]
mod tests {
    use model::STALE_NAN;

    use super::*;

    #[test]
    fn floats_come_back() {
        let odd = f64::from_bits(0x7ff8_0000_0000_1234);
        let values = [
            [0.0, 0.0, 1.0, -5.0, 1e15],
            [WHOLE_MAX, -0.0, 0.0, WHOLE_MAX - 1.0, -WHOLE_MAX + 1.0],
            [0.1, f64::INFINITY, STALE_NAN, 7.0, STALE_NAN],
            [f64::NAN, odd, f64::MIN_POSITIVE, 1.5, 1e300],
            [1_251_167.96, 1_251_171.49, 0.07, -12.5, 0.001],
            [-0.01, 3.0, 0.1 + 0.2, 0.3, 90_071_992_547_409.92],
        ];
        let mut writer = FloatWriter::default();
        let mut last = [FIRST_VALUE; 6];
        let mut want = Vec::new();
        for column in 0..5 {
            for (id, row) in values.iter().enumerate() {
                let time = column as i64 * 15_000 - 20_000 - id as i64;
                writer.add(WireFloat { id: id as u32, time, value: row[column] }, &mut last[id]);
                want.push((id, time, row[column].to_bits()));
            }
        }
        assert_eq!(writer.len(), 30);
        let floats = writer.take();
        assert_eq!(writer.len(), 0);
        let mut last = [FIRST_VALUE; 6];
        let mut got = Vec::new();
        let mut reader = FloatReader::new(&floats).expect("valid");
        while let Some((id, time)) = reader.next().expect("valid") {
            let value = reader.value(&mut last[id as usize]).expect("valid");
            got.push((id as usize, time, value.to_bits()));
        }
        assert_eq!(got, want);
    }

    #[test]
    fn any_floats_come_back() {
        let mut state = 1_u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 11
        };
        let values: Vec<f64> = (0..100_000)
            .map(|_| match random() % 5 {
                0 => f64::from_bits((random() << 11) | (random() % 2048)),
                1 => (random() % 2_000_000) as f64 - 1e6,
                2 => (random() % 2_000_000_000) as f64 / 100.0,
                3 => (random() as f64 - 4e15) / [10.0, 1000.0][random() as usize % 2],
                _ => (random() % 1000) as f64 * 0.01,
            })
            .collect();
        let (mut writer, mut last) = (FloatWriter::default(), FIRST_VALUE);
        values.iter().for_each(|value| writer.add(WireFloat { id: 0, time: 0, value: *value }, &mut last));
        let floats = writer.take();
        let (mut reader, mut last) = (FloatReader::new(&floats).expect("valid"), FIRST_VALUE);
        for value in &values {
            assert_eq!(reader.next().expect("valid"), Some((0, 0)));
            assert_eq!(reader.value(&mut last).expect("valid").to_bits(), value.to_bits(), "{value}");
        }
        assert_eq!(reader.next().expect("valid"), None);
    }

    #[test]
    fn what_has_few_digits_is_short() {
        let mut last = 1_251_167.96;
        let mut writer = FloatWriter::default();
        writer.add(WireFloat { id: 0, time: 0, value: 1_251_171.49 }, &mut last);
        let floats = writer.take();
        assert_eq!((floats.kinds.as_slice(), floats.whole.len(), floats.bits.len()), (&[BITS + 2][..], 2, 0));
    }
}
