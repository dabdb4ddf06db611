//! Answers recorded from Go itself, and the fast paths against the engine.

use proptest::prelude::*;

use crate::go_regex::GoRegex;

/// What Go 1.26 says: `T` the texts; `P` an expression and those of the texts that it matches; `E` an expression and its
/// error; `X` an expression, a text, a template and what it expands to where the text matches. Backslashes, tabs and
/// control characters are escaped.
const GO: &str = include_str!("go.tsv");

fn unescape(field: &str) -> String {
    let mut out = String::new();
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let (c, len) = match after.as_bytes()[0] {
            b't' => ('\t', 1),
            b'n' => ('\n', 1),
            b'x' => (char::from(u8::from_str_radix(&after[1..3], 16).expect("two digits")), 3),
            _ => ('\\', 1),
        };
        out.push(c);
        rest = &after[len..];
    }
    out + rest
}

fn differences(recorded: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut differences = Vec::new();
    for line in recorded.lines() {
        let fields: Vec<String> = line.split('\t').map(unescape).collect();
        let regex = GoRegex::new(&fields[1]);
        match (fields[0].as_str(), regex) {
            ("T", _) => texts = fields[1..].to_vec(),
            ("E", Err(error)) if error.to_string() == fields[2] => {}
            ("P", Ok(regex)) => {
                let ours: Vec<&String> = texts.iter().filter(|text| regex.is_match(text)).collect();
                let slow: Vec<&String> = texts.iter().filter(|text| regex.is_match_slow(text)).collect();
                let go: Vec<&String> = fields[2..].iter().collect();
                if ours != go || slow != go {
                    differences.push(format!("{:?}: we match {ours:?} / {slow:?}, Go {go:?}", fields[1]));
                }
                if let Some(text) = go.iter().find(|text| !text.starts_with(regex.prefix())) {
                    differences.push(format!("{:?} has no prefix {:?}: {text:?}", fields[1], regex.prefix()));
                }
            }
            ("X", Ok(regex)) => {
                let ours = regex.expand(&fields[2], &fields[3]);
                if ours.as_ref() != fields.get(4) {
                    differences.push(format!("{:?}: we expand {ours:?}", fields));
                }
            }
            (_, ours) => differences.push(format!("{:?}: Go says {:?}, we {ours:?}", fields[1], fields.get(2))),
        }
    }
    differences
}

#[test]
fn says_what_go_says() {
    let differences = differences(GO);
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn finds_finite_sets_and_prefixes() {
    let check = |pattern: &str, literals: Option<&[&str]>, prefix: &str| {
        let regex = GoRegex::new(pattern).expect(pattern);
        let found = regex.literals().map(|set| set.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), literals, "{pattern}");
        assert_eq!(regex.prefix(), prefix, "{pattern}");
    };
    check("", Some(&[""]), "");
    check("abc", Some(&["abc"]), "abc");
    check("b|a|b", Some(&["a", "b"]), "");
    check("^(?:foo|bar)$", Some(&["bar", "foo"]), "");
    check("(foo|food)", Some(&["foo", "food"]), "foo");
    check("web-[0-2]", Some(&["web-0", "web-1", "web-2"]), "web-");
    check("a(b|c)d?", Some(&["ab", "abd", "ac", "acd"]), "a");
    check("a{2,3}", Some(&["aa", "aaa"]), "aa");
    check("10\\.0", Some(&["10.0"]), "10.0");
    check("(?i)ab", Some(&["AB", "Ab", "aB", "ab"]), "");
    check("5..", None, "5");
    check("foo.*", None, "foo");
    check("foo(bar|baz).*", None, "fooba");
    check("(é|è)x.+", None, "");
    check(".*foo", None, "");
    check("a|b.*", None, "");
    check("a\\b", None, "a");
    check("[a-z]{2}", None, "");
    check("[^\\x00-\\x{10FFFF}]", Some(&[]), "");
}

#[test]
fn many_branches_are_a_set_however_many() {
    let names: Vec<String> = (0..3000).map(|i| format!("node-{i:04}")).collect();
    let regex = GoRegex::new(&names.join("|")).expect("valid");
    assert_eq!(regex.literals(), Some(names.as_slice()));
    assert!(regex.is_match("node-2999") && !regex.is_match("node-3000"));
}

#[test]
fn bounds_are_named() {
    let check = |pattern: &str, reason: &str| {
        assert_eq!(GoRegex::new(pattern).map_err(|error| error.reason).err(), Some(reason), "{pattern:.40}");
    };
    check(&"(".repeat(100_000), "expression nests too deeply");
    check(&format!("{}a{}", "(".repeat(251), ")".repeat(251)), "expression nests too deeply");
    check("(\\pL{500}x){2}(\\pL{500}y){2}(\\pL{500}z){2}\\b", "expression too large");
    assert!(
        GoRegex::new(&format!("{}a{}", "(".repeat(250), ")*".repeat(250))).is_ok_and(|regex| regex.is_match("aaa"))
    );
}

proptest! {
    #[test]
    fn fast_paths_agree_with_the_engine(
        pattern in "(\\.[*+]|\\(\\.\\*\\)|){1}[ab]{0,2}(|\\|b|[c-d]|\\(a\\|\\)|\\[ab\\]|\\^|\\$){1}(\\.[*+]|){1}",
        texts in proptest::collection::vec("[abcd\n]{0,4}", 20),
    ) {
        if let Ok(regex) = GoRegex::new(&pattern) {
            for text in texts {
                let slow = regex.is_match_slow(&text);
                prop_assert_eq!(regex.is_match(&text), slow, "{} {:?}", pattern, text);
                if let Some(literals) = regex.literals() {
                    prop_assert_eq!(literals.binary_search(&text).is_ok(), slow, "{} {:?}", pattern, text);
                }
                prop_assert!(!slow || text.starts_with(regex.prefix()), "{} {:?}", pattern, text);
            }
        }
    }

    #[test]
    fn arbitrary_text_never_panics(pattern in "([a-c()|*+?{}\\[\\]^$.\\\\,0-9:<>PQEpx-]|\\PC){0,20}", template in "(\\$|[{}0-9a-b]|\\PC){0,10}") {
        if let Ok(regex) = GoRegex::new(&pattern) {
            regex.expand("abc", &template);
        }
    }
}
