//! A member and its workers.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use millrace_engine::pipeline::{self, Given, SourceFile};

use super::*;

#[test]
fn a_worker_that_was_given_up_is_told_nothing_and_not_waited_for() {
    let text = "app = 'a'\n[[source]]\nname = 'in'\ntopic = 'in'\n[[sink]]\nfrom = 'in'\ntopic = 'out'\n";
    let file = SourceFile { path: "a.toml".into(), text: text.into() };
    let topology = pipeline::build(&pipeline::parse(&[file], &Given::default()).unwrap(), &BTreeMap::new()).unwrap();
    let member = Membership::new(Arc::new(topology), Arc::from([1, 1]));
    let (line, ear) = Line::new();
    member.connect(0, line);
    member.disconnect(0);
    member.give(false);
    assert!(!ear.is_called());
}
