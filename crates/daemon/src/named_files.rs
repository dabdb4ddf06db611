//! What a configuration names and a node reads only as it runs, for who checks a configuration beforehand.

use std::path::Path;

use config::{Authorization, Error, HttpClientConfig, chain};
use discovery::{ApiServer, Source};
use http_client::Connector;

use crate::tier::CommonConfig;

impl CommonConfig {
    /// What is wrong with tokens, certificates of clients, files of targets, and rule files that are named without a `*` and aren't there.
    /// As promtool finds no fault with passwords and authorities that aren't there, these are warned of. `file` is that of the configuration.
    pub fn check_named_files(&self, file: &Path) -> Vec<Error> {
        let error = |line, column, message| Error { file: file.to_owned(), line, column, message };
        let is_missing = |path: &Path| !path.to_string_lossy().contains('*') && !path.exists();
        let missing = self.rule_files.iter().filter(|pattern| is_missing(pattern)).map(|pattern| {
            let at = pattern.position;
            error(at.line, at.column, format!("the rule file {} doesn't exist", pattern.display()))
        });
        let mut errors: Vec<Error> = missing.collect();
        for job in &self.scrape {
            let servers = job.sources.found.iter().filter_map(|source| match source {
                Source::Kubernetes(kubernetes) => match &kubernetes.server {
                    ApiServer::Url { http, .. } => Some(&**http),
                    ApiServer::InCluster | ApiServer::Kubeconfig(_) => None,
                },
                _ => None,
            });
            for http in std::iter::once(&job.http).chain(servers) {
                let reason = client_error(http, &job.job_name);
                errors.extend(reason.map(|reason| error(0, 0, format!("job {:?}: {reason}", job.job_name))));
            }
            errors.extend(job.sources.check_files());
        }
        errors.extend(self.alerting.check_files());
        errors
    }
}

fn client_error(http: &HttpClientConfig, job: &str) -> Option<String> {
    let (reason, is_error) = if let Err(e) = Connector::new(http) {
        (chain(&e), http.tls.identity.is_some())
    } else {
        let e = http.headers().err()?;
        (chain(&e), matches!(http.authorization, Some(Authorization::Credentials { .. })))
    };
    if !is_error {
        tracing::warn!(job, reason, "a scrape as it is configured would fail");
    }
    is_error.then_some(reason)
}
