//! The threads that scrape.
//!
//! Each has a runtime of its own, and a target stays with one of them: its connection, its cache and its buffers of the head
//! are touched by one processor, and no other thread is woken for an answer that arrives. On the runtime that everything else
//! shares, two of five system calls of a scrape only woke another thread.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// Threads that run until this is dropped.
pub(crate) struct Threads {
    handles: Vec<Handle>,
    next: AtomicUsize,
    ended: CancellationToken,
}

impl Threads {
    /// Starts at least one thread.
    pub(crate) fn start(count: usize) -> io::Result<Threads> {
        let ended = CancellationToken::new();
        // From here on, so that threads end if a later one can't be started.
        let mut threads = Threads { handles: Vec::new(), next: AtomicUsize::new(0), ended };
        for at in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            threads.handles.push(runtime.handle().clone());
            let ended = threads.ended.clone();
            let run = move || runtime.block_on(ended.cancelled());
            std::thread::Builder::new().name(format!("scrape-{at}")).spawn(run)?;
        }
        Ok(threads)
    }

    /// The thread for one more target: each in turn.
    pub(crate) fn pick(&self) -> &Handle {
        &self.handles[self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len()]
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}
