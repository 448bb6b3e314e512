//! Rules that do the harm that their input asks for, so that the input alone decides when.

#![allow(clippy::panic, reason = "it is asked to")]

use std::hint::black_box;

use millrace_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// Passes a record on as it is, unless its field `do` asks for something else: `panic`, `loop` without end, take
/// `memory` without end, `spin` as many `times` and pass on then, ask for the `clock` or a `file`, `skip`, or `fail`.
#[transform(codes("asked"))]
pub fn obey(record: Doc) -> Result<Unchanged> {
    match record.opt_str("do")?.as_deref() {
        None => Ok(Unchanged),
        Some("spin") => {
            for time in 0..record.i64("times")? {
                black_box(time);
            }
            Ok(Unchanged)
        }
        Some("clock") => {
            black_box(std::time::SystemTime::now());
            Ok(Unchanged)
        }
        Some("file") => {
            black_box(std::fs::read("limits.json")?);
            Ok(Unchanged)
        }
        Some("skip") => Err(Error::skip("asked")),
        Some(harm) => {
            act(harm);
            Err(Error::permanent("asked", "a record asked for it"))
        }
    }
}

/// Does a harm from which nothing returns.
fn act(harm: &str) {
    match harm {
        "panic" => panic!("a record asked for it"),
        "loop" => loop {
            black_box(());
        },
        "memory" => {
            let mut taken = Vec::new();
            loop {
                taken.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        _ => {}
    }
}

/// Keeps the last record of a key.
#[process]
pub fn keep(key: Key<Vec<u8>>, asked: &str, kept: Store<Vec<u8>, Kept>) -> Result<()> {
    kept.put(&key, &Kept { asked: asked.to_owned() })
}

/// A record. In version 1 it is a bare text, and asks for the harm that is done when it is read.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    asked: String,
}

impl State for Kept {
    const VERSION: u32 = 2;
    const READS: &'static [u32] = &[1];

    fn upgrade(_version: u32, bytes: &[u8]) -> Result<Self> {
        let asked = std::str::from_utf8(bytes)?;
        act(asked);
        Ok(Self { asked: asked.to_owned() })
    }
}

plugin! { name: "hostile", functions: [obey, keep] }
