use serde::Deserialize;

use super::*;
use crate::duration::DurationMs;
use crate::error::Report;
use crate::secret::Secret;
use crate::spanned::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Section {
    name: Spanned<String>,
    interval: Option<Spanned<DurationMs>>,
    count: u32,
    token: Option<Secret>,
    kind: Option<Kind>,
    below: Vec<Spanned<Section>>,
}

#[derive(Debug, Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Replace,
    Keep,
}

impl Default for Section {
    fn default() -> Self {
        Section { name: Spanned::default(), interval: None, count: 7, token: None, kind: None, below: Vec::new() }
    }
}

#[test]
fn reads_values_with_their_places() {
    let text = "name: 'a'\ninterval: 1m30s\nkind: keep\nbelow:\n  - name: b\n    count: 2\n";
    let section: Section = load(text, "a.yml").unwrap();
    assert_eq!((section.name.as_str(), section.count, section.kind), ("a", 7, Some(Kind::Keep)));
    let interval = section.interval.unwrap();
    assert_eq!((interval.value, interval.position.line, interval.position.column), (DurationMs(90_000), 2, 11));
    let below = &section.below[0];
    assert_eq!((below.position.line, below.position.column, below.count), (5, 5, 2));
    assert_eq!((below.name.position.line, below.name.position.column), (5, 11));
}

#[test]
fn an_empty_file_is_an_empty_mapping() {
    for text in ["", "# nothing\n", "---\n", "{}"] {
        assert_eq!(load::<Section>(text, "a.yml").map(|s| s.count), Ok(7), "{text:?}");
    }
}

#[test]
fn takes_texts_as_go_does() {
    // a number where a text is wanted is that text, as written
    assert_eq!(load::<Section>("name: 0123", "a.yml").unwrap().name.value, "0123");
    assert_eq!(load::<Section>("name: yes", "a.yml").unwrap().name.value, "yes");
}

#[test]
fn refuses_with_the_place() {
    let check = |text: &str, want: &str| match load::<Section>(text, "a.yml") {
        Ok(section) => panic!("accepted {text:?} as {section:?}"),
        Err(e) => assert_eq!(e.to_string(), want, "{text:?}"),
    };
    check("nam: a", "a.yml:1:1: unknown key \"nam\", did you mean \"name\"?");
    check("name: a\nbelow:\n  - intervall: 5s\n", "a.yml:3:5: unknown key \"intervall\", did you mean \"interval\"?");
    check("colour: a", "a.yml:1:1: unknown key \"colour\", expected one of: below, count, interval, kind, name, token");
    check("kind: kep", "a.yml:1:7: unknown value \"kep\", did you mean \"keep\"?");
    check("count: many", "a.yml:1:8: not a valid u32");
    check(
        "interval: 5",
        "a.yml:1:11: not a valid duration string: \"5\" (want a number with a unit, as 30s, 5m or 1h30m)",
    );
    check("name: a\nname: b", "a.yml:2:1: the key \"name\" is given twice");
    check("below: 3", "a.yml:1:8: a list was expected");
    check("below: [3]", "a.yml:1:9: a mapping was expected");
    check("name: [1]", "a.yml:1:7: a text was expected");

    check("name: a\n---\nname: b\n", "a.yml:3:1: the file has more than one YAML document, one was expected");
}

#[test]
fn validation_reports_every_error() {
    let section: Section = load("name: a\nbelow:\n- name: x\n- name: y\n", "a.yml").unwrap();
    let mut report = Report::new("a.yml");
    for below in section.below.iter().rev() {
        report.error(&below.name, format_args!("{} is bad", *below.name));
    }
    assert_eq!(report.finish(()).unwrap_err().to_string(), "a.yml:3:9: x is bad\na.yml:4:9: y is bad");
}

#[test]
fn takes_long_lists_and_much_used_anchors() {
    let targets: Vec<String> = load(&"- host:9100\n".repeat(300_000), "a.yml").unwrap();
    assert_eq!(targets.len(), 300_000);
    let text = format!("below:\n- &a {{name: x}}\n{}", "- *a\n".repeat(2000));
    assert_eq!(load::<Section>(&text, "a.yml").unwrap().below.len(), 2001);
}

#[test]
fn everything_that_is_wrong_is_told() {
    let text = "nam: a\ninterval: 5 minutes\nbelow:\n- nme: b\n  count: 1\n- count: many\n  # a comment\n  below:\n  - x:\n    - 1\n    - 2\n  - count: {a: b}\n    token: t\nkind: {a: b}\ncount: 8\n";
    let error = load::<Section>(text, "a.yml").unwrap_err().to_string();
    let places: Vec<&str> = error.lines().map(|line| line.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(
        places,
        ["a.yml:1:1", "a.yml:2:11", "a.yml:4:3", "a.yml:6:10", "a.yml:9:5", "a.yml:12:12", "a.yml:14:8"],
        "{error}"
    );
}

#[test]
fn what_is_no_yaml_ends_the_errors() {
    for (text, count) in
        [("nam: a\nkind: [", 1), ("a: 1\nb: 2\n\tc", 3), ("name: &x a\nnam: *x\nkind: *x\n", 1), ("- a\n- b\n", 1)]
    {
        let errors = load::<Section>(text, "a.yml").unwrap_err();
        assert_eq!(errors.0.len(), count, "{errors}");
    }
    let many: String = (0..100).map(|i| format!("key{i}: 1\n")).collect();
    assert_eq!(load::<Section>(&many, "a.yml").unwrap_err().0.len(), 32);
}
