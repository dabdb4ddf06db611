//! From YAML text to a raw configuration.

mod rest;

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_yaml::Error as Yaml;

use crate::error::{Error, Errors};
use crate::suggest::suggestion;

/// Values in one file; lists of targets made by machines are long.
const NODES_MAX: usize = 8_000_000;

/// Reads YAML into a raw configuration. `file` is only named in errors. A type that declares
/// `#[serde(deny_unknown_fields)]` has unknown keys refused by name, with the key that was probably meant.
/// An empty file is read as an empty mapping.
///
/// # Errors
/// Unknown keys and values of the wrong type, all of them where each stands on lines of its own; or the first place that is no YAML.
pub fn load<T: DeserializeOwned>(text: &str, file: impl AsRef<Path>) -> Result<T, Errors> {
    parse(text).map_err(|first| {
        let all = rest::errors(text, first, |text| parse::<T>(text).err());
        Errors(all.iter().map(|error| described(error, file.as_ref())).collect())
    })
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Yaml> {
    let budget = serde_yaml::budget! {
        max_nodes: NODES_MAX,
        max_events: 2 * NODES_MAX,
        enforce_alias_anchor_ratio: false, // one anchor may serve hundreds of jobs
    };
    let options = serde_yaml::options! { with_snippet: false, budget: budget };
    serde_yaml::from_str_with_options(text, options)
}

fn described(error: &Yaml, file: &Path) -> Error {
    let place = error.location();
    Error {
        file: file.to_owned(),
        line: place.map_or(0, |l| l.line()),
        column: place.map_or(0, |l| l.column()),
        message: message(error),
    }
}

fn message(error: &Yaml) -> String {
    match error {
        Yaml::WithSnippet { error, .. } | Yaml::AliasError { error, .. } => message(error),
        Yaml::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Yaml::SerdeUnknownVariant { variant, expected, .. } => unknown("value", variant, expected),
        Yaml::SerdeMissingField { field, .. } => format!("the key {field:?} is missing"),
        Yaml::DuplicateMappingKey { key: Some(key), .. } => format!("the key {key:?} is given twice"),
        Yaml::NullIntoString { .. } => "the value is empty, a text was expected".to_owned(),
        Yaml::SerdeInvalidType { unexpected, expected, .. } => format!("got {unexpected}, expected {expected}"),
        Yaml::SerdeInvalidValue { unexpected, expected, .. } => format!("got {unexpected}, expected {expected}"),
        Yaml::Unexpected { expected, .. } => match *expected {
            "sequence start" => "a list was expected".to_owned(),
            "mapping start" => "a mapping was expected".to_owned(),
            "string scalar" => "a text was expected".to_owned(),
            other => format!("{other} was expected"),
        },
        Yaml::MultipleDocuments { .. } => "the file has more than one YAML document, one was expected".to_owned(),
        Yaml::InvalidScalar { ty, .. } => format!("not a valid {ty}"),
        Yaml::Message { msg, .. } | Yaml::ExternalMessage { msg, .. } => msg.clone(),
        other => without_place(&other.to_string()),
    }
}

/// The place stands in front of our message already.
fn without_place(text: &str) -> String {
    text.rsplit_once(" at line ").map_or(text, |(message, _)| message).to_owned()
}

fn unknown(what: &str, word: &str, expected: &[&'static str]) -> String {
    match suggestion(word, expected) {
        Some(meant) => format!("unknown {what} {word:?}, did you mean {meant:?}?"),
        None => {
            let mut known = expected.to_vec();
            known.sort_unstable();
            format!("unknown {what} {word:?}, expected one of: {}", known.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
