//! Layers of crates: an arrow between two crates points downwards.

use std::path::Path;

use crate::report::Finding;
use crate::tidy::tree::{Source, Tree};
use crate::toml_text::{Document, Entry};

/// Each crate and its layer. A crate may know crates of a lower layer only.
const LAYERS: &[(&str, u8)] = &[
    ("model", 0),
    ("mutation", 0),
    ("test_servers", 0),
    ("config", 1),
    ("exposition", 1),
    ("template", 1),
    ("http_client", 2),
    ("storage", 2),
    ("discovery", 3),
    ("tsdb", 3),
    ("bucket", 4),
    ("federation", 4),
    ("promql", 4),
    ("scrape", 4),
    ("rules", 5),
    ("sharding", 5),
    ("api", 6),
    ("alert", 7),
    ("daemon", 8),
    ("global", 9),
    ("shard", 9),
    ("watershed", 10),
    ("tests", 11),
    ("xtask", 11),
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    check_against(tree, LAYERS)
}

fn check_against(tree: &Tree, layers: &[(&str, u8)]) -> Vec<Finding> {
    let layer = |name: &str| layers.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer);
    let manifests: Vec<(&Source, Document<'_>)> =
        tree.manifests().filter_map(|source| Some((source, Document::parse(&source.text).ok()?))).collect();
    let names: Vec<&str> = manifests.iter().filter_map(|(_, document)| package_name(document)).collect();

    let mut findings = Vec::new();
    for (source, document) in &manifests {
        let Some(name) = package_name(document) else { continue };
        let Some(own) = layer(name) else {
            findings.push(Finding::error(&source.path, 1, format!("crate {name} has no layer in {}", file!())));
            continue;
        };
        for dependency in layered_dependencies(document) {
            let other = dependency.field("package").unwrap_or(dependency.key);
            match layer(other) {
                Some(below) if below >= own && names.contains(&other) => {
                    let message = format!("{name} (layer {own}) may not know {other} (layer {below})");
                    findings.push(Finding::error(&source.path, dependency.line, message));
                }
                _ => {}
            }
        }
    }
    for (name, _) in layers.iter().filter(|(name, _)| !names.contains(name)) {
        findings.push(Finding::error(
            Path::new(file!()),
            1,
            format!("the table of layers names {name}, no such crate"),
        ));
    }
    findings
}

fn package_name<'d>(document: &'d Document<'_>) -> Option<&'d str> {
    document.get(&["package", "name"])?.value.as_str()
}

/// What a crate is built with. Development dependencies are free: a test may look upwards.
fn layered_dependencies<'d>(document: &'d Document<'_>) -> Vec<Entry<'d>> {
    let mut found = document.entries(&["dependencies"]);
    found.extend(document.entries(&["build-dependencies"]));
    for target in document.entries(&["target"]) {
        found.extend(document.entries(&["target", target.key, "dependencies"]));
        found.extend(document.entries(&["target", target.key, "build-dependencies"]));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[(&str, u8)] = &[("low", 0), ("high", 1)];
    const LOW: &str = "[package]\nname = \"low\"\n";

    fn messages(low: &str, high: &str) -> Vec<String> {
        let tree = Tree::of(&[("Cargo.toml", ""), ("crates/low/Cargo.toml", low), ("crates/high/Cargo.toml", high)]);
        check_against(&tree, TWO).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn arrows_point_downwards() {
        let high = "[package]\nname = \"high\"\n[dependencies]\nlow.workspace = true\nserde = \"1\"\n";
        assert!(messages(LOW, high).is_empty());
    }

    #[test]
    fn an_arrow_upwards_is_reported_where_it_is_declared() {
        let high = "[package]\nname = \"high\"\n";
        let expected = ["crates/low/Cargo.toml:4: error: low (layer 0) may not know high (layer 1)"];
        for dependency in ["high.workspace = true", "h = { package = \"high\", path = \"../high\" }"] {
            for section in ["dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"] {
                assert_eq!(messages(&format!("{LOW}[{section}]\n{dependency}\n"), high), expected, "{section}");
            }
        }
        assert!(messages(&format!("{LOW}[dev-dependencies]\nhigh.workspace = true\n"), high).is_empty());
    }

    #[test]
    fn crates_of_one_layer_are_strangers() {
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\n"),
            ("crates/b/Cargo.toml", "[package]\nname = \"b\"\n"),
        ]);
        assert_eq!(check_against(&tree, &[("a", 1), ("b", 1)]).len(), 1);
    }

    #[test]
    fn the_table_and_the_crates_are_the_same_set() {
        let found = messages(LOW, "[package]\nname = \"stranger\"\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("crate stranger has no layer"));
        assert!(found[1].contains("names high, no such crate"));
    }
}
