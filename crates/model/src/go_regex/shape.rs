//! Expressions that need no engine, because comparing text says the same.

use std::collections::HashSet;

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use crate::go_regex::finite::{common_prefix, finite_set};

/// A set may have so many members, or as many as the expression has branches.
const LITERALS_MAX: usize = 256;
/// Up to so many texts are compared one by one.
const LINEAR_MAX: usize = 8;

/// What matching an expression comes down to.
#[derive(Debug)]
pub(super) enum Shape {
    /// One of a few texts.
    Few,
    /// One of many texts.
    Many(HashSet<String>),
    /// `.*`, or `.+` where at least one character is wanted.
    Any {
        /// `.+`
        some: bool,
    },
    /// `text.*`, or `text.+`
    Prefix {
        /// What it begins with.
        text: String,
        /// `.+`
        some: bool,
    },
    /// `.*text`, or `.+text`
    Suffix {
        /// What it ends with.
        text: String,
        /// `.+`
        some: bool,
    },
    /// `.*text.*`
    Contains {
        /// What it contains.
        text: String,
    },
    /// Anything else.
    Engine,
}

/// What is known about an expression that has to match a whole text.
#[derive(Debug)]
pub(super) struct Analysis {
    pub(super) shape: Shape,
    /// The texts that match, sorted, where they are few.
    pub(super) literals: Option<Vec<String>>,
    /// What every match begins with.
    pub(super) prefix: String,
}

/// Analyses an expression; `branches` is how many `|` it was written with.
pub(super) fn analyse(hir: &Hir, branches: usize) -> Analysis {
    let limit = LITERALS_MAX.max(branches + 1);
    let mut sequence = Vec::new();
    flatten(hir, &mut sequence);
    // The whole text has to match, so these say nothing at the ends.
    let from = sequence.iter().take_while(|part| is_look(part, Look::Start)).count();
    let to = sequence.len() - sequence[from..].iter().rev().take_while(|part| is_look(part, Look::End)).count();
    let sequence = &sequence[from..to];
    let whole = Hir::concat(sequence.iter().map(|part| (*part).clone()).collect());
    let literals = finite_set(&whole, limit);
    let shape = match &literals {
        Some(texts) if texts.len() <= LINEAR_MAX => Shape::Few,
        Some(texts) => Shape::Many(texts.iter().cloned().collect()),
        None => wildcard_shape(sequence),
    };
    Analysis { shape, literals, prefix: common_prefix(sequence, limit) }
}

/// The parts of a sequence, seen through groups.
fn flatten<'a>(hir: &'a Hir, out: &mut Vec<&'a Hir>) {
    match hir.kind() {
        HirKind::Concat(parts) => parts.iter().for_each(|part| flatten(part, out)),
        HirKind::Capture(capture) => flatten(&capture.sub, out),
        HirKind::Empty => {}
        _ => out.push(hir),
    }
}

fn is_look(hir: &Hir, look: Look) -> bool {
    matches!(hir.kind(), HirKind::Look(found) if *found == look)
}

/// Whether this is `.*` (false) or `.+` (true), with a dot that matches everything.
fn wildcard(hir: &Hir) -> Option<bool> {
    let HirKind::Repetition(Repetition { min: min @ (0 | 1), max: None, sub, .. }) = hir.kind() else { return None };
    let HirKind::Class(Class::Unicode(class)) = sub.kind() else { return None };
    match class.ranges() {
        [all] if all.start() == '\0' && all.end() == char::MAX => Some(*min == 1),
        _ => None,
    }
}

fn wildcard_shape(sequence: &[&Hir]) -> Shape {
    let literal = |parts: &[&Hir]| -> Option<String> {
        let mut text = String::new();
        for part in parts {
            let HirKind::Literal(literal) = part.kind() else { return None };
            text.push_str(std::str::from_utf8(&literal.0).ok()?);
        }
        (!parts.is_empty()).then_some(text)
    };
    let (Some(first), Some(last)) = (sequence.first(), sequence.last()) else { return Shape::Engine };
    let (front, back) = (wildcard(first), wildcard(last));
    let inner = &sequence[usize::from(front.is_some())..];
    match (front, back) {
        (Some(some), _) if inner.is_empty() => Shape::Any { some },
        (Some(false), Some(false)) => {
            literal(&inner[..inner.len() - 1]).map_or(Shape::Engine, |text| Shape::Contains { text })
        }
        (Some(some), None) => literal(inner).map_or(Shape::Engine, |text| Shape::Suffix { text, some }),
        (None, Some(some)) => {
            literal(&inner[..inner.len() - 1]).map_or(Shape::Engine, |text| Shape::Prefix { text, some })
        }
        _ => Shape::Engine,
    }
}
