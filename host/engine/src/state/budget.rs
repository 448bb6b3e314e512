//! The budget of a step for a pass.

/// How many bytes a step may still emit, or take out of its state, in a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Budget {
    /// Negative if the last entry was larger than the rest of the budget.
    left: isize,
}

/// About what an entry costs in memory beside its bytes, from its scan to its results.
const ENTRY: usize = 512;

impl Budget {
    /// A budget of this many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: isize::try_from(bytes.max(1)).unwrap_or(isize::MAX) }
    }

    /// Whether it is used up.
    pub(crate) fn is_full(self) -> bool {
        self.left <= 0
    }

    /// Takes an entry of this many bytes, even if it is larger than the rest.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub_unsigned(bytes.saturating_add(ENTRY));
    }

    /// How many bytes were taken from a budget of `of` bytes.
    pub(crate) fn taken(self, of: usize) -> usize {
        isize::try_from(of).unwrap_or(isize::MAX).saturating_sub(self.left).max(0).unsigned_abs()
    }

    /// Most entries that fit into it.
    pub(crate) fn entries(self) -> usize {
        self.left.max(0).unsigned_abs().div_ceil(ENTRY)
    }
}
