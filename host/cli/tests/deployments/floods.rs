//! The flood guard: a version that fails for most records doesn't turn a topic into dead letters.

use crate::support::{Place, until};
use crate::{list, place, process, read, records, start};

const RECORDS: u64 = 20_000;

const HELD: &str = "too many records fail after a deployment: nothing more is dead-lettered, and the input waits for another \
                    version";

/// Numbers of results and dead letters of the step `tag`.
fn counts(place: &Place) -> (usize, usize) {
    let letters = read(place, "swapping-dlq");
    let of_tag = letters.iter().filter(|it| it["headers"].to_string().contains("tag")).count();
    (read(place, "tagged").len(), of_tag)
}

#[test]
fn the_app_goes_back_by_itself_from_a_version_that_fails() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..2_000);
    let bad = "deploy swap.toml --plugin swap=swap.wasm --config harm=fail --data data --yes --wait";
    place.millrace(bad).good();
    place.millrace_with("topic write --data data", &records(2_000..RECORDS)).good();
    let held = run.logged(HELD);
    assert_eq!((&held["plugin"], &held["generation"]), (&"swap".into(), &2.into()));
    run.logged("the input goes on");
    until("all records are processed", || {
        let (tagged, letters) = counts(&place);
        (tagged + letters) as u64 == RECORDS
    });
    let (_, letters) = counts(&place);
    // Four steps share the thousand results.
    assert!(letters <= 1_000, "{letters} letters");
    let list = list(&place);
    assert_eq!(list.len(), 3);
    assert_eq!((list[0].as_str(), &list[1][..13]), ("1 superseded start {} ", "2 rolled-back"));
    assert!(list[2].starts_with("3 active rollback {} to the version of generation 1: flood guard: "), "{list:?}");
    assert_eq!(run.terminate().code(), Some(0));
}

#[test]
fn the_input_waits_where_the_app_cannot_go_back_and_a_user_decides() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..2_000);
    place.millrace("deploy swap.toml --plugin swap=swap_last.wasm --data data --yes --wait").good();
    // The first of them are processed, and leave state that the version before can't read.
    place.millrace_with("topic write --data data", &records(2_000..2_010)).good();
    until("they are processed", || counts(&place).1 == 10);
    place.millrace_with("topic write --data data", &records(2_010..RECORDS)).good();
    run.logged(HELD);
    run.logged("a deployment is refused");
    run.logged_with("the input waits, because too many records fail");
    let (tagged, letters) = counts(&place);
    assert!(tagged == 2_000 && letters < 1_000, "{tagged} and {letters}");
    let listed = place.millrace("deployments list swap.toml --data data").good();
    assert!(listed.contains("active, held  deploy"), "{listed}");
    // Another start doesn't forget it.
    assert_eq!(run.terminate().code(), Some(0));
    let mut run = place.start("run swap.toml --data data");
    run.logged_with("the input waits, because too many records fail");
    assert_eq!(counts(&place), (tagged, letters));
    place.millrace("deploy swap.toml --plugin swap=swap_next.wasm --data data --yes --wait").good();
    run.logged("the input goes on");
    until("all records are processed", || {
        let (tagged, letters) = counts(&place);
        (tagged + letters) as u64 == RECORDS
    });
    assert_eq!(run.terminate().code(), Some(0));
}

#[test]
fn without_a_guard_all_become_letters() {
    let place = place();
    place.millrace("run swap.toml --data data --until-idle").good();
    place.millrace_with("topic write --data data", &records(0..5_000)).good();
    place.millrace("deploy swap.toml --plugin swap=swap_last.wasm --data data --yes").good();
    place.millrace("run swap.toml --data data --until-idle --set flood-guard.share=0").good();
    assert_eq!(counts(&place), (0, 5_000));
}

#[test]
fn a_version_that_a_start_deploys_is_watched_too_and_a_run_to_the_end_says_why_it_stops() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..10);
    assert_eq!(run.terminate().code(), Some(0));
    place.millrace_with("topic write --data data", &records(10..RECORDS)).good();
    place.write("swap.wasm", std::fs::read(place.path("swap_last.wasm")).unwrap());
    let said = place.millrace("run swap.toml --data data --until-idle").bad();
    assert!(said.contains("the input waits, because too many records fail since a deployment"), "{said}");
    assert!(said.contains("let them fail with `millrace deployments resume`"), "{said}");
    assert_eq!(counts(&place).1, 0, "nothing of it was committed");
    let said = place.millrace("run swap.toml --data data --until-idle").bad();
    assert!(said.contains("the input waits, because too many records fail since a deployment"), "{said}");
    let said = place.millrace("deployments resume swap.toml --data data").good();
    assert_eq!(said, "resumed: `swap` generation 2 processes records, however many fail\n");
    place.millrace("run swap.toml --data data --until-idle").good();
    assert_eq!(counts(&place).1 as u64, RECORDS - 10, "a user has let them fail");
}
