use model::Labels;

use super::*;
use crate::names::NameValidation;

fn rules(yaml: &str) -> Result<Vec<RelabelConfig>, config::Errors> {
    let raw: Vec<Spanned<RawRelabelConfig>> = config::load(yaml, "r.yml")?;
    let mut report = Report::new("r.yml");
    let rules = RelabelConfig::validate_all(raw, NameValidation::Utf8, &mut report);
    report.finish(rules)
}

/// Applies rules to `a=1,b=2`-like labels; `None` where they drop it.
fn relabelled(labels: &str, yaml: &str) -> Option<String> {
    let pairs = labels.split(',').map(|pair| pair.split_once('=').unwrap());
    let mut builder = LabelsBuilder::new(&Labels::from_pairs(pairs));
    let kept = process(&rules(yaml).unwrap(), &mut builder);
    kept.then(|| builder.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(","))
}

#[test]
fn does_what_prometheus_does() {
    let check = |labels: &str, yaml: &str, want: Option<&str>| {
        assert_eq!(relabelled(labels, yaml).as_deref(), want, "{labels} {yaml}");
    };
    let abc = "a=foo,b=bar,c=baz";
    check(
        abc,
        "[{source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'ch${1}-ch${1}'}]",
        Some("a=foo,b=bar,c=baz,d=choo-choo"),
    );
    check(
        abc,
        "[{source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: 'b${1}${2}m'}]",
        Some("a=boobam,b=bar,c=baz"),
    );
    check(abc, "[{source_labels: [a, b], separator: '-', target_label: d}]", Some("a=foo,b=bar,c=baz,d=foo-bar"));
    // the expression must match the whole source
    check(abc, "[{source_labels: [a], regex: 'f', target_label: d, replacement: x}]", Some(abc));
    // no match leaves all as it is, an empty result deletes
    check(abc, "[{source_labels: [a], regex: 'x(.*)', target_label: b}]", Some(abc));
    check(abc, "[{source_labels: [a], target_label: b, replacement: ''}]", Some("a=foo,c=baz"));
    check(abc, "[{target_label: d, replacement: static}]", Some("a=foo,b=bar,c=baz,d=static"));
    check(
        abc,
        "[{source_labels: [a], regex: '(.*)', target_label: '${1}', replacement: x}]",
        Some("a=foo,b=bar,c=baz,foo=x"),
    );
    check(abc, "[{source_labels: [none], regex: '(.*)', target_label: '${1}', replacement: x}]", Some(abc));
    check(abc, "[{source_labels: [a], regex: 'foo', action: drop}]", None);
    check(abc, "[{source_labels: [a], regex: 'fo', action: drop}]", Some(abc));
    check(abc, "[{source_labels: [a], regex: 'foo|x', action: Keep}]", Some(abc));
    check(abc, "[{source_labels: [none], regex: '.+', action: keep}]", None);
    check(abc, "[{source_labels: [a], regex: 'x', action: keep}, {target_label: a, replacement: b}]", None);
    check("a=1,b=1", "[{source_labels: [a], target_label: b, action: keepequal}]", Some("a=1,b=1"));
    check("a=1,b=2", "[{source_labels: [a], target_label: b, action: keepequal}]", None);
    check("a=1,b=1", "[{source_labels: [a], target_label: b, action: dropequal}]", None);
    check("a=1,b=2", "[{source_labels: [a], target_label: b, action: dropequal}]", Some("a=1,b=2"));
    // md5("foo;bar;baz"), last eight bytes big-endian, as in Prometheus's own documentation of hashmod
    check(
        abc,
        "[{source_labels: [c], target_label: d, action: hashmod, modulus: 1000}]",
        Some("a=foo,b=bar,c=baz,d=976"),
    );
    check(
        "a=foo\nbar",
        "[{source_labels: [a], target_label: b, action: hashmod, modulus: 1000}]",
        Some("a=foo\nbar,b=734"),
    );
    check(
        "a=1,b1=x,b2=y",
        "[{regex: 'b(.)', action: labelmap, replacement: 'bar_${1}'}]",
        Some("a=1,b1=x,b2=y,bar_1=x,bar_2=y"),
    );
    check("__meta_x=1", "[{regex: '__meta_(.*)', action: labelmap}]", Some("__meta_x=1,x=1"));
    check("a=1,b1=x,b2=y", "[{regex: 'b.', action: labeldrop}]", Some("a=1"));
    check("a=1,b1=x,b2=y", "[{regex: 'b.', action: labelkeep}]", Some("b1=x,b2=y"));
    check("a=FoO", "[{source_labels: [a], target_label: b, action: lowercase}]", Some("a=FoO,b=foo"));
    check("a=FoO", "[{source_labels: [a], target_label: b, action: uppercase}]", Some("a=FoO,b=FOO"));
}

#[test]
fn hashes_as_go_does() {
    // md5("abc") = 900150983cd24fb0 d6963f7d28e17f72
    assert_eq!(hash("abc"), 0xd696_3f7d_28e1_7f72);
}

#[test]
fn refuses_with_the_place() {
    let check = |yaml: &str, want: &str| assert_eq!(rules(yaml).unwrap_err().to_string(), want, "{yaml}");
    check(
        "- action: replce\n  target_label: a",
        "r.yml:1:11: unknown relabel action \"replce\", did you mean \"replace\"?",
    );
    check("- source_labels: [a]", "r.yml:1:3: relabel configuration for replace action requires 'target_label' value");
    check(
        "- {action: hashmod, target_label: a}",
        "r.yml:1:3: relabel configuration for hashmod requires non-zero modulus",
    );
    check(
        "- {action: lowercase, target_label: a, replacement: b}",
        "r.yml:1:3: 'replacement' can not be set for lowercase action",
    );
    check(
        "- {action: labeldrop, regex: a, source_labels: [b]}",
        "r.yml:1:3: labeldrop action requires only 'regex', and no other fields",
    );
    check(
        "- {action: keepequal, target_label: a, regex: b}",
        "r.yml:1:3: keepequal action requires only 'source_labels' and 'target_label', and no other fields",
    );
    check("- {source_label: [a]}", "r.yml:1:4: unknown key \"source_label\", did you mean \"source_labels\"?");
    let bad_regex = rules("- target_label: a\n  regex: '('").unwrap_err().to_string();
    assert!(bad_regex.starts_with("r.yml:2:10: error parsing regexp: "), "{bad_regex}");
}
