//! Profiles: the files `~/.aws/config` and `~/.aws/credentials`.

use std::collections::BTreeMap;

use config::Secret;

use crate::cloud::file::{self, FileError};
use crate::cloud::surroundings::Surroundings;

/// What the files say of one profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    values: BTreeMap<String, Secret>,
}

impl Profile {
    /// A setting; one that is empty counts as none.
    pub(crate) fn get(&self, key: &str) -> Option<&Secret> {
        self.values.get(key).filter(|value| !value.is_empty())
    }

    /// A setting that isn't a secret.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).map(Secret::expose)
    }
}

/// All profiles by name. Settings in the file of credentials count before those in the other one.
#[derive(Debug, Default)]
pub(crate) struct Profiles(BTreeMap<String, Profile>);

impl Profiles {
    /// Reads both files, where the environment says that they are. A file that isn't there has no profiles.
    pub(crate) fn read(surroundings: &Surroundings) -> Result<Profiles, FileError> {
        let mut profiles = Profiles::default();
        let files = [("AWS_CONFIG_FILE", ".aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")];
        for (variable, usual) in files {
            let given = surroundings.variable(variable).map(Into::into);
            let Some(path) = given.or_else(|| surroundings.at_home(usual)) else { continue };
            match file::read(&path) {
                Ok(text) => profiles.add(&text),
                Err(error) if error.is_missing() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(profiles)
    }

    /// One by name.
    pub(crate) fn get(&self, name: &str) -> Option<&Profile> {
        self.0.get(name)
    }

    fn add(&mut self, text: &str) {
        let mut profile: Option<&mut Profile> = None;
        for line in text.lines() {
            let is_nested = line.starts_with([' ', '\t']);
            let line = without_comment(line).trim();
            if line.starts_with('[') {
                let name = section_name(line);
                profile = name.map(|name| self.0.entry(name.to_owned()).or_default());
            } else if let (Some(profile), Some((key, value)), false) = (&mut profile, line.split_once('='), is_nested) {
                profile.values.insert(key.trim().to_lowercase(), Secret::new(value.trim()));
            }
        }
    }
}

/// A comment is a line of its own, or follows white space.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let ends = [" #", " ;", "\t#", "\t;"].into_iter().filter_map(|begin| line.find(begin));
    &line[..ends.min().unwrap_or(line.len())]
}

/// The profile of `[name]` or `[profile name]`; nothing for sections of other kinds.
fn section_name(line: &str) -> Option<&str> {
    let name = line.strip_prefix('[')?.split(']').next()?.trim();
    match name.split_once(char::is_whitespace) {
        None => Some(name),
        Some(("profile", name)) => Some(name.trim().trim_matches('"')),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::SystemClock;

    use super::*;

    #[test]
    fn profiles_are_of_both_files() {
        let dir = tempfile::tempdir().expect("a folder");
        let (config, credentials) = (dir.path().join("config"), dir.path().join("credentials"));
        let surroundings = Surroundings::new(
            [
                ("AWS_CONFIG_FILE", config.to_str().expect("text")),
                ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().expect("text")),
            ],
            Arc::new(SystemClock),
        );
        assert!(Profiles::read(&surroundings).expect("no files are no error").get("default").is_none());
        let text = "# mine\n[default]\nregion = eu-west-1 ; near\n\n[profile ops]\nRole_Arn=arn:a\nsource_profile = default\ns3 =\n  \
                    region = no\naws_access_key_id = old\n[sso-session x]\nregion = no\n";
        std::fs::write(&config, text).expect("a file");
        let text =
            "[default]\naws_access_key_id = AK\naws_secret_access_key = a#b;c=\n[ops]\naws_access_key_id = new\n";
        std::fs::write(&credentials, text).expect("a file");
        let profiles = Profiles::read(&surroundings).expect("profiles");
        let check = |name: &str, key: &str, want: Option<&str>| {
            assert_eq!(profiles.get(name).and_then(|profile| profile.text(key)), want, "{name} {key}");
        };
        check("default", "region", Some("eu-west-1"));
        check("default", "aws_secret_access_key", Some("a#b;c="));
        check("ops", "role_arn", Some("arn:a"));
        check("ops", "aws_access_key_id", Some("new"));
        check("ops", "region", None);
        check("ops", "s3", None);
        check("x", "region", None);
        assert!(!format!("{profiles:?}").contains("a#b"));
    }
}
