//! Process functions: their stores, their limits, and that the stores come back.

use std::collections::BTreeMap;

use bytes::Bytes;
use millrace_engine::logic::Logic;
use millrace_engine::manifest::Role;
use millrace_engine::ports::{
    Attempt, Backend, BackendError, CallError, Called, Fault, Outcome, Scan, StoreId, Stored,
};
use millrace_engine::state::ProcessScope;

use crate::faults::expect;
use crate::template::{FIRST, Guest, limits, message};

/// Committed state in memory; reading the key `broken` fails.
#[derive(Default)]
pub struct Memory(BTreeMap<Bytes, Bytes>);

impl Backend for Memory {
    fn get(&self, _: StoreId, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        if key == b"broken" {
            return Err(BackendError { store: "store".into(), reason: "the disk is gone".into() });
        }
        Ok(self.0.get(key).cloned())
    }

    fn scan(
        &self,
        _: StoreId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), BackendError> {
        let within = |key: &[u8]| key >= from && to.is_none_or(|to| key < to);
        for (key, value) in self.0.iter().filter(|(key, _)| within(key)) {
            if visit(key, value) == Scan::Stop {
                break;
            }
        }
        Ok(())
    }
}

fn call(misbehave: &str, value: &str, attempt: Attempt) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
    let guest = Guest {
        misbehave: misbehave.into(),
        fields: r#"(data (i32.const 0x7e00) "broken")"#.into(),
        ..Guest::good(&[Role::Process])
    };
    let scope = ProcessScope::over(Box::new(Memory::default()), 1);
    guest.deploy(limits()).process(FIRST, message(value), scope, attempt)
}

fn stored(scope: &ProcessScope) -> Option<Stored> {
    scope.get(0, b"key").unwrap()
}

#[test]
fn a_process_function_writes_to_its_store() {
    for attempt in [Attempt::Batch, Attempt::Verdict] {
        let (called, scope) = call("", "value", attempt);
        assert!(matches!(called.unwrap().result, Outcome::Outputs(outputs) if outputs.len() == 1));
        assert_eq!(stored(&scope), Some(Stored { version: 1, bytes: Bytes::from_static(b"value") }));
    }
}

#[test]
fn the_stores_come_back_after_a_trap() {
    for attempt in [Attempt::Batch, Attempt::Verdict] {
        let (called, scope) = call("unreachable", "!", attempt);
        expect(called, Fault::Trap, Some(0), "unreachable");
        assert_eq!(scope.stores(), 1);
        assert!(stored(&scope).is_some(), "the caller undoes writes, not the call");
    }
}

#[test]
fn a_process_function_that_breaks_a_rule_is_a_fault_with_its_reason() {
    let delete = "(call $delete (i32.const 0) (i32.const 0) (i32.const 1))";
    let put = |store: u32, version: u32, bytes: u32| {
        format!(
            "(call $put (i32.const {store}) (i32.const 0) (i32.const 1) (i32.const {version}) (i32.const 0) (i32.const {bytes}))"
        )
    };
    let cases = [
        (
            format!("(loop $l {delete} (br $l))"),
            Fault::State,
            "more than 100 operations on stores and timers for one record (limits.state-ops)",
        ),
        (put(0, 1, 20_000), Fault::State, "more than 10000 bytes of state for one record (limits.state-bytes)"),
        (put(0, 2, 1), Fault::Contract, "wrote state version 2, and was to write 1"),
        (put(1, 1, 1), Fault::Contract, "asked for store 1 of a function with 1"),
    ];
    for (misbehave, fault, words) in cases {
        for attempt in [Attempt::Batch, Attempt::Verdict] {
            let (called, scope) = call(&misbehave, "!", attempt);
            expect(called, fault, Some(0), words);
            assert_eq!(scope.stores(), 1);
        }
    }
}

#[test]
fn a_guest_gets_a_page_of_a_range() {
    // Lists the keys that begin with `k`, and counts as many as came: the length of the page's list is at offset 4.
    let body = "(i32.store8 (i32.const 0x7d00) (i32.const 107))
        (call $prefix (i32.const 0) (i32.const 0x7d00) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 1000) (i32.const 0x7d10))
        (call $count (i32.const 0) (i32.const 0) (i64.extend_i32_u (i32.load (i32.const 0x7d14))))";
    let (called, _) = call(body, "!", Attempt::Batch);
    let count = millrace_engine::ports::Effect::Count { name: String::new(), n: 1 };
    assert_eq!(called.unwrap().effects, vec![count]);
}

#[test]
fn a_store_that_can_not_be_read_is_an_error_of_the_host() {
    let (called, scope) =
        call("(call $get (i32.const 0) (i32.const 0x7e00) (i32.const 6) (i32.const 0x7000))", "!", Attempt::Batch);
    assert!(matches!(called, Err(CallError::Host(text)) if text.contains("the disk is gone")));
    assert_eq!(scope.stores(), 1);
}

#[test]
fn an_unknown_deployment_gives_the_stores_back() {
    let scope = ProcessScope::over(Box::new(Memory::default()), 1);
    let (called, scope) =
        millrace_plugin::GuestInstances::default().process(FIRST, message("a"), scope, Attempt::Batch);
    assert!(matches!(called, Err(CallError::Host(_))));
    assert_eq!(scope.stores(), 1);
}
