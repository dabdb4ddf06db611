//! Why a template can't be read or filled in.

/// A template that is wrong in itself, or that failed on its data. `Display` is Prometheus's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text is no template.
    #[error("error parsing template {name}: {reason}")]
    Parse {
        /// The template's name.
        name: String,
        /// What is wrong, with line and column within the text where they are known.
        reason: String,
    },
    /// The template could not be filled in.
    #[error("error executing template {name}: {reason}")]
    Execute {
        /// The template's name.
        name: String,
        /// What failed.
        reason: String,
    },
}
