//! The compiled expression.

use std::fmt;
use std::sync::{Arc, OnceLock};

use regex_automata::meta::{self, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::hir::{Hir, Look};

use crate::go_regex::error::RegexError;
use crate::go_regex::parser::{Parsed, parse};
use crate::go_regex::shape::{Analysis, Shape, analyse};
use crate::go_regex::template::{Group, expand};

/// An expression's automaton may take so many bytes.
const ENGINE_BYTES_MAX: usize = 10 << 20;

/// A compiled, anchored expression: it matches a whole value or not at all. Cheap to clone.
#[derive(Clone)]
pub struct GoRegex {
    inner: Arc<Inner>,
}

struct Inner {
    parsed: Parsed,
    analysis: Analysis,
    /// Only where comparing text isn't enough.
    engine: Option<Regex>,
    /// Made when groups are asked for, which few users of an expression do.
    capturing: OnceLock<Regex>,
}

impl GoRegex {
    /// Compiles an expression in Go's syntax.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let parsed = parse(pattern)?;
        let analysis = analyse(&parsed.hir, pattern.matches('|').count());
        let too_large = |_| RegexError {
            pattern: pattern.to_owned(),
            fragment: pattern.to_owned(),
            reason: "expression too large",
        };
        let engine = match analysis.shape {
            Shape::Engine => {
                Some(compile(&parsed.hir, WhichCaptures::None, Some(ENGINE_BYTES_MAX)).map_err(too_large)?)
            }
            _ => None,
        };
        Ok(GoRegex { inner: Arc::new(Inner { parsed, analysis, engine, capturing: OnceLock::new() }) })
    }

    /// Whether the whole of `text` matches.
    pub fn is_match(&self, text: &str) -> bool {
        let literals = self.inner.analysis.literals.as_deref().unwrap_or_default();
        match &self.inner.analysis.shape {
            Shape::Few => literals.iter().any(|literal| literal == text),
            Shape::Many(set) => set.contains(text),
            Shape::Any { some } => !some || !text.is_empty(),
            Shape::Prefix { text: prefix, some } => {
                text.strip_prefix(prefix.as_str()).is_some_and(|rest| !some || !rest.is_empty())
            }
            Shape::Suffix { text: suffix, some } => {
                text.strip_suffix(suffix.as_str()).is_some_and(|rest| !some || !rest.is_empty())
            }
            Shape::Contains { text: infix } => text.contains(infix.as_str()),
            Shape::Engine => self.is_match_slow(text),
        }
    }

    /// The twin of [`GoRegex::is_match`] that always asks the engine.
    pub(super) fn is_match_slow(&self, text: &str) -> bool {
        self.inner.engine.as_ref().unwrap_or_else(|| self.capturing()).is_match(text)
    }

    /// The finite set of values that can match, sorted, where the expression has one (`a|b|c`; `5..` has none). The empty
    /// value, which a label that isn't there has, may be among them.
    pub fn literals(&self) -> Option<&[String]> {
        self.inner.analysis.literals.as_deref()
    }

    /// The text with which every match begins; empty where there is none.
    pub fn prefix(&self) -> &str {
        &self.inner.analysis.prefix
    }

    /// Go's `Regexp.Expand`: `template` with `$1`, `${1}`, `$name`, `${name}` and `$$` replaced by what the groups of a
    /// match of the whole `text` hold; `None` where `text` doesn't match. A name is as long as letters, digits and
    /// underscores go, so `$1x` is the group named `1x`; a group that isn't there or took no part is empty.
    pub fn expand(&self, text: &str, template: &str) -> Option<String> {
        if !template.contains('$') {
            return self.is_match(text).then(|| template.to_owned());
        }
        let engine = self.capturing();
        let mut captures = engine.create_captures();
        engine.captures(text, &mut captures);
        if !captures.is_match() {
            return None;
        }
        let mut out = String::with_capacity(template.len() + text.len());
        let names = &self.inner.parsed.names;
        let held = |number| captures.get_group(number).map(|span| &text[span.range()]);
        expand(template, &mut out, |group| match group {
            Group::Number(number) => held(number),
            Group::Name(name) => (1..=names.len()).filter(|i| names[i - 1] == name).find_map(held),
        });
        Some(out)
    }

    fn capturing(&self) -> &Regex {
        self.inner.capturing.get_or_init(|| {
            compile(&self.inner.parsed.hir, WhichCaptures::All, None)
                .expect("only the limit on its size can stop an expression from compiling, and here is none")
        })
    }
}

impl fmt::Debug for GoRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GoRegex({})", self.inner.parsed.hir)
    }
}

fn compile(hir: &Hir, captures: WhichCaptures, bytes_max: Option<usize>) -> Result<Regex, Box<meta::BuildError>> {
    let anchored = Hir::concat(vec![Hir::look(Look::Start), hir.clone(), Hir::look(Look::End)]);
    let config = meta::Config::new().which_captures(captures).nfa_size_limit(bytes_max);
    Regex::builder().configure(config).build_from_hir(&anchored).map_err(Box::new)
}
