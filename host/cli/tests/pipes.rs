//! Closed output streams: no panic, and the exit code tells the result.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::PipeWriter;
use std::process::Stdio;

use support::{Place, Said};

/// The writing end of a pipe whose reading end is closed.
fn unread() -> PipeWriter {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer
}

/// Runs a command without a reader of its results.
fn without_stdout(place: &Place, words: &str) -> Said {
    place.command(words).stdout(unread()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap().into()
}

/// Runs a command without a reader of its messages.
fn without_stderr(place: &Place, words: &str) -> Said {
    place.command(words).stdout(Stdio::piped()).stderr(unread()).spawn().unwrap().wait_with_output().unwrap().into()
}

#[test]
fn a_command_whose_output_is_no_longer_read_does_not_fail() {
    let place = Place::new();
    place.create_topics("data", 1);
    place.write("one.jsonl", "{\"topic\":\"payment-orders\",\"key\":1,\"value\":{\"id\":1},\"timestamp\":1}\n");
    place.millrace("topic write --data data --in one.jsonl").good();
    for words in [
        "completions bash",
        "completions elvish",
        "completions fish",
        "completions powershell",
        "completions zsh",
        "--help",
        "run --help",
        "topology orders.toml --format json",
        "topic list --data data",
        "topic read payment-orders --data data",
    ] {
        let said = without_stdout(&place, words);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{words}");
    }
    let said = without_stdout(&place, "replay orders.toml --in one.jsonl");
    assert_eq!((said.code, said.err.as_str()), (Some(0), "1 in, 0 out\n"));
}

#[test]
fn the_exit_code_tells_the_result_if_standard_error_is_closed() {
    let place = Place::new();
    place.create_topics("data", 1);
    place.write("one.jsonl", "{\"topic\":\"payment-orders\",\"key\":1,\"value\":{\"id\":1},\"timestamp\":1}\n");
    place.write("broken.toml", "app = ");
    assert_eq!(without_stderr(&place, "topic write --data data --in one.jsonl").code, Some(0), "it is written");
    assert_eq!(place.millrace("topic read payment-orders --data data").good().lines().count(), 1);
    assert_eq!(without_stderr(&place, "run orders.toml --data data --until-idle").code, Some(0));
    assert_eq!(without_stderr(&place, "check broken.toml").code, Some(1));
    assert_eq!(without_stderr(&place, "topic read ordres --data data").code, Some(1));
    assert_eq!(without_stderr(&place, "chekc").code, Some(2));
}
