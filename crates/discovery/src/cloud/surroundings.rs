//! What discovery in clouds takes from the machine it runs on.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use model::{Clock, SystemClock, Timestamp};
use url::Url;

/// The largest page that EC2 gives.
const EC2_PAGE_INSTANCES_MAX: u32 = 1000;

/// The variables of the environment, where clouds' programs look for credentials and servers; the time; and where the APIs of clouds are
/// for which there is no variable.
#[derive(Debug, Clone)]
pub struct Surroundings {
    variables: Variables,
    clock: Arc<dyn Clock>,
    pub(crate) ec2_page_instances: u32,
    pub(crate) compute_engine: Option<Url>,
    pub(crate) resource_manager: Option<Url>,
}

#[derive(Clone)]
enum Variables {
    OfProcess,
    Given(Arc<BTreeMap<String, String>>),
}

impl fmt::Debug for Variables {
    /// Without values, some of which are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Variables::OfProcess => f.write_str("OfProcess"),
            Variables::Given(variables) => f.debug_set().entries(variables.keys()).finish(),
        }
    }
}

impl Surroundings {
    /// The machine's clock and the variables of this process.
    pub fn system() -> Self {
        Surroundings::with(Variables::OfProcess, Arc::new(SystemClock))
    }

    /// Another clock and other variables.
    pub fn new<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>, clock: Arc<dyn Clock>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Surroundings::with(Variables::Given(Arc::new(variables)), clock)
    }

    fn with(variables: Variables, clock: Arc<dyn Clock>) -> Self {
        Surroundings {
            variables,
            clock,
            ec2_page_instances: EC2_PAGE_INSTANCES_MAX,
            compute_engine: None,
            resource_manager: None,
        }
    }

    /// Pages of so many instances are asked of EC2.
    #[must_use]
    pub fn with_ec2_pages_of(self, instances: u32) -> Self {
        Surroundings { ec2_page_instances: instances, ..self }
    }

    /// Another API of Google Compute Engine than the public one.
    #[must_use]
    pub fn with_compute_engine(self, url: Url) -> Self {
        Surroundings { compute_engine: Some(url), ..self }
    }

    /// Another API of Azure's resource manager than that of the configured cloud.
    #[must_use]
    pub fn with_resource_manager(self, url: Url) -> Self {
        Surroundings { resource_manager: Some(url), ..self }
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A variable; one that is empty counts as none.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let value = match &self.variables {
            Variables::OfProcess => std::env::var(name).ok(),
            Variables::Given(variables) => variables.get(name).cloned(),
        };
        value.filter(|value| !value.is_empty())
    }

    /// A path below the home directory; nothing where none is known.
    pub(crate) fn at_home(&self, path: &str) -> Option<PathBuf> {
        Some(PathBuf::from(self.variable("HOME")?).join(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_no_values_for_who_looks_at_them() {
        let variables = [("AWS_SECRET_ACCESS_KEY", "hunter2"), ("HOME", "/root"), ("EMPTY", "")];
        let surroundings = Surroundings::new(variables, Arc::new(SystemClock));
        assert_eq!(surroundings.variable("AWS_SECRET_ACCESS_KEY").as_deref(), Some("hunter2"));
        assert_eq!(surroundings.variable("EMPTY"), None);
        assert_eq!(surroundings.at_home(".aws/config"), Some(PathBuf::from("/root/.aws/config")));
        let shown = format!("{surroundings:?}");
        assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("hunter2"), "{shown}");
    }
}
