//! Strongly connected modules.

use crate::tidy::modules::arrows::Arrow;
use crate::tidy::modules::crate_tree::ModuleId;

/// Modules of which each reaches each other, and the arrows among them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cycle {
    pub(crate) members: Vec<ModuleId>,
    pub(crate) arrows: Vec<Arrow>,
}

/// The cycles of a graph of `count` modules, none twice.
///
/// By the plain closure of "reaches": a crate has tens of modules, so clarity wins over Tarjan's algorithm.
pub(crate) fn find(count: usize, arrows: &[Arrow]) -> Vec<Cycle> {
    let reached: Vec<Vec<bool>> = (0..count).map(|start| reach(start, count, arrows)).collect();
    let mut taken = vec![false; count];
    let mut cycles = Vec::new();
    for first in 0..count {
        let together = |other: &ModuleId| reached[first][*other] && reached[*other][first];
        let members: Vec<ModuleId> = (first..count).filter(together).collect();
        if taken[first] || members.len() < 2 {
            continue;
        }
        members.iter().for_each(|member| taken[*member] = true);
        let inside = |arrow: &&Arrow| members.contains(&arrow.from) && members.contains(&arrow.to);
        cycles.push(Cycle { arrows: arrows.iter().filter(inside).copied().collect(), members });
    }
    cycles
}

/// Which modules arrows lead to from `start`, over one arrow or more.
fn reach(start: ModuleId, count: usize, arrows: &[Arrow]) -> Vec<bool> {
    let mut reached = vec![false; count];
    let mut open = vec![start];
    while let Some(module) = open.pop() {
        for arrow in arrows.iter().filter(|arrow| arrow.from == module) {
            if !std::mem::replace(&mut reached[arrow.to], true) {
                open.push(arrow.to);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arrows: &[(usize, usize)], expected: &[&[usize]]) {
        let arrows: Vec<Arrow> = arrows.iter().map(|(from, to)| Arrow { from: *from, to: *to, line: 1 }).collect();
        let found: Vec<Vec<usize>> = find(6, &arrows).into_iter().map(|cycle| cycle.members).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn components() {
        check(&[], &[]);
        check(&[(0, 1), (1, 2), (0, 2)], &[]);
        check(&[(0, 1), (1, 0)], &[&[0, 1]]);
        check(&[(0, 3), (3, 5), (5, 0), (0, 1)], &[&[0, 3, 5]]);
        check(&[(0, 1), (1, 0), (1, 2), (2, 3), (3, 2)], &[&[0, 1], &[2, 3]]);
    }

    #[test]
    fn only_arrows_of_the_cycle_are_shown() {
        let arrows = [(0, 1), (1, 0), (1, 2)].map(|(from, to)| Arrow { from, to, line: 1 });
        assert_eq!(find(3, &arrows)[0].arrows, arrows[..2]);
    }
}
