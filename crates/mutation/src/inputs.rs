//! From an input to others like it.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// At most so many changes are made to one input.
const CHANGES_MAX: usize = 4;
/// At most so many bytes are repeated by one change.
const REPEATED_BYTES_MAX: usize = 64;

/// Dice that fall the same way for the same number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = xxh3_64_with_seed(&self.0.to_be_bytes(), 7);
        (self.0 % sides.max(1) as u64) as usize
    }
}

/// The input with some of its bytes changed, the same for the same number.
pub fn mutate(seed: &[u8], number: u64) -> Vec<u8> {
    let mut out = seed.to_vec();
    let mut dice = Dice(number);
    for _ in 0..1 + dice.roll(CHANGES_MAX) {
        change(&mut out, &mut dice);
    }
    out
}

fn change(out: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.roll(out.len());
    match dice.roll(8) {
        0 => out.truncate(at),
        1 | 2 => out.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.roll(8)),
        // Lengths and counts that are huge: as a varint, and in fixed width.
        3 => out.iter_mut().skip(at).take(1 + dice.roll(9)).for_each(|byte| *byte = 0xff),
        4 => out.iter_mut().skip(at).take(1 + dice.roll(8)).for_each(|byte| *byte = 0),
        5 => out.iter_mut().skip(at).take(1).for_each(|byte| *byte = dice.roll(256) as u8),
        6 => {
            let from = dice.roll(out.len()).min(at);
            let part = out[from..at].to_vec();
            out.extend_from_slice(&part[..part.len().min(REPEATED_BYTES_MAX)]);
        }
        _ => {
            let end = (at + 1 + dice.roll(8)).min(out.len());
            out.drain(at.min(end)..end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_makes_the_same_input_and_others_make_others() {
        let seed: Vec<u8> = (0..100).collect();
        assert_eq!(mutate(&seed, 5), mutate(&seed, 5));
        let different = (0..1000).filter(|number| mutate(&seed, *number) != seed).count();
        assert!(different > 900, "{different}");
        assert_eq!(mutate(&[], 3), mutate(&[], 3));
    }
}
