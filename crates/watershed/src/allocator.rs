//! The allocator of the whole process.
//!
//! A database's memory is many small buffers that grow. mimalloc in its own settings held 119 MB for 100,000 series; without
//! huge pages, of which a growing buffer touches ever new ones, 77; and giving free pages back after 10 milliseconds instead of
//! a second, 70, at the same CPU time. In a test of the head alone glibc took 57, this 64, jemalloc 78.

/// Without huge pages: the feature `no_thp`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, for which the library has no name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
const PURGE_DELAY_MS: std::ffi::c_long = 10;

/// Lets free memory go back to the system soon, unless the environment (`MIMALLOC_PURGE_DELAY`) says when.
#[expect(unsafe_code, reason = "the allocator's options are set through its C interface")]
pub(crate) fn configure() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: setting an option of the allocator takes two numbers and may be done at any time from any thread.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) }
    }
}
