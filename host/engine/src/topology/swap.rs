//! Whether tasks can go on when the functions that their steps call are swapped.

use super::{Edge, Node, SubTopology, Topology};

/// The way out of a difference that only a start can bridge.
const START_ANEW: &str = "stop the app's processes, and start them with this version in their files";

impl Topology {
    /// Checks that tasks of this topology can go on as tasks of `next`: the two differ in nothing but the functions that
    /// the steps call.
    ///
    /// # Errors
    /// They differ otherwise: the step, the difference and the way out.
    pub fn check_swap(&self, next: &Self) -> Result<(), String> {
        if self.topics != next.topics || self.subtopologies.len() != next.subtopologies.len() {
            let reason = "the app would have other topics: a port changes the key that didn't, or the other way round";
            return Err(format!("{reason}; {START_ANEW}"));
        }
        for (before, after) in self.subtopologies.iter().zip(&next.subtopologies) {
            before.check_swap(after)?;
        }
        if self.stores != next.stores || self.globals != next.globals {
            return Err(format!("the app would have other stores; {START_ANEW}"));
        }
        Ok(())
    }
}

impl SubTopology {
    fn check_swap(&self, next: &Self) -> Result<(), String> {
        if self.inputs != next.inputs || self.nodes.len() != next.nodes.len() {
            return Err(format!("the steps would be connected in another way; {START_ANEW}"));
        }
        for (before, after) in self.nodes.iter().zip(&next.nodes) {
            let step = &before.name;
            if before.name != after.name || !before.has_edges_of(after) {
                return Err(format!("step `{step}` would be connected in another way; {START_ANEW}"));
            }
            if !before.has_operator_of(after) {
                return Err(format!("step `{step}` would have other stores or timers; {START_ANEW}"));
            }
        }
        Ok(())
    }
}

impl Node {
    /// Whether the operators are the same but for their calls.
    fn has_operator_of(&self, next: &Self) -> bool {
        let mut operator = self.operator.clone();
        match (operator.call_mut(), next.operator.call()) {
            (Some(call), Some(next)) => call.clone_from(next),
            (None, None) => {}
            _ => return false,
        }
        operator == next.operator
    }

    /// Whether outputs go the same ways: functions may have their ports in another order.
    fn has_edges_of(&self, next: &Self) -> bool {
        let same = |(before, after): (&Edge, &Edge)| {
            let at = Edge { port: after.port, ..*before };
            at == *after && self.port_name(before.port) == next.port_name(after.port)
        };
        self.edges.len() == next.edges.len() && self.edges.iter().zip(&next.edges).all(same)
    }

    /// The name of a port of the function; none of an operator without one, and of the port of late records.
    fn port_name(&self, port: usize) -> Option<&str> {
        Some(self.operator.call()?.manifest.ports.get(port)?.name.as_str())
    }
}
