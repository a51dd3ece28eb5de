//! The module's heap: how much of it is in use, and what happens at its end.
//!
//! A worker's memory has an end that the host sets, and an allocation that fails traps the VM: nothing is judged any more.
//! So transactions are given a [budget](portcullis_rules::budget) that ends well before. Should the host's end come first,
//! what was set aside for that is used up, and until it could be set aside again everything counts as in use, so that
//! nothing new is begun.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};

/// Bytes set aside: many times as much as anything takes at once that does not ask the budget before.
const RESERVE: usize = 1024 * 1024;

/// Bytes by which what is in use changes before the gauge does.
const STEP: usize = 256 * 1024;

/// Bytes in use.
static USED: AtomicUsize = AtomicUsize::new(0);
/// Bytes of which the gauge tells.
static TOLD: AtomicUsize = AtomicUsize::new(0);
/// What is set aside, if it is.
static SET_ASIDE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// What was set aside is in use.
static IS_SPENT: AtomicBool = AtomicBool::new(false);

/// The system's allocator, counted.
struct Counted;

#[global_allocator]
static HEAP: Counted = Counted;

const RESERVE_LAYOUT: Layout = Layout::new::<[u128; RESERVE / 16]>();

/// Bytes in use. Past the end, all there are.
pub(crate) fn used() -> usize {
    if IS_SPENT.load(Relaxed) { usize::MAX } else { USED.load(Relaxed) }
}

/// By how many bytes what is in use has changed since the last call; 0 as long as that is little: telling leaves the
/// virtual machine.
pub(crate) fn take_change() -> i64 {
    let (used, told) = (USED.load(Relaxed), TOLD.load(Relaxed));
    if used.abs_diff(told) < STEP {
        return 0;
    }
    TOLD.store(used, Relaxed);
    let signed = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
    signed(used) - signed(told)
}

/// Sets memory aside for the end of the heap, unless it is. To be called now and then.
pub(crate) fn set_aside() {
    if SET_ASIDE.load(Relaxed).is_null() {
        // SAFETY: the layout has a size.
        let block = unsafe { System.alloc(RESERVE_LAYOUT) };
        SET_ASIDE.store(block, Relaxed);
        IS_SPENT.store(block.is_null(), Relaxed);
    }
}

/// Frees what was set aside; whether anything was.
#[cold]
fn spend() -> bool {
    let block = SET_ASIDE.swap(ptr::null_mut(), Relaxed);
    IS_SPENT.store(true, Relaxed);
    if block.is_null() {
        return false;
    }
    // SAFETY: it was allocated with this layout, and nobody else has it.
    unsafe { System.dealloc(block, RESERVE_LAYOUT) };
    true
}

// SAFETY: what comes from the system's allocator goes back to it, with the same layout.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the system's.
        let mut block = unsafe { System.alloc(layout) };
        if block.is_null() && spend() {
            // SAFETY: as above.
            block = unsafe { System.alloc(layout) };
        }
        if !block.is_null() {
            USED.fetch_add(layout.size(), Relaxed);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises are the system's.
        let mut moved = unsafe { System.realloc(block, layout, size) };
        if moved.is_null() && spend() {
            // SAFETY: as above; a block that could not be moved is as it was.
            moved = unsafe { System.realloc(block, layout, size) };
        }
        if !moved.is_null() {
            USED.fetch_add(size, Relaxed);
            USED.fetch_sub(layout.size(), Relaxed);
        }
        moved
    }
}
