//! Where an item stands in the order of processing.

use smallvec::SmallVec;

/// The place of an item in the order in which one record at a time, depth first, would have processed it: the number of
/// the input record within its run, then at each step the number of the child. Paths compare as that order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    place: SmallVec<[u32; 6]>,
    /// Whom it is about: see [`record`](Self::record). The same place has always the same.
    cause: u32,
}

impl Path {
    /// The place of an input record: its number within the run.
    pub(crate) fn root(record: u32) -> Self {
        Self { place: SmallVec::from_slice(&[record]), cause: record }
    }

    /// The place of a child.
    pub(crate) fn child(&self, number: u32) -> Self {
        let mut path = self.clone();
        path.place.push(number);
        path
    }

    /// The place of the parent.
    pub(crate) fn parent(&self) -> Self {
        let mut path = self.clone();
        path.place.pop();
        path
    }

    /// The same place, for what is about another record than the one at whose time it comes out: a record that has waited
    /// for a match, or a window that has closed.
    pub(crate) fn about(&self, cause: u32) -> Self {
        Self { place: self.place.clone(), cause }
    }

    /// Whether the other is the same place, or one of a child, or of a child's.
    pub(crate) fn leads_to(&self, other: &Self) -> bool {
        other.place.starts_with(&self.place)
    }

    /// The numbers of the place, for who keeps it.
    pub(crate) fn place(&self) -> &[u32] {
        &self.place
    }

    /// A path of a place that was kept, and whom it is about.
    pub(crate) fn from_parts(place: Vec<u32>, cause: u32) -> Self {
        Self { place: place.into(), cause }
    }

    /// The number of the input record that it is about: the one it comes from, unless [`about`](Self::about) says
    /// otherwise.
    pub(crate) fn record(&self) -> usize {
        self.cause as usize
    }
}
