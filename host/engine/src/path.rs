//! Positions in the order of processing.

use smallvec::SmallVec;

/// An item's position in the order of processing one record at a time, depth first: the number of the input record
/// within its run, then at each step the number of the child. Paths compare in that order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    place: SmallVec<[u32; 6]>,
    /// Number of the record that it is attributed to: see [`record`](Self::record). Equal places have equal causes.
    cause: u32,
}

impl Path {
    /// The path of an input record: its number within the run.
    pub(crate) fn root(record: u32) -> Self {
        Self { place: SmallVec::from_slice(&[record]), cause: record }
    }

    /// The path of a child.
    pub(crate) fn child(&self, number: u32) -> Self {
        let mut path = self.clone();
        path.place.push(number);
        path
    }

    /// The path of the parent.
    pub(crate) fn parent(&self) -> Self {
        let mut path = self.clone();
        path.place.pop();
        path
    }

    /// The same place, attributed to another record than the one that caused the output: an unmatched record, or the
    /// result of a closed window.
    pub(crate) fn with_cause(&self, cause: u32) -> Self {
        Self { place: self.place.clone(), cause }
    }

    /// Whether the other path is the same, or a descendant's.
    pub(crate) fn leads_to(&self, other: &Self) -> bool {
        other.place.starts_with(&self.place)
    }

    /// The numbers of the place.
    pub(crate) fn place(&self) -> &[u32] {
        &self.place
    }

    /// The path with this [`place`](Self::place) and [`record`](Self::record).
    pub(crate) fn from_parts(place: Vec<u32>, cause: u32) -> Self {
        Self { place: place.into(), cause }
    }

    /// The number of the record that it is attributed to: the input record, unless [`with_cause`](Self::with_cause) has
    /// changed that.
    pub(crate) fn record(&self) -> usize {
        self.cause as usize
    }
}
