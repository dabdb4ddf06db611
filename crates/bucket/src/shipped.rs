//! Which local blocks are in the bucket already: `thanos.shipper.json` in the data directory, as Thanos's sidecar keeps it.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::BucketError;

const FILE: &str = "thanos.shipper.json";

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    uploaded: BTreeSet<String>,
}

/// The list, in memory and on disk. Losing the file costs a look into the bucket per block, nothing else.
#[derive(Debug)]
pub(crate) struct Shipped {
    path: PathBuf,
    blocks: BTreeSet<String>,
}

impl Shipped {
    /// Reads the list of a data directory; a file that can't be read counts as empty, and is told.
    pub(crate) fn load(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE);
        let blocks = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Content>(&bytes).map(|content| content.uploaded).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "list of uploaded blocks is damaged, asking the bucket instead");
                BTreeSet::new()
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot read the list of uploaded blocks, asking the bucket instead");
                BTreeSet::new()
            }
        };
        Shipped { path, blocks }
    }

    /// Whether a block is known to be in the bucket.
    pub(crate) fn contains(&self, block: &str) -> bool {
        self.blocks.contains(block)
    }

    /// Notes an uploaded block and forgets those that are no longer local.
    pub(crate) fn add(&mut self, block: &str, local: &BTreeSet<String>) -> Result<(), BucketError> {
        self.blocks.retain(|known| local.contains(known));
        self.blocks.insert(block.to_owned());
        let content = Content { version: 1, uploaded: self.blocks.clone() };
        let temporary = self.path.with_extension("json.tmp");
        let bytes = serde_json::to_vec_pretty(&content).expect("strings serialise into memory");
        fs::write(&temporary, bytes)
            .and_then(|()| fs::rename(&temporary, &self.path))
            .map_err(|source| BucketError::File { path: self.path.clone(), source })
    }
}
