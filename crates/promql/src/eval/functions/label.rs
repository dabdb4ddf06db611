//! `label_replace` and `label_join`.

use model::{GoRegex, Labels, LabelsBuilder};

use crate::eval::failure::QueryFailure;

/// What `label_replace` is to do.
pub(crate) struct Replace<'a> {
    target: &'a str,
    replacement: &'a str,
    source: &'a str,
    regex: GoRegex,
}

impl<'a> Replace<'a> {
    /// From the function's texts, in their order.
    pub(crate) fn new(texts: &[&'a str]) -> Result<Self, QueryFailure> {
        let [target, replacement, source, pattern] = texts else {
            return Err(QueryFailure::Execution("label_replace needs four strings".to_owned()));
        };
        let regex = GoRegex::new(pattern).map_err(|_| {
            QueryFailure::Execution(format!("invalid regular expression in label_replace(): {pattern}"))
        })?;
        if target.is_empty() {
            let message = format!("invalid destination label name in label_replace(): {target}");
            return Err(QueryFailure::Execution(message));
        }
        Ok(Replace { target, replacement, source, regex })
    }

    /// The labels with the replacement; `None` where the source doesn't match.
    pub(crate) fn apply(&self, labels: &Labels) -> Option<Labels> {
        let value = self.regex.expand(labels.value(self.source), self.replacement)?;
        let mut builder = LabelsBuilder::new(labels);
        builder.set(self.target, &value);
        Some(builder.build())
    }
}

/// What `label_join` is to do.
pub(crate) struct Join<'a> {
    target: &'a str,
    separator: &'a str,
    sources: Vec<&'a str>,
}

impl<'a> Join<'a> {
    /// From the function's texts, in their order.
    pub(crate) fn new(texts: &[&'a str]) -> Result<Self, QueryFailure> {
        let [target, separator, sources @ ..] = texts else {
            return Err(QueryFailure::Execution("label_join needs two strings".to_owned()));
        };
        if sources.iter().any(|source| source.is_empty()) {
            return Err(QueryFailure::Execution("invalid source label name in label_join(): ".to_owned()));
        }
        if target.is_empty() {
            return Err(QueryFailure::Execution("invalid destination label name in label_join(): ".to_owned()));
        }
        Ok(Join { target, separator, sources: sources.to_vec() })
    }

    /// The labels with the joined values.
    pub(crate) fn apply(&self, labels: &Labels) -> Labels {
        let values: Vec<&str> = self.sources.iter().map(|source| labels.value(source)).collect();
        let mut builder = LabelsBuilder::new(labels);
        builder.set(self.target, &values.join(self.separator));
        builder.build()
    }
}
