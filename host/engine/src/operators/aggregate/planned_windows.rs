//! The windows that a plan changes.

use bytes::Bytes;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::plan::WindowState;
use crate::record::{Timestamp, Window};
use crate::state::aggregate_windows::{place, time_of};
use crate::topology::WindowKind;

/// A window with its state, `None` if the plan deletes it.
pub(super) type PlannedWindow = (Window, Option<WindowState>);

/// The windows that a plan changes, by key. Most plans have few windows of many keys.
pub(super) struct PlannedWindows {
    kind: WindowKind,
    /// In the order of time.
    keys: HashMap<Bytes, SmallVec<[PlannedWindow; 2]>>,
}

impl PlannedWindows {
    /// Room for the windows of so many keys.
    pub(super) fn new(kind: WindowKind, keys: usize) -> Self {
        Self { kind, keys: HashMap::with_capacity(keys) }
    }

    /// The windows of a key, in the order of time.
    fn of(&self, key: &[u8]) -> &[PlannedWindow] {
        self.keys.get(key).map_or(&[], SmallVec::as_slice)
    }

    /// The windows of a key whose times are in `[from, to]`, in the order of time.
    pub(super) fn range(&self, key: &[u8], (from, to): (Timestamp, Timestamp)) -> &[PlannedWindow] {
        let windows = self.of(key);
        let time = |(window, _): &PlannedWindow| time_of(self.kind, *window);
        let first = windows.partition_point(|planned| time(planned) < from);
        let end = windows.partition_point(|planned| time(planned) <= to);
        windows.get(first..end).unwrap_or_default()
    }

    /// A window of a key, if the plan changes it.
    pub(super) fn get(&self, key: &[u8], window: Window) -> Option<&Option<WindowState>> {
        let windows = self.of(key);
        place(windows, self.kind, window).ok().and_then(|place| windows.get(place)).map(|(_, state)| state)
    }

    /// Sets the state of a window, or deletes the window.
    pub(super) fn set(&mut self, key: &Bytes, window: Window, state: Option<WindowState>) {
        let windows = self.keys.entry_ref(key).or_default();
        match place(windows, self.kind, window) {
            Ok(place) => {
                if let Some(planned) = windows.get_mut(place) {
                    planned.1 = state;
                }
            }
            Err(place) => windows.insert(place, (window, state)),
        }
    }

    /// All windows with their keys.
    pub(super) fn into_all(self) -> impl Iterator<Item = (Bytes, PlannedWindow)> {
        self.keys.into_iter().flat_map(|(key, windows)| windows.into_iter().map(move |window| (key.clone(), window)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::aggregate::plan::StateRef;

    #[test]
    fn windows_of_a_key_are_found_by_time_whatever_the_order_they_came_in() {
        let mut planned = PlannedWindows::new(WindowKind::Session { gap: 10 }, 2);
        let (key, other) = (Bytes::from_static(b"k"), Bytes::from_static(b"other"));
        let state = |group| Some(WindowState { timestamp: 0, state: StateRef::Made(group) });
        let window = |start, end| Window { start, end };
        for (group, (start, end)) in [(40, 50), (10, 20), (60, 70)].into_iter().enumerate() {
            planned.set(&key, window(start, end), state(group));
        }
        planned.set(&other, window(10, 20), state(9));
        planned.set(&key, window(40, 50), None);
        let range = |range| planned.range(b"k", range).iter().map(|(window, _)| window.start).collect::<Vec<_>>();
        assert_eq!((range((0, 100)), range((20, 50)), range((51, 69))), (vec![10, 40, 60], vec![10, 40], vec![]));
        assert!(planned.get(b"k", window(40, 50)).is_some_and(Option::is_none), "deleted");
        assert!(planned.get(b"k", window(10, 20)).is_some_and(Option::is_some));
        assert!(planned.get(b"k", window(10, 21)).is_none(), "not in the plan");
        assert_eq!(planned.into_all().count(), 4);
    }
}
