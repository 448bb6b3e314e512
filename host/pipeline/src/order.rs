//! Topological orders, and cycles.

use std::collections::BTreeSet;

/// Sorts `0..count` so that all arrows lead forwards; of two possible numbers, the smaller one comes first. Numbers on
/// a cycle or after one are missing.
pub(super) fn topological(count: usize, arrows: &[(usize, usize)]) -> Vec<usize> {
    let mut sorter = Sorter::new(count, arrows);
    let mut order = Vec::with_capacity(count);
    while let Some(next) = sorter.ready.pop_first() {
        sorter.release(next);
        order.push(next);
    }
    order
}

/// Like [`topological`], but when only cycles are left, it continues with the smallest number.
pub(super) fn topological_or_first(count: usize, arrows: &[(usize, usize)]) -> Vec<usize> {
    let mut sorter = Sorter::new(count, arrows);
    let mut left: BTreeSet<usize> = (0..count).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(next) = sorter.ready.pop_first().or_else(|| left.first().copied()) {
        if left.remove(&next) {
            sorter.release(next);
            order.push(next);
        }
    }
    order
}

/// The common part: Kahn's algorithm.
struct Sorter {
    successors: Vec<Vec<usize>>,
    waiting_for: Vec<usize>,
    ready: BTreeSet<usize>,
}

impl Sorter {
    fn new(count: usize, arrows: &[(usize, usize)]) -> Self {
        let mut successors = vec![Vec::new(); count];
        let mut waiting_for = vec![0; count];
        for (from, to) in arrows {
            if let (Some(list), Some(number)) = (successors.get_mut(*from), waiting_for.get_mut(*to)) {
                list.push(*to);
                *number += 1;
            }
        }
        let ready =
            waiting_for.iter().enumerate().filter(|(_, number)| **number == 0).map(|(index, _)| index).collect();
        Self { successors, waiting_for, ready }
    }

    fn release(&mut self, done: usize) {
        for next in self.successors.get(done).into_iter().flatten() {
            let Some(number) = self.waiting_for.get_mut(*next) else { continue };
            *number = number.saturating_sub(1);
            if *number == 0 {
                self.ready.insert(*next);
            }
        }
    }
}

/// One cycle among the arrows, if there is any: its numbers in order, the smallest first.
pub(super) fn find_cycle(count: usize, arrows: &[(usize, usize)]) -> Option<Vec<usize>> {
    let reversed: Vec<_> = arrows.iter().map(|(from, to)| (*to, *from)).collect();
    let acyclic: BTreeSet<_> = topological(count, arrows).into_iter().chain(topological(count, &reversed)).collect();
    // Each number that is left has a successor that is left, so the walk ends only when it closes a cycle.
    let next = |from: usize| {
        let targets = arrows.iter().filter(|(start, to)| *start == from && !acyclic.contains(to)).map(|(_, to)| *to);
        targets.min()
    };
    let mut path = vec![(0..count).find(|index| !acyclic.contains(index))?];
    loop {
        let following = next(*path.last()?)?;
        if let Some(start) = path.iter().position(|index| *index == following) {
            let mut cycle = path.split_off(start);
            let smallest = cycle.iter().enumerate().min_by_key(|(_, index)| **index).map_or(0, |(at, _)| at);
            cycle.rotate_left(smallest);
            return Some(cycle);
        }
        path.push(following);
    }
}
