//! Versions that are refused: each says why, and changes nothing.

use insta::assert_snapshot;

use crate::support::{Place, guest_named};
use crate::{list, place, process, start, versions};

/// What a deployment that must fail says; nothing has changed after it.
fn refused(place: &Place, words: &str) -> String {
    let before = place.millrace("deployments list swap.toml --data data --json").good();
    let said = place.millrace(&format!("deploy swap.toml --data data --yes {words}"));
    assert_eq!(place.millrace("deployments list swap.toml --data data --json").good(), before);
    assert_eq!(said.code, Some(1), "{said:?}");
    said.err.replace(&place.path("").display().to_string(), "[folder]/")
}

#[test]
fn a_bad_version_is_refused_with_its_reason_and_leaves_no_trace() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..10);
    place.write("text.wasm", "no WebAssembly");
    place.write("orders.wasm", guest_named("order_status.wasm"));
    let wasi = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))"#;
    place.write("wasi.wasm", wat::parse_str(wasi).unwrap());
    assert_snapshot!(refused(&place, "--plugin swap=text.wasm"), @r#"--plugin swap: the plugin `swap`: [folder]/text.wasm: not a WebAssembly component or module that can be used: it begins with `no W`, and WebAssembly with `\0asm`"#);
    assert_snapshot!(refused(&place, "--plugin swap=missing.wasm"), @"error: --plugin swap=missing.wasm: there is no such file");
    assert_snapshot!(refused(&place, "--plugin swap=wasi.wasm"), @"--plugin swap: the plugin `swap`: [folder]/wasi.wasm: imports `wasi_snapshot_preview1`: a plugin has no WASI; build it for wasm32-unknown-unknown");
    assert_snapshot!(refused(&place, "--plugin swap=orders.wasm"), @"
    swap.toml:16:8: the plugin `swap` has no function `tag`
      help: it has no transform functions
    swap.toml:21:8: the plugin `swap` has no function `count`
      help: it has no aggregate functions
    swap.toml:26:8: the plugin `swap` has no function `changed`
      help: it has no process functions
    swap.toml:31:8: the plugin `swap` has no function `count`
      help: it has no aggregate functions
    ");
    assert_snapshot!(refused(&place, "--plugin swop=swap.wasm"), @"
    --plugin swop: there is no plugin `swop`; did you mean `swap`?
      help: KEY is an app-wide key (threads), one of a plugin (plugins.NAME.config.KEY) or of a step (STEP.KEY)
    ");
    assert_snapshot!(refused(&place, "--plugin swap=swap_next.wasm --config colour=blue"), @"--config colour: the plugin `swap`: [folder]/swap_next.wasm: config: unknown field `colour`; the fields are `tag`");
    assert_snapshot!(refused(&place, "--plugin swap=swap_next.wasm --config tag=[1]"), @"--config tag: the plugin `swap`: [folder]/swap_next.wasm: config: `tag`: invalid type: sequence, expected a string");
    assert_snapshot!(refused(&place, "--plugin swap=swap.wasm"), @"error: plugin `swap`: this version is active already, as generation 1");
    place.millrace("deploy swap.toml --plugin swap=swap_next.wasm --data data --yes").good();
    place.millrace("deployments finalize swap.toml --data data").good();
    process(&place, 10..20);
    assert_snapshot!(refused(&place, "--plugin swap=swap.wasm"), @"error: plugin `swap`: function `changed` can't read what is in its store `last`: there is state of version 2, and it reads [1]. Where the active version writes another one, `millrace deployments finalize --rewrite` rewrites older entries");
    let back = place.millrace("deployments rollback swap.toml --data data").bad();
    assert_snapshot!(back, @"exit 1: error: plugin `swap`: the code of that generation can't read the state: in the way are 10 entries of version 2 in the store `changed/last`, 20 entries of version 2 in the store `count/count`. Deploy a version that reads these, or go on with the active one");
    assert_eq!(run.terminate().code(), Some(0));
    let expected = ["one", "two"].iter().flat_map(|by| std::iter::repeat_n(*by, 10));
    assert_eq!(versions(&place), expected.collect::<Vec<_>>());
}

#[test]
fn nothing_is_deployed_without_consent_or_to_an_app_that_never_ran() {
    let place = place();
    let deploy = "deploy swap.toml --plugin swap=swap_next.wasm --data data";
    let never = place.millrace(&format!("{deploy} --yes")).bad();
    assert_snapshot!(never, @"exit 1: error: data: there is no data of Millrace's here; `millrace run` makes it, with the topics of its pipeline, or `millrace topic create`, with one topic");
    let mut run = start(&place, "");
    let said = place.millrace(deploy);
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(1), "error: there is no terminal to ask on: say --yes; nothing was deployed\n")
    );
    assert_eq!(list(&place), ["1 active start {} "]);
    assert_snapshot!(place.millrace("deployments rollback swap.toml --data data").bad(), @"exit 1: error: plugin `swap`: there is no version to go back to: no other one that ran is kept");
    assert_snapshot!(place.millrace("deployments abort swap.toml --data data").bad(), @"exit 1: error: nothing is staged or on trial: `millrace deployments rollback` goes back from an active version");
    assert_snapshot!(place.millrace("deployments show swap.toml --data data --generation 7").bad(), @"exit 1: error: generation 7 isn't kept: kept are 1");
    assert_eq!(run.terminate().code(), Some(0));
}
