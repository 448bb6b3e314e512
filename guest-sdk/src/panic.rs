//! The text of a panic, for the host: a guest that panics traps, and a trap has no text.

use std::sync::Once;

use crate::host::{self, Level};
use crate::missing;

/// Makes each panic log `panicked at FILE:LINE: MESSAGE` at level error before it traps. The host takes the last such
/// line of the record as the reason of the trap.
pub(crate) fn report() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        if cfg!(target_arch = "wasm32") {
            std::panic::set_hook(Box::new(|info| {
                let message = info.payload_as_str().unwrap_or("no message");
                let text = match info.location() {
                    Some(at) => format!("panicked at {}:{}: {message}", at.file(), at.line()),
                    None => format!("panicked: {message}"),
                };
                host::log(Level::Error, &missing::explained(text));
            }));
        }
    });
}
