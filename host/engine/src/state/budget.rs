//! How many bytes a step may still put out in a pass, and let out of its state.

/// How many bytes a step may still put out in a pass, and let out of its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Budget {
    /// Below zero where the last entry was larger than what was left.
    left: isize,
}

/// About what an entry that is let out costs in memory beside its bytes, from the look to its results.
const ENTRY: usize = 512;

impl Budget {
    /// One of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: isize::try_from(bytes.max(1)).unwrap_or(isize::MAX) }
    }

    /// Whether nothing more goes into it.
    pub(crate) fn is_full(self) -> bool {
        self.left <= 0
    }

    /// Takes an entry of this many bytes; always one.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub_unsigned(bytes.saturating_add(ENTRY));
    }

    /// The bytes that are taken of a budget of so many.
    pub(crate) fn taken(self, of: usize) -> usize {
        isize::try_from(of).unwrap_or(isize::MAX).saturating_sub(self.left).max(0).unsigned_abs()
    }

    /// How many entries go into it, at most.
    pub(crate) fn entries(self) -> usize {
        self.left.max(0).unsigned_abs().div_ceil(ENTRY)
    }
}
