//! Which names of metrics and labels are taken, and how unusual ones are asked for.

use config::{Position, Report, Spanned};
use discovery::NameValidation;
use serde::Deserialize;

/// How names that aren't plain ASCII are asked for (`metric_name_escaping_scheme`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Escaping {
    /// As they are.
    #[default]
    #[serde(rename = "allow-utf-8")]
    AllowUtf8,
    /// Other characters as underscores.
    Underscores,
    /// Dots as `_dot_`.
    Dots,
    /// Other characters as their code points.
    Values,
}

impl Escaping {
    /// What is asked for where nothing is configured.
    fn default_for(validation: NameValidation) -> Self {
        match validation {
            NameValidation::Utf8 => Escaping::AllowUtf8,
            NameValidation::Legacy => Escaping::Underscores,
        }
    }

    /// The word in `Accept`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Escaping::AllowUtf8 => "allow-utf-8",
            Escaping::Underscores => "underscores",
            Escaping::Dots => "dots",
            Escaping::Values => "values",
        }
    }
}

/// Both, of a job or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NameRules {
    /// Which names are taken.
    pub validation: NameValidation,
    /// How unusual names are asked for.
    pub escaping: Escaping,
}

impl NameRules {
    /// Those of all jobs.
    pub(crate) fn global(
        validation: Option<&Spanned<NameValidation>>,
        escaping: Option<&Spanned<Escaping>>,
    ) -> NameRules {
        let validation = validation.map_or(NameValidation::Utf8, |validation| validation.value);
        NameRules {
            validation,
            escaping: escaping.map_or(Escaping::default_for(validation), |escaping| escaping.value),
        }
    }

    /// Those of a job. How names are asked for follows from how the job itself checks them, or else is that of all jobs.
    pub(crate) fn of_job(
        validation: Option<&Spanned<NameValidation>>,
        escaping: Option<&Spanned<Escaping>>,
        global: NameRules,
        job: Position,
        report: &mut Report,
    ) -> NameRules {
        let default = validation.map_or(global.escaping, |validation| Escaping::default_for(validation.value));
        let rules = NameRules {
            validation: validation.map_or(global.validation, |validation| validation.value),
            escaping: escaping.map_or(default, |escaping| escaping.value),
        };
        if rules == (NameRules { validation: NameValidation::Legacy, escaping: Escaping::AllowUtf8 }) {
            let at = escaping.map_or(job, Position::from);
            report.error(at, "utf8 metric names requested but validation scheme is not set to UTF8");
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_follows_validation() {
        use Escaping::{AllowUtf8, Dots, Underscores};
        use NameValidation::{Legacy, Utf8};
        type Given = (Option<NameValidation>, Option<Escaping>);
        let check = |global: Given, job: Given, want: Option<(NameValidation, Escaping)>| {
            let at = Position::new(3, 4);
            fn spanned<T>(value: Option<T>, at: Position) -> Option<Spanned<T>> {
                value.map(|value| Spanned { value, position: at })
            }
            let mut report = Report::new("a.yml");
            let of_all = NameRules::global(spanned(global.0, at).as_ref(), spanned(global.1, at).as_ref());
            let (validation, escaping) = (spanned(job.0, at), spanned(job.1, at));
            let rules = NameRules::of_job(validation.as_ref(), escaping.as_ref(), of_all, at, &mut report);
            let got = report.finish((rules.validation, rules.escaping)).ok();
            assert_eq!(got, want, "{global:?} {job:?}");
        };
        check((None, None), (None, None), Some((Utf8, AllowUtf8)));
        check((Some(Legacy), None), (None, None), Some((Legacy, Underscores)));
        check((Some(Legacy), Some(Dots)), (None, None), Some((Legacy, Dots)));
        check((Some(Legacy), Some(AllowUtf8)), (None, None), None);
        check((Some(Legacy), None), (Some(Utf8), None), Some((Utf8, AllowUtf8)));
        check((None, None), (Some(Legacy), None), Some((Legacy, Underscores)));
        check((None, Some(Dots)), (Some(Legacy), None), Some((Legacy, Underscores)));
        check((None, None), (Some(Legacy), Some(AllowUtf8)), None);
        check((None, Some(Dots)), (None, Some(Underscores)), Some((Utf8, Underscores)));
    }
}
