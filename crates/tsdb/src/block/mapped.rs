//! Files mapped into memory.

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;
use memmap2::Mmap;

/// The content of a file that nobody changes once it has its name, read by the system when it is touched.
#[expect(
    unsafe_code,
    reason = "mapping is how blocks larger than memory are read; their files never change once named"
)]
pub fn map_file(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new()); // nothing can be mapped
    }
    // SAFETY: a block, or an index that a bucket's cache fetched, is renamed to its final name after its files were written and synced, and its files are from then on
    // only read or unlinked, which leaves a mapping valid. The data directory's lock keeps other writers out.
    let map = unsafe { Mmap::map(&file)? };
    Ok(Bytes::from_owner(map))
}
