//! Values of stores, rewritten in the version that the host asks for.

use super::{breach, entry};
use crate::bindings::base::millrace::plugin::types::{Payload, Span, Stored};
use crate::bindings::rewrite::exports::millrace::plugin::rewrite::Rewritten;
use crate::ctx::Call;
use crate::function::{Plugin, Rewrite};
use crate::{config, host};

/// The export `rewrite`.
pub fn rewrite(plugin: &Plugin, function: u32, store: u32, arena: Vec<u8>, values: Vec<Stored>) -> Rewritten {
    let spec = entry(plugin, function).spec.stores.get(store as usize);
    let Some(spec) = spec else { breach("a store that the manifest doesn't have") };
    let version = config::write_version(function, store);
    let call = Call::new(Payload { arena, headers: Vec::new() });
    let mut out = Vec::with_capacity(call.arena.len());
    let values = (0..).zip(values).map(|(index, value)| {
        host::at(index);
        write((value.version, call.bytes(value.bytes)), version, spec.rewrite, &mut out)
    });
    let values = values.collect();
    Rewritten { arena: out, values }
}

/// Appends a value in a version, or the reason why it can't be.
fn write((from, bytes): (u32, &[u8]), to: Option<u32>, rewrite: Rewrite, out: &mut Vec<u8>) -> Result<Stored, Span> {
    let start = out.len();
    let written = rewrite(from, bytes, to, out);
    if let Err(error) = &written {
        out.truncate(start);
        out.extend_from_slice(error.text().as_bytes());
    }
    let bytes = Span { start: start as u32, length: out.len().saturating_sub(start) as u32 };
    written.map(|version| Stored { version, bytes }).map_err(|_| bytes)
}
