//! `cargo xtask licences`: the part of `cargo deny check licenses bans sources` that every machine can run.
//!
//! `deny.toml` is the only list. cargo-deny checks more (the licence texts, advisories), but has to be built first and
//! its advisories come from GitHub; this needs `cargo tree` and a second.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use spdx::{Expression, Licensee, ParseMode};

use crate::report::Finding;
use crate::toml_text::Document;

const DENY: &str = "deny.toml";

/// One line of `cargo tree`: a crate that is built for one of our targets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    /// Where it comes from when not from crates.io: a folder, a git repository.
    place: Option<String>,
    licence: String,
}

/// What `deny.toml` says.
struct Policy {
    allowed: Vec<Licensee>,
    banned: Vec<String>,
    targets: Vec<String>,
}

/// Checks the dependencies of the workspace at `root`.
pub(crate) fn run(root: &Path) -> Result<Vec<Finding>> {
    let text = std::fs::read_to_string(root.join(DENY)).with_context(|| format!("reading {DENY}"))?;
    let policy = parse_policy(&text)?;
    Ok(check(&parse_tree(&cargo_tree(root, &policy.targets)?), &policy))
}

fn parse_policy(text: &str) -> Result<Policy> {
    let document = Document::parse(text).with_context(|| format!("parsing {DENY}"))?;
    let mut allowed = Vec::new();
    for name in document.strings(&["licenses", "allow"], "name") {
        let licensee =
            Licensee::parse(&name).map_err(|error| anyhow::anyhow!("{DENY}: the licence {name:?}: {error}"))?;
        allowed.push(licensee);
    }
    if allowed.is_empty() {
        bail!("{DENY}: licenses.allow is empty");
    }
    let banned = document.strings(&["bans", "deny"], "crate");
    let targets = document.strings(&["graph", "targets"], "triple");
    Ok(Policy { allowed, banned, targets })
}

fn cargo_tree(root: &Path, targets: &[String]) -> Result<String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(["tree", "--workspace", "--locked", "--edges=normal,build,dev", "--prefix=none"]);
    command.args(["--format", "{p}\t{l}"]);
    for target in targets {
        command.args(["--target", target]);
    }
    let output = command.output().context("running cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).context("cargo tree wrote something else than UTF-8")
}

/// Lines are `name v1.2.3 (place) (proc-macro)<tab>licence`, with ` (*)` where a crate comes again.
fn parse_tree(text: &str) -> Vec<Package> {
    let mut packages: Vec<Package> = text.lines().filter_map(parse_line).collect();
    packages.sort();
    packages.dedup();
    packages
}

fn parse_line(line: &str) -> Option<Package> {
    let (package, licence) = line.split_once('\t')?;
    let (name, rest) = package.split_once(' ')?;
    let rest = rest.trim_end_matches(" (proc-macro)");
    let (version, place) = rest.split_once(' ').map_or((rest, None), |(version, place)| (version, Some(place)));
    Some(Package {
        name: name.to_owned(),
        version: version.trim_start_matches('v').to_owned(),
        place: place.map(|place| place.trim_matches(['(', ')']).to_owned()),
        licence: licence.trim_end_matches(" (*)").to_owned(),
    })
}

fn check(packages: &[Package], policy: &Policy) -> Vec<Finding> {
    let deny = Path::new(DENY);
    let mut findings = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        let Package { name, version, place, licence } = package;
        versions.entry(name).or_default().push(version);
        if policy.banned.contains(name) {
            findings.push(Finding::error(deny, 1, format!("{name} {version} is banned: cargo tree -i {name}")));
        }
        match place {
            // Our own crates: a folder, without a licence to check.
            Some(place) if place.starts_with('/') => continue,
            Some(place) => findings.push(Finding::error(deny, 1, format!("{name} {version} comes from {place}"))),
            None => {}
        }
        if let Err(reason) = check_licence(licence, &policy.allowed) {
            findings.push(Finding::error(deny, 1, format!("{name} {version}: {reason}")));
        }
    }
    let twice = versions.iter().filter(|(_, versions)| versions.len() > 1);
    let twice: Vec<String> = twice.map(|(name, versions)| format!("{name} {}", versions.join(" and "))).collect();
    if !twice.is_empty() {
        findings.push(Finding::warning(deny, 1, format!("in more than one version: {}", twice.join(", "))));
    }
    findings
}

fn check_licence(licence: &str, allowed: &[Licensee]) -> Result<(), String> {
    if licence.is_empty() {
        return Err("names no licence".to_owned());
    }
    let expression =
        Expression::parse_mode(licence, ParseMode::LAX).map_err(|error| format!("{licence:?}: {error}"))?;
    let fits = expression.evaluate(|requirement| allowed.iter().any(|licensee| licensee.satisfies(requirement)));
    if fits { Ok(()) } else { Err(format!("the licence {licence} is not allowed")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        graph.targets = ["x86_64-unknown-linux-gnu", { triple = "aarch64-unknown-linux-gnu" }]
        licenses.allow = ["MIT", "Apache-2.0", "ISC", "Unicode-3.0"]
        bans.deny = [{ crate = "ring", reason = "one TLS stack" }, "openssl"]
    "#;

    #[track_caller]
    fn check_line(line: &str, expected: &[&str]) {
        let found = check(&parse_tree(line), &parse_policy(POLICY).unwrap());
        let found: Vec<String> = found.iter().map(|finding| finding.message.clone()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn licences() {
        for allowed in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "ISC AND (Apache-2.0 OR BSL-1.0)", "MIT (*)"] {
            check_line(&format!("a v1.0.0\t{allowed}"), &[]);
        }
        check_line("a v1.0.0\tMPL-2.0", &["a 1.0.0: the licence MPL-2.0 is not allowed"]);
        check_line("a v1.0.0\tMIT AND GPL-3.0", &["a 1.0.0: the licence MIT AND GPL-3.0 is not allowed"]);
        check_line("a v1.0.0 (proc-macro)\t", &["a 1.0.0: names no licence"]);
    }

    #[test]
    fn banned_crates_and_foreign_sources() {
        check_line("ring v0.17.1\tMIT", &["ring 0.17.1 is banned: cargo tree -i ring"]);
        check_line("openssl v1.0.0\tMIT", &["openssl 1.0.0 is banned: cargo tree -i openssl"]);
        check_line("a v1.0.0 (https://example.org/a#1234)\tMIT", &["a 1.0.0 comes from https://example.org/a#1234"]);
        check_line("a v1.0.0 (/home/me/my work/a)\t (*)", &[]);
    }

    #[test]
    fn two_versions_are_a_warning() {
        check_line("a v1.0.0\tMIT\na v1.0.0\tMIT (*)", &[]);
        check_line("a v1.0.0\tMIT\na v2.0.0\tMIT", &["in more than one version: a 1.0.0 and 2.0.0"]);
    }

    #[test]
    fn the_policy_is_read_in_both_spellings() {
        let policy = parse_policy(POLICY).unwrap();
        assert_eq!(policy.targets, ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]);
        assert_eq!(policy.banned, ["ring", "openssl"]);
        assert!(parse_policy("licenses.allow = []").is_err());
        assert!(parse_policy("licenses.allow = [\"Nonsense\"]").is_err());
    }
}
