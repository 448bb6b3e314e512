//! Where an item stands in the order of processing.

use smallvec::SmallVec;

/// The place of an item in the order in which one record at a time, depth first, would have processed it: the number of
/// the input record within its run, then at each step the number of the child. Paths compare as that order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path(SmallVec<[u32; 6]>);

impl Path {
    /// The place of an input record: its number within the run.
    pub(crate) fn root(record: u32) -> Self {
        Self(SmallVec::from_slice(&[record]))
    }

    /// The place of a child.
    pub(crate) fn child(&self, number: u32) -> Self {
        let mut path = self.0.clone();
        path.push(number);
        Self(path)
    }

    /// The number of the input record it comes from.
    pub(crate) fn record(&self) -> usize {
        self.0.first().map_or(0, |record| *record as usize)
    }
}
