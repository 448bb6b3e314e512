//! The host's side of the imports, in a native build: one for each thread.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::bindings::process::millrace::plugin::state::{Item, Page, Value};
use crate::host::Level;
use crate::timers::Clock;

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::default());
}

/// A store: a version and a value under each key.
type Entries = BTreeMap<Vec<u8>, (u32, Vec<u8>)>;

/// The identity of a timer. Timers for one time fire in the order of their keys, then of their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimerId {
    pub(super) wall: bool,
    pub(super) key: Option<Vec<u8>>,
    pub(super) name: String,
}

/// The data that the imports read and write.
#[derive(Clone, Default)]
pub(super) struct Host {
    /// Index of the current record.
    pub(super) at: Option<u32>,
    pub(super) logs: Vec<(Level, String)>,
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) stores: BTreeMap<u32, Entries>,
    /// Timers and their times.
    pub(super) timers: BTreeMap<TimerId, i64>,
    /// Timers that were set since timers began to fire: they wait for the next time.
    pub(super) fresh: BTreeSet<TimerId>,
    /// Key of the current record or timer.
    pub(super) key: Option<Vec<u8>>,
    /// Whether the current timer is one of the wall clock.
    pub(super) wall_is_due: bool,
    /// None before the first record.
    pub(super) stream_time: Option<i64>,
    pub(super) wall_time: i64,
}

impl Host {
    /// Moves a clock on, never back, and returns the timers that are due then, in their order.
    pub(super) fn advance(&mut self, clock: Clock, time: i64) -> Vec<(TimerId, i64)> {
        let now = match clock {
            Clock::Stream => self.stream_time.insert(self.stream_time.map_or(time, |now| now.max(time))),
            Clock::Wall => {
                self.wall_time = self.wall_time.max(time);
                &mut self.wall_time
            }
        };
        let (now, wall) = (*now, clock == Clock::Wall);
        self.fresh.clear();
        let due = self.timers.iter().filter(|(timer, time)| timer.wall == wall && **time <= now);
        let mut due: Vec<_> = due.map(|(timer, time)| (timer.clone(), *time)).collect();
        due.sort_by_key(|(_, time)| *time);
        due
    }

    /// Removes a due timer and returns true, unless another timer has cancelled it or set it again meanwhile.
    pub(super) fn take(&mut self, timer: &TimerId, time: i64) -> bool {
        let there = !self.fresh.contains(timer) && self.timers.get(timer) == Some(&time);
        if there {
            self.timers.remove(timer);
        }
        there
    }

    /// The identity of a timer of this name. As in the host, a longer name is a breach of the contract.
    #[allow(clippy::panic, reason = "a test bench")]
    fn timer(&self, name: &str, clock: Clock) -> TimerId {
        if name.len() > 255 {
            panic!("the name of a timer has {} bytes; it has at most 255", name.len());
        }
        TimerId { wall: clock == Clock::Wall, key: self.key.clone(), name: name.to_owned() }
    }
}

/// Runs `work` with `host` as the imports. Afterwards `host` has the changes.
pub(super) fn with<T>(host: &mut Host, work: impl FnOnce() -> T) -> T {
    HOST.with_borrow_mut(|current| std::mem::swap(current, host));
    let result = work();
    HOST.with_borrow_mut(|current| std::mem::swap(current, host));
    result
}

/// Announces a record. As in the host, indexes must rise.
#[allow(clippy::panic, reason = "a test bench")]
pub(crate) fn at(index: u32) {
    HOST.with_borrow_mut(|host| {
        if host.at.replace(index).is_some_and(|before| index <= before) {
            panic!("said that it is at record {index} after a later one");
        }
    });
}

pub(crate) fn log(level: Level, text: &str) {
    HOST.with_borrow_mut(|host| host.logs.push((level, text.into())));
}

pub(crate) fn count(name: &str, n: u64) {
    HOST.with_borrow_mut(|host| *host.counts.entry(name.into()).or_default() += n);
}

pub(crate) mod state {
    use std::ops::Bound;

    use super::{HOST, Item, Page, Value};

    pub(crate) fn get(store: u32, key: &[u8]) -> Option<Value> {
        HOST.with_borrow(|host| {
            let (version, bytes) = host.stores.get(&store)?.get(key)?.clone();
            Some(Value { version, bytes })
        })
    }

    pub(crate) fn put(store: u32, key: &[u8], value: &Value) {
        HOST.with_borrow_mut(|host| {
            let entries = host.stores.entry(store).or_default();
            entries.insert(key.into(), (value.version, value.bytes.clone()));
        });
    }

    pub(crate) fn delete(store: u32, key: &[u8]) {
        HOST.with_borrow_mut(|host| host.stores.entry(store).or_default().remove(key));
    }

    pub(crate) fn range(store: u32, start: Option<&[u8]>, end: Option<&[u8]>, max_bytes: u32) -> Page {
        page(store, start, max_bytes, |key| end.is_none_or(|end| key < end))
    }

    pub(crate) fn prefix(store: u32, prefix: &[u8], start: Option<&[u8]>, max_bytes: u32) -> Page {
        page(store, Some(start.unwrap_or(prefix)), max_bytes, |key| key.starts_with(prefix))
    }

    fn page(store: u32, start: Option<&[u8]>, max_bytes: u32, within: impl Fn(&[u8]) -> bool) -> Page {
        HOST.with_borrow(|host| {
            let mut page = Page { items: Vec::new(), next: None };
            let Some(entries) = host.stores.get(&store) else { return page };
            let (start, mut size) = (start.map_or(Bound::Unbounded, Bound::Included), 0);
            for (key, (version, bytes)) in entries.range::<[u8], _>((start, Bound::Unbounded)) {
                if !within(key) {
                    break;
                }
                if size > max_bytes as usize {
                    page.next = Some(key.clone());
                    break;
                }
                size += key.len() + bytes.len();
                let value = Value { version: *version, bytes: bytes.clone() };
                page.items.push(Item { key: key.clone(), value });
            }
            page
        })
    }
}

pub(crate) mod timers {
    use super::{Clock, HOST};

    pub(crate) fn set_at(name: &str, time: i64, clock: Clock) {
        HOST.with_borrow_mut(|host| {
            let timer = host.timer(name, clock);
            let not_before = if timer.wall && host.wall_is_due { host.wall_time.saturating_add(1) } else { i64::MIN };
            host.fresh.insert(timer.clone());
            host.timers.insert(timer, time.max(not_before));
        });
    }

    pub(crate) fn set_after(name: &str, delay: u64, clock: Clock) {
        let now = HOST.with_borrow(|host| match clock {
            Clock::Stream => host.stream_time.unwrap_or(host.wall_time),
            Clock::Wall => host.wall_time,
        });
        set_at(name, now.saturating_add_unsigned(delay), clock);
    }

    pub(crate) fn cancel(name: &str, clock: Clock) {
        HOST.with_borrow_mut(|host| {
            let timer = host.timer(name, clock);
            host.timers.remove(&timer);
        });
    }
}
