//! Compares counted memory with the memory that the allocator hands out.

#![allow(clippy::unwrap_used)]
#![allow(unsafe_code, reason = "an allocator that counts")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use millrace_engine::ports::Stored;
use millrace_engine::record::{Header, InputRecord, TimestampType};
use millrace_engine::state::ProcessScope;
use millrace_engine::task::{Task, TaskOptions};
use support::Disk;

/// Counts the memory of each thread.
struct Counting;

thread_local! {
    /// Bytes held now, and the most bytes held so far.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: isize) {
    // A thread that ends frees memory after its counter is gone.
    let _ = HELD.try_with(|held| {
        let now = held.get().0 + bytes;
        held.set((now, now.max(held.get().1)));
    });
}

// SAFETY: all calls go to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes held after `work`, and the most bytes held during it.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = HELD.get().0;
    HELD.set((before, before));
    let result = work();
    let (after, most) = HELD.get();
    (result, (after - before).cast_unsigned(), (most - before).cast_unsigned())
}

/// A record whose parts have allocations of their own.
fn record(value: usize, headers: usize, name: usize) -> InputRecord {
    let header = |_| Header { name: vec![b'n'; name].into(), value: None };
    InputRecord {
        offset: 0,
        timestamp: 0,
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value: Some(vec![b'v'; value].into()),
        headers: (0..headers).map(header).collect::<Vec<_>>().into(),
        arrived: 0,
        turn: 0,
    }
}

#[test]
fn queued_records_count_with_all_memory_that_they_hold() {
    let topology = support::topology(
        "[[source]]\nname = \"in\"\ntopic = \"in\"\nvalue = \"bytes\"\n[[sink]]\nfrom = \"in\"\ntopic = \"out\"",
    );
    // Some large values, many small ones, and headers with almost no content.
    for (records, value, headers, name) in [(4, 100_000, 0, 0), (1_024, 10, 0, 0), (64, 10, 10, 12), (1, 0, 500_000, 0)]
    {
        let options = TaskOptions::new(0, 0, vec![1; topology.topics.len()].into(), Vec::new().into());
        let mut task = Task::open(topology.clone(), options, Disk::default().partition(0)).unwrap();
        let ((), held, _) = measured(|| (0..records).for_each(|_| task.offer(0, record(value, headers, name))));
        let counted = task.queued_bytes(0);
        // The allocator's overhead per part isn't counted, nor the free places of the queue.
        assert!(
            counted <= held && held <= counted * 3 / 2,
            "{records} records of {value} bytes with {headers} headers hold {held} bytes, and {counted} are counted"
        );
    }
}

#[test]
fn a_page_of_a_range_is_bounded_for_any_request_and_any_size_of_items() {
    const ITEMS: u32 = 200_000;
    let mut scope = ProcessScope::over(Disk::default().partition(0), 1);
    for key in 0..ITEMS {
        scope.put(0, Bytes::copy_from_slice(&key.to_be_bytes()), Stored { version: 1, bytes: Bytes::new() });
    }
    let (mut items, mut next) = (0, Some(Bytes::new()));
    while let Some(from) = next {
        let (page, _, most) = measured(|| scope.range(0, &from, None, 64 << 20).unwrap());
        assert!(most <= 4 << 20, "a page of {} items took {most} bytes to make", page.items.len());
        (items, next) = (items + page.items.len(), page.next);
    }
    assert_eq!(items, ITEMS as usize);
}
