//! A bucket in memory whose objects bear the times of a test's clock, and in which every request is waited for once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use model::{Clock, ManualClock, Timestamp};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use tokio::task::yield_now;

#[derive(Debug, Clone)]
pub(crate) struct Stamped(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    objects: InMemory,
    clock: Arc<ManualClock>,
    written: Mutex<BTreeMap<Path, Timestamp>>,
    requests: AtomicUsize,
}

impl Stamped {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        let (written, requests) = (Mutex::default(), AtomicUsize::new(0));
        Stamped(Arc::new(Inner { objects: InMemory::new(), clock, written, requests }))
    }

    pub(crate) fn requests(&self) -> usize {
        self.0.requests.load(Ordering::SeqCst)
    }

    /// Puts an object as if it had been there since a time.
    pub(crate) async fn put_at(&self, name: &str, bytes: Vec<u8>, at: Timestamp) {
        let path = Path::from(name);
        self.0.objects.put(&path, bytes.into()).await.expect("put");
        self.0.written.lock().insert(path, at);
    }

    /// The names of all objects, without a request.
    pub(crate) async fn names(&self) -> BTreeSet<String> {
        let all: Vec<_> = self.0.objects.list(None).try_collect().await.expect("a list");
        all.into_iter().map(|object| object.location.to_string()).collect()
    }

    async fn wait(&self) {
        yield_now().await;
        self.0.requests.fetch_add(1, Ordering::SeqCst);
    }

    fn stamp(&self, path: &Path) {
        self.0.written.lock().insert(path.clone(), self.0.clock.now());
    }

    fn stamped(&self, mut meta: ObjectMeta) -> ObjectMeta {
        if let Some(at) = self.0.written.lock().get(&meta.location) {
            meta.last_modified = Default::default();
            meta.last_modified += Duration::from_millis(at.as_ms().unsigned_abs());
        }
        meta
    }
}

impl fmt::Display for Stamped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stamped")
    }
}

#[async_trait]
impl ObjectStore for Stamped {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.wait().await;
        let put = self.0.objects.put_opts(location, payload, options).await?;
        self.stamp(location);
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.wait().await;
        self.stamp(location); // in a test nothing comes between this and the end
        self.0.objects.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.wait().await;
        let mut result = self.0.objects.get_opts(location, options).await?;
        result.meta = self.stamped(result.meta);
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.wait().await;
        self.0.objects.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = async move {
            store.wait().await;
            store.0.objects.delete_stream(locations)
        };
        stream::once(delete).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let list = async move {
            store.wait().await;
            let inner = store.0.objects.list(prefix.as_ref());
            inner.map_ok(move |meta| store.stamped(meta))
        };
        stream::once(list).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.wait().await;
        self.0.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.objects.copy_opts(from, to, options).await
    }
}
