//! The order in which members are asked to take a target.

use std::hash::{Hash, Hasher};

use consistent_hash::{Node, RingHash, StaticHashRing};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Places of each member on the ring: with a thousand of them the busiest of ten members has 6 % more than its share.
const PLACES: usize = 1000;

/// The same on every machine and in every version, as all members must agree.
#[derive(Debug, Clone, Copy)]
struct StableHash;

impl RingHash for StableHash {
    fn hash_item<T: Hash>(&self, item: &T) -> u64 {
        let mut hasher = Xxh3::new();
        item.hash(&mut hasher);
        hasher.finish()
    }
}

/// Members on a ring, in as many places each.
///
/// Two rings are equal where they are made of the same names, in whatever order these came.
#[derive(Debug)]
pub struct Ring {
    /// The value of a node is the member's place in the list that the ring was made of.
    ring: StaticHashRing<'static, u64, usize, StableHash>,
}

impl PartialEq for Ring {
    fn eq(&self, other: &Self) -> bool {
        let keys = |ring: &Ring| ring.ring.nodes().iter().map(|node| node.key).collect::<Vec<_>>();
        keys(self) == keys(other) // in the ring's own order, which is sorted
    }
}

impl Ring {
    /// A ring of these members, which depends on their names and not on their order.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Ring {
        let nodes = names.into_iter().enumerate();
        let nodes = nodes.map(|(at, name)| Node::new(xxh3_64(name.as_bytes())).value(at).quantity(PLACES));
        Ring { ring: StaticHashRing::new(StableHash, nodes) }
    }

    /// All members in the order in which they are asked to take what has this hash. Where one is taken out, those behind it move up,
    /// and nothing else changes.
    pub fn candidates(&self, key: u64) -> impl Iterator<Item = usize> + '_ {
        self.ring.calc_candidates(&key).map(|node| node.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(ring: &Ring, count: usize) -> Vec<Vec<usize>> {
        (0..20_000_u64).map(|key| ring.candidates(xxh3_64(&key.to_le_bytes())).take(count).collect()).collect()
    }

    #[test]
    fn everybody_has_a_fair_share() {
        let names = ["a:9090", "b:9090", "c:9090", "d:9090", "e:9090"];
        let mut counts = [0; 5];
        for owner in owners(&Ring::new(names), 2).into_iter().flatten() {
            counts[owner] += 1;
        }
        for count in counts {
            assert!((7200..8800).contains(&count), "{counts:?}");
        }
    }

    #[test]
    fn one_member_more_takes_only_what_it_gets() {
        let (before, after) = (Ring::new(["a", "b", "c", "d"]), Ring::new(["a", "b", "c", "d", "e"]));
        let mut moved = 0;
        for (old, new) in owners(&before, 2).into_iter().zip(owners(&after, 2)) {
            let stayed: Vec<usize> = new.iter().copied().filter(|member| *member != 4).collect();
            assert_eq!(stayed, old[..stayed.len()], "what stays keeps its order");
            moved += 2 - stayed.len();
        }
        assert!((7000..9000).contains(&moved), "a fifth of 40,000 places, and not {moved}");
    }

    #[test]
    fn the_order_of_the_list_is_nothing() {
        let (names, turned) = (["a", "b", "c"], ["c", "a", "b"]);
        let named = |ring: &Ring, names: &[&'static str]| {
            let all = owners(ring, 3).into_iter();
            all.map(|owners| owners.into_iter().map(|at| names[at]).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        assert_eq!(named(&Ring::new(names), &names), named(&Ring::new(turned), &turned));
    }

    /// Members of different versions share targets, so these never change.
    #[test]
    fn is_the_same_in_every_version() {
        let ring = Ring::new(["shard-a:9090", "shard-b:9090", "shard-c:9090"]);
        let order = |key: u64| ring.candidates(key).collect::<Vec<_>>();
        assert_eq!([order(0), order(1), order(2), order(u64::MAX)], [[2, 0, 1], [0, 1, 2], [1, 2, 0], [0, 2, 1]]);
    }
}
