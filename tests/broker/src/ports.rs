//! Free ports on loopback.

use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use crate::error::Error;

/// Below those that Linux and macOS give to outgoing connections. Otherwise one of these might take the port of a
/// broker while it is down; a client that tries to reach it there may even end up connected to itself.
const RANGE: Range<u16> = 20_000..32_000;

/// Ports that nobody listens on: `fixed`, and as many more as are wanted.
pub(crate) fn free(fixed: Range<u16>, more: usize) -> Result<Vec<u16>, Error> {
    // Held until all are chosen, so that none is chosen twice.
    let mut held = Vec::new();
    let mut ports = Vec::new();
    for port in fixed.clone() {
        held.push(listen(port).ok_or(Error::PortTaken(port))?);
        ports.push(port);
    }
    // Begins somewhere, so that clusters which start at the same time don't meet.
    let begin = random() % u64::from(RANGE.end - RANGE.start);
    let begin = RANGE.start + u16::try_from(begin).unwrap_or_default();
    let mut candidates = (begin..RANGE.end).chain(RANGE.start..begin);
    while ports.len() < fixed.len() + more {
        let port = candidates.next().ok_or(Error::NoPort(RANGE))?;
        if let Some(listener) = listen(port) {
            held.push(listener);
            ports.push(port);
        }
    }
    Ok(ports)
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}

/// A number that differs from call to call and from process to process.
pub(crate) fn random() -> u64 {
    std::hash::RandomState::new().hash_one(std::process::id())
}
