//! Opening the object store behind a location.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::limit::LimitStore;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use crate::config::{Location, S3};
use crate::error::BucketError;

/// Requests that may be under way at once.
const REQUESTS_MAX: usize = 16;
/// The library's default of ten tries lets a dead store look like a slow one for minutes.
const RETRIES_MAX: usize = 3;
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Opens a bucket. A folder is created if it is missing; a remote bucket isn't asked until it is used.
pub fn open(location: &Location) -> Result<Arc<dyn ObjectStore>, BucketError> {
    let error = |source| BucketError::Open { location: location.to_string(), source };
    match location {
        Location::Filesystem { directory, prefix } => {
            fs::create_dir_all(directory).map_err(|source| BucketError::File { path: directory.clone(), source })?;
            let store = LocalFileSystem::new_with_prefix(directory).map_err(error)?;
            // What is noted as uploaded may go locally, so it must be on the disk.
            let store = store.with_automatic_cleanup(true).with_fsync(true);
            Ok(bounded(store, prefix))
        }
        Location::S3(s3) => Ok(bounded(s3_store(s3).map_err(error)?, &s3.prefix)),
    }
}

fn bounded(store: impl ObjectStore, prefix: &str) -> Arc<dyn ObjectStore> {
    let store = LimitStore::new(store, REQUESTS_MAX);
    if prefix.is_empty() { Arc::new(store) } else { Arc::new(PrefixStore::new(store, prefix)) }
}

fn s3_store(s3: &S3) -> object_store::Result<impl ObjectStore> {
    let scheme = if s3.insecure { "http" } else { "https" };
    let host = if s3.virtual_hosted { format!("{}.{}", s3.bucket, s3.endpoint) } else { s3.endpoint.clone() };
    let retry =
        RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT };
    // What the environment says is asked only where the configuration has no keys: mixing the two signs with neither.
    let builder = if s3.keys.is_some() { AmazonS3Builder::new() } else { AmazonS3Builder::from_env() };
    let mut builder = builder
        .with_bucket_name(&s3.bucket)
        .with_region(&s3.region)
        .with_endpoint(format!("{scheme}://{host}"))
        .with_virtual_hosted_style_request(s3.virtual_hosted)
        .with_allow_http(s3.insecure)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_allow_http(s3.insecure))
        .with_retry(retry);
    if let Some((id, secret)) = &s3.keys {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose());
    }
    if let Some(token) = &s3.session_token {
        builder = builder.with_token(token.expose());
    }
    builder.build()
}
