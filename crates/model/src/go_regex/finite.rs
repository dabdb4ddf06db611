//! The texts that an expression can match, where they are few, and the text with which all of them begin.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// All texts that `hir` matches, sorted, each once; `None` where there are more than `limit`, or infinitely many, or where
/// they depend on what stands around them.
pub(super) fn finite_set(hir: &Hir, limit: usize) -> Option<Vec<String>> {
    let mut set = expand(hir, limit)?;
    set.sort_unstable();
    set.dedup();
    Some(set)
}

fn expand(hir: &Hir, limit: usize) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![String::new()]),
        HirKind::Literal(literal) => Some(vec![String::from_utf8(literal.0.to_vec()).ok()?]),
        HirKind::Class(Class::Unicode(class)) => {
            let count: usize = class.iter().map(|range| range.len()).sum();
            (count <= limit).then(|| class.iter().flat_map(|r| r.start()..=r.end()).map(String::from).collect())
        }
        HirKind::Class(Class::Bytes(class)) => class.ranges().is_empty().then(Vec::new), // how the tree says "never"
        HirKind::Look(_) => None,
        HirKind::Repetition(repetition) => expand_repetition(repetition, limit),
        HirKind::Capture(capture) => expand(&capture.sub, limit),
        HirKind::Concat(parts) => {
            parts.iter().try_fold(vec![String::new()], |heads, part| product(&heads, &expand(part, limit)?, limit))
        }
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(expand(branch, limit)?);
                if all.len() > limit {
                    return None;
                }
            }
            Some(all)
        }
    }
}

fn expand_repetition(repetition: &Repetition, limit: usize) -> Option<Vec<String>> {
    let max = repetition.max?;
    let once = expand(&repetition.sub, limit)?;
    let (mut all, mut copies) = (Vec::new(), vec![String::new()]);
    for count in 0..=max {
        if count >= repetition.min {
            all.extend(copies.iter().cloned());
        }
        if all.len() > limit {
            return None;
        }
        if count < max {
            copies = product(&copies, &once, limit)?;
        }
    }
    Some(all)
}

fn product(heads: &[String], tails: &[String], limit: usize) -> Option<Vec<String>> {
    if heads.len().saturating_mul(tails.len()) > limit {
        return None;
    }
    Some(heads.iter().flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}"))).collect())
}

/// The text with which every match of a sequence begins.
pub(super) fn common_prefix(sequence: &[&Hir], limit: usize) -> String {
    let mut prefix = String::new();
    for part in sequence {
        let Some(set) = finite_set(part, limit) else { break };
        let (Some(first), Some(last)) = (set.first(), set.last()) else { break };
        // Of sorted texts, the first and the last differ at least as early as any two.
        let shared = first.chars().zip(last.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        prefix.push_str(&first[..shared]);
        if set.len() > 1 {
            break;
        }
    }
    prefix
}
