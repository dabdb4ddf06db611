//! The `bucket:` section, in the words of Thanos's objstore file: `type`, `config`, `prefix`; and `delete_delay`.

use std::fmt;
use std::path::PathBuf;

use config::{DurationMs, Report, Secret, Spanned};
use serde::Deserialize;

/// The section as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawBucket {
    #[serde(rename = "type")]
    kind: Spanned<String>,
    config: Spanned<RawSettings>,
    #[serde(default)]
    prefix: String,
    /// Not of Thanos's file: a flag of its compactor.
    delete_delay: Option<Spanned<DurationMs>>,
}

/// The keys of all types together; which of them a type takes is checked in validation, where the type is known.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    directory: Option<Spanned<String>>,
    bucket: Option<Spanned<String>>,
    endpoint: Option<Spanned<String>>,
    region: Option<Spanned<String>>,
    access_key: Option<Spanned<String>>,
    secret_key: Option<Spanned<Secret>>,
    session_token: Option<Spanned<Secret>>,
    insecure: Option<Spanned<bool>>,
    bucket_lookup_type: Option<Spanned<String>>,
}

/// Where a section doesn't say how long blocks stay that are marked for deletion: two days, as with Thanos.
const DELETE_DELAY_MS: i64 = 48 * HOUR_MS;
/// Readers go on for a while with a block that is marked, and somebody may be uploading it still.
const DELETE_DELAY_MIN_MS: i64 = HOUR_MS;
const HOUR_MS: i64 = 3_600_000;

/// A bucket, and what is done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it is.
    pub location: Location,
    /// So long after a block was marked for deletion it is deleted, in milliseconds; 0 deletes nothing, neither what is marked nor what uploads
    /// have left.
    pub delete_delay_ms: i64,
}

/// Where the bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine, or one that is mounted.
    Filesystem {
        /// The folder; it is created if it is missing.
        directory: PathBuf,
        /// A path below it that all blocks lie under, empty for none.
        prefix: String,
    },
    /// A bucket behind the S3 protocol.
    S3(S3),
}

/// A bucket behind the S3 protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    /// The bucket's name.
    pub bucket: String,
    /// Host and port of the service, without scheme.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Key id and secret; without them the environment and the instance's role are asked.
    pub keys: Option<(String, Secret)>,
    /// The token of temporary credentials.
    pub session_token: Option<Secret>,
    /// Plain HTTP.
    pub insecure: bool,
    /// The bucket's name is part of the host, not of the path.
    pub virtual_hosted: bool,
    /// A path that all blocks lie under, empty for none.
    pub prefix: String,
}

impl fmt::Display for Location {
    /// For people: without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = |prefix: &str| if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        match self {
            Location::Filesystem { directory, prefix } => write!(f, "file://{}{}", directory.display(), slash(prefix)),
            Location::S3(s3) => write!(f, "s3://{}/{}{}", s3.endpoint, s3.bucket, slash(&s3.prefix)),
        }
    }
}

impl RawBucket {
    /// Checks the section; `None` where it has errors, which are in the report then.
    pub fn validate(&self, report: &mut Report) -> Option<Config> {
        let delete_delay_ms = self.delete_delay.as_ref().map_or(DELETE_DELAY_MS, |delay| delay.value.0);
        if let Some(delay) = self.delete_delay.as_ref().filter(|_| (1..DELETE_DELAY_MIN_MS).contains(&delete_delay_ms))
        {
            let message = "want at least 1h, for those who still read or upload a block, or 0, which deletes nothing";
            report.error(delay, message);
        }
        Some(Config { location: self.location(report)?, delete_delay_ms })
    }

    fn location(&self, report: &mut Report) -> Option<Location> {
        match self.kind.value.to_ascii_uppercase().as_str() {
            "FILESYSTEM" => self.filesystem(report),
            "S3" => self.s3(report),
            kind @ ("GCS" | "AZURE") => {
                report.error(&self.kind, format_args!("bucket type {kind} is not supported yet, use S3 or FILESYSTEM"));
                None
            }
            other => {
                report.error(&self.kind, format_args!("unknown bucket type {other:?}, want S3 or FILESYSTEM"));
                None
            }
        }
    }

    fn prefix(&self) -> String {
        self.prefix.trim_matches('/').to_owned()
    }

    fn filesystem(&self, report: &mut Report) -> Option<Location> {
        let settings = &self.config.value;
        for (name, key) in settings.texts().into_iter().filter(|(name, _)| *name != "directory") {
            if let Some(key) = key {
                report.error(key, format_args!("{name} is no key of a bucket of type FILESYSTEM"));
            }
        }
        let Some(directory) = &settings.directory else {
            report.error(&self.config, "a bucket of type FILESYSTEM needs a directory");
            return None;
        };
        Some(Location::Filesystem { directory: report.resolve(directory), prefix: self.prefix() })
    }

    fn s3(&self, report: &mut Report) -> Option<Location> {
        let settings = &self.config.value;
        if let Some(directory) = &settings.directory {
            report.error(directory, "directory is no key of a bucket of type S3");
        }
        let mut required = |name: &str, value: &Option<Spanned<String>>| match value {
            Some(value) if !value.is_empty() => Some(value.value.clone()),
            _ => {
                report.error(&self.config, format_args!("a bucket of type S3 needs {name}"));
                None
            }
        };
        let bucket = required("bucket", &settings.bucket);
        let endpoint = required("endpoint", &settings.endpoint);
        if let Some(endpoint) = settings.endpoint.as_ref().filter(|e| e.contains("://")) {
            report.error(endpoint, "want host:port without a scheme (insecure: true asks for plain HTTP)");
        }
        let virtual_hosted = match settings.bucket_lookup_type.as_ref().map(|kind| (kind, kind.as_str())) {
            None | Some((_, "" | "auto" | "path")) => false,
            Some((_, "virtual-hosted")) => true,
            Some((at, other)) => {
                report
                    .error(at, format_args!("unknown bucket_lookup_type {other:?}, want auto, path or virtual-hosted"));
                false
            }
        };
        let keys = match (&settings.access_key, &settings.secret_key) {
            (Some(id), Some(secret)) => Some((id.value.clone(), secret.value.clone())),
            (None, None) => None,
            _ => {
                report.error(&self.config, "access_key and secret_key are given together or not at all");
                None
            }
        };
        Some(Location::S3(S3 {
            bucket: bucket?,
            endpoint: endpoint?,
            region: settings.region.as_ref().map_or_else(|| "us-east-1".to_owned(), |region| region.value.clone()),
            keys,
            session_token: settings.session_token.as_ref().map(|token| token.value.clone()),
            insecure: settings.insecure.as_ref().is_some_and(|insecure| insecure.value),
            virtual_hosted,
            prefix: self.prefix(),
        }))
    }
}

impl RawSettings {
    fn texts(&self) -> [(&'static str, Option<&Spanned<String>>); 6] {
        [
            ("directory", self.directory.as_ref()),
            ("bucket", self.bucket.as_ref()),
            ("endpoint", self.endpoint.as_ref()),
            ("region", self.region.as_ref()),
            ("access_key", self.access_key.as_ref()),
            ("bucket_lookup_type", self.bucket_lookup_type.as_ref()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let raw: RawBucket = config::load(text, "bucket.yml").map_err(|e| e.to_string())?;
        let mut report = Report::new("/etc/bucket.yml");
        let config = raw.validate(&mut report);
        report.finish(()).map_err(|e| e.to_string())?;
        config.ok_or_else(|| "no bucket and no error".to_owned())
    }

    #[test]
    fn reads_thanos_s_words() {
        let check = |text: &str, want: &str| {
            assert_eq!(read(text).map(|config| config.location.to_string()), Ok(want.to_owned()));
        };
        check("{type: FILESYSTEM, config: {directory: /data}}", "file:///data");
        check("{type: filesystem, config: {directory: data}, prefix: /a/}", "file:///etc/data/a");
        check("{type: S3, config: {bucket: metrics, endpoint: 's3.example.org'}}", "s3://s3.example.org/metrics");
    }

    #[test]
    fn what_is_marked_goes_after_two_days_if_nothing_else_is_said() {
        let check = |delay: &str, want_ms: i64| {
            let config = read(&format!("{{type: FILESYSTEM, config: {{directory: /data}}{delay}}}"));
            assert_eq!(config.map(|config| config.delete_delay_ms), Ok(want_ms), "{delay}");
        };
        check("", 48 * HOUR_MS);
        check(", delete_delay: 1h", HOUR_MS);
        check(", delete_delay: 0s", 0);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let check = |text: &str, want: &str| assert_eq!(read(text), Err(want.to_owned()));
        check(
            "type: GCS\nconfig: {}",
            "/etc/bucket.yml:1:7: bucket type GCS is not supported yet, use S3 or FILESYSTEM",
        );
        check(
            "type: S3\nconfig: {bucket: a, endpoint: 'http://x'}",
            "/etc/bucket.yml:2:31: want host:port without a scheme (insecure: true asks for plain HTTP)",
        );
        check(
            "type: FILESYSTEM\nconfig: {directory: b}\ndelete_delay: 59m",
            "/etc/bucket.yml:3:15: want at least 1h, for those who still read or upload a block, or 0, which deletes nothing",
        );
        check(
            "type: FILESYSTEM\nconfig: {bucket: a, directory: b}",
            "/etc/bucket.yml:2:18: bucket is no key of a bucket of type FILESYSTEM",
        );
    }

    #[test]
    fn secrets_do_not_show() {
        let location = read("{type: S3, config: {bucket: b, endpoint: e, access_key: id, secret_key: hunter2}}");
        assert!(!format!("{location:?}").contains("hunter2"));
    }
}
