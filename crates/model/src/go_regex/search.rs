//! Expressions that search anywhere in a text, as templates use them.

use regex_automata::meta::{Config, Regex};

use crate::go_regex::error::RegexError;
use crate::go_regex::parser::parse_search;
use crate::go_regex::template::{Group, expand};

/// An expression's automaton may take so many bytes.
const ENGINE_BYTES_MAX: usize = 10 << 20;

/// A compiled expression as Go's `regexp.Compile` gives it: it matches anywhere, and a dot doesn't match a newline.
#[derive(Debug, Clone)]
pub struct GoSearch {
    engine: Regex,
    /// The names of the groups, from group 1 on; empty where a group has none.
    names: Vec<String>,
}

impl GoSearch {
    /// Compiles an expression in Go's syntax.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let parsed = parse_search(pattern)?;
        let config = Config::new().nfa_size_limit(Some(ENGINE_BYTES_MAX));
        let engine = Regex::builder().configure(config).build_from_hir(&parsed.hir).map_err(|_| RegexError {
            pattern: pattern.to_owned(),
            fragment: pattern.to_owned(),
            reason: "expression too large",
        })?;
        Ok(GoSearch { engine, names: parsed.names })
    }

    /// Go's `MatchString`: whether some part of `text` matches.
    pub fn is_match(&self, text: &str) -> bool {
        self.engine.is_match(text)
    }

    /// Go's `ReplaceAllString`: every match replaced by `template`, in which `$1`, `${1}`, `$name`, `${name}` and `$$` stand for
    /// what the groups hold, see [`GoRegex::expand`](crate::GoRegex::expand).
    pub fn replace_all(&self, text: &str, template: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for captures in self.engine.captures_iter(text) {
            let Some(found) = captures.get_match() else { continue };
            out.push_str(&text[end..found.start()]);
            let held = |number| captures.get_group(number).map(|span| &text[span.range()]);
            expand(template, &mut out, |group| match group {
                Group::Number(number) => held(number),
                Group::Name(name) => (1..=self.names.len()).filter(|i| self.names[i - 1] == name).find_map(held),
            });
            end = found.end();
        }
        out.push_str(&text[end..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_and_replaces_as_go_does() {
        // What Go 1.26 gives.
        let check = |pattern: &str, text: &str, template: &str, want: &str| {
            let search = GoSearch::new(pattern).expect("an expression");
            assert_eq!(search.replace_all(text, template), want, "{pattern} {text} {template}");
        };
        check("(a)b", "ab xab", "[$1]", "[a] x[a]");
        check("a*", "baaac", "x", "xbxcx");
        check("", "ab", "-", "-a-b-");
        check("a.b", "a\nb axb", "!", "a\nb !");
        check("(?s)a.b", "a\nb", "!", "!");
        check("^a|b$", "aabb", "!", "!ab!");
        check("(?m)^", "x\ny", "> ", "> x\n> y");
        check("(?P<host>[^.]+)[.].*", "a.b.c", "${host}$$$none", "a$");
        check("\\d+", "7 ٧ 42", "#", "# ٧ #");
        check("é", "éa", "$0$0", "ééa");
        check("b", "aaa", "x", "aaa");
        assert!(GoSearch::new("[a-z]+").is_ok_and(|search| search.is_match("12a") && !search.is_match("12")));
        assert!(GoSearch::new("a)(b").is_err());
    }
}
