//! An allocator that counts.

#![expect(unsafe_code, reason = "an allocator is unsafe by its trait; this one hands everything to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which counts for each thread what it asks for and what it gives back, so that tests beside each
/// other don't count for each other. A test binary names it as its `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
    static FREED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: both calls are handed on as they come, and counting touches a plain number of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATED.try_with(|bytes| bytes.set(bytes.get().wrapping_add(layout.size())));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = FREED.try_with(|bytes| bytes.set(bytes.get().wrapping_add(layout.size())));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What this thread has asked for since it began, in bytes. Stays 0 where [`Counting`] is not the allocator.
pub fn allocated_bytes() -> usize {
    ALLOCATED.get()
}

/// What this thread has asked for and not given back, in bytes; negative where it gave back what others asked for.
pub fn live_bytes() -> isize {
    ALLOCATED.get().wrapping_sub(FREED.get()) as isize
}
