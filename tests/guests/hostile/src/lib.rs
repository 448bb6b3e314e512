//! A rule that does the harm that its record asks for, so that the input alone decides when.

#![allow(clippy::panic, reason = "it is asked to")]

use std::hint::black_box;

use millrace_sdk::prelude::*;

/// Passes a record on as it is, unless its field `do` asks for something else: `panic`, `loop` without end, take
/// `memory` without end, `spin` as many `times` and pass on then, ask for the `clock` or a `file`, `skip`, or `fail`.
#[transform(codes("asked"))]
pub fn obey(record: Doc) -> Result<Unchanged> {
    match record.opt_str("do")?.as_deref() {
        None => Ok(Unchanged),
        Some("panic") => panic!("a record asked for it"),
        Some("loop") => loop {
            black_box(());
        },
        Some("memory") => {
            let mut taken = Vec::new();
            loop {
                taken.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
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
        Some(_) => Err(Error::permanent("asked", "a record asked for it")),
    }
}

plugin! { name: "hostile", functions: [obey] }
