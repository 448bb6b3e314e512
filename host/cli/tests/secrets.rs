//! Passwords of the cluster: they come from files, variables and the command line, and no output ever has one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::process::Command;

use insta::assert_snapshot;

use support::{Place, Running, Said};

/// The text that no output may contain.
const SECRET: &str = "hunter2";

const PASS: &str = "
[[source]]
name = \"in\"
topic = \"in\"
key = \"string\"

[[sink]]
from = \"in\"
topic = \"out\"
";

/// A pipeline file with these lines in its middle.
fn pipeline(kafka: &str) -> String {
    format!("app = \"pass\"\n\n{kafka}\n{PASS}")
}

/// All messages of a command, with its whole log.
fn told(mut command: Command) -> (Option<i32>, String) {
    let Said { code, out, err } = command.env("MILLRACE_LOG", "trace").output().unwrap().into();
    (code, out + &err)
}

#[test]
fn no_command_that_fails_prints_a_password() {
    let place = Place::new();
    let files = [
        "[kafka]\nsasl.pasword = \"hunter2\"",
        "[kafka]\nsasl.password = \"hunter2\"\ngroup.id = \"x\"",
        "[kafka]\ngroup.id = \"x\"\nsasl.password = \"hunter2\"",
        "[kafka]\nsasl.password = [\"hunter2\"]",
        "[kafka]\nsasl.password = hunter2",
        "[kafka]\nsasl.password = \"hunter2",
        "[kafka]\nsasl.password = \"\"\"\nhunter2",
        "[kafka]\nsasl.password = \"${hunter2\"",
        "[kafka]\nsasl.password = \"hunter2\\u0000\"",
        "[kafka]\nsasl.password = \"hunter2\"\nsasl.password = \"hunter2\"",
        "[kafka]\nsecurity.protocol = \"hunter2\"",
        "[kafka]\nlinger.ms = \"hunter2\"",
        "[kafka]\ntransaction.timeout.ms = \"hunter2\"",
        "[kafka]\nsecurity.protocol = \"ssl\"\nssl.key.pem = \"hunter2\"",
        "[kafka]\nsecurity.protocol = \"ssl\"\nssl.ca.location = \"nowhere\"\nssl.key.password = \"hunter2\"",
        "[kafka]\nsecurity.protocol = \"sasl_plaintext\"\nsasl.mechanism = \"GUESS\"\nsasl.password = \"hunter2\"",
        "[kafak]\nsasl.password = \"hunter2\"",
        "kafka = \"hunter2\"",
        "kafka.sasl.password = 'hunter2'\nx = 1",
        "sasl.password = \"hunter2\"",
    ];
    for kafka in files {
        place.write("pass.toml", pipeline(kafka));
        for words in [
            "check pass.toml",
            "topology pass.toml --format json",
            "run pass.toml --kafka 127.0.0.1:1",
            "replay pass.toml",
        ] {
            let (code, output) = told(place.command(words));
            assert_eq!(code, Some(1), "{words}: {kafka}: {output}");
            assert!(!output.contains(SECRET), "{words}: {kafka}: {output}");
        }
    }
}

#[test]
fn no_error_about_a_command_line_prints_a_password() {
    let place = Place::new();
    place.write("pass.toml", pipeline(""));
    place.write("binary", b"hunter2\xff");
    for words in [
        "check pass.toml --set kafka.sasl.pasword=hunter2",
        "check pass.toml --set kafka.linger.ms=hunter2",
        "check pass.toml --set kafka.group.id=hunter2",
        "check pass.toml --set kafka.sasl.password:hunter2",
        "check pass.toml --set kafka.sasl.password hunter2",
        "check pass.toml --set kafak.sasl.password=hunter2",
        "check pass.toml --set sasl.password=hunter2",
        "check pass.toml --set kafka..password=hunter2",
        "check pass.toml --set-file kafka.sasl.password=binary",
        "check pass.toml --set-file kafka.sasl.pasword=pass.toml",
        "check pass.toml sasl.password=hunter2",
        "run pass.toml --kafka-set=sasl.password=hunter2",
        "run pass.toml --kafka-set sasl.password=hunter2",
        "run pass.toml --kafka.sasl.password=hunter2",
        "run pass.toml --commit-interval=hunter2",
        "run pass.toml --sett=kafka.sasl.password=hunter2",
        "topic list --kafka 127.0.0.1:1 --kafka-set sasl.pasword=hunter2",
        "topic list --kafka 127.0.0.1:1 --kafka-set sasl.password:hunter2",
        "topic list --kafka 127.0.0.1:1 --kafka-set security.protocol=hunter2",
        "topic list --kafka 127.0.0.1:1 sasl.password=hunter2",
        "topic list --data nowhere --kafka-set sasl.password=hunter2",
        "topic list --kafka 127.0.0.1:1 --kafka-set security.protocol=sasl_plaintext --kafka-set sasl.mechanism=PLAIN \
         --kafka-set sasl.username=hunter2 --kafka-set sasl.password=hunter2 --kafka-set debug=all",
        "reset pass --kafka 127.0.0.1:1 --kafka-set sasl.pasword=hunter2",
        "demo --kafka-set sasl.password=hunter2",
    ] {
        let (code, output) = told(place.command(words));
        assert!(code != Some(0), "{words}: {output}");
        assert!(!output.contains(SECRET), "{words}: {output}");
    }
}

#[test]
fn a_process_that_waits_for_its_cluster_logs_no_password_at_any_level() {
    let place = Place::new();
    let kafka = "[kafka]\nsecurity.protocol = \"sasl_plaintext\"\nsasl.mechanism = \"PLAIN\"\nsasl.username = \"alice\"\n\
                 sasl.password = \"${PASSWORD}\"\ndebug = \"all\"";
    place.write("pass.toml", pipeline(kafka));
    let mut command =
        place.command("run pass.toml --data data --kafka 127.0.0.1:1 --set kafka.ssl.key.password=hunter2");
    command.env("MILLRACE_LOG", "trace").env("PASSWORD", SECRET);
    let mut run = Running::start(command);
    let said = run.wait_for("that it waits", |line| line.contains("waiting"));
    run.tell_to_stop();
    let rest = run.rest();
    assert_eq!(run.wait().code(), Some(0));
    assert!(!said.iter().chain(&rest).any(|line| line.contains(SECRET)), "{said:?} {rest:?}");
}

#[test]
fn the_message_for_a_misspelt_setting_has_its_place_and_the_nearest_name() {
    let place = Place::new();
    place.write("pass.toml", pipeline("[kafka]\nsasl.pasword = \"hunter2\"\nsecurity.protocol = \"tls\""));
    assert_snapshot!(place.millrace("check pass.toml --set kafka.lingr.ms=5").bad(), @"
    exit 1: pass.toml:4:6: librdkafka has no setting `sasl.pasword`; did you mean `sasl.password`?
      help: its settings are listed at https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md
    pass.toml:5:10: the setting `security.protocol` can't have this value
      help: it takes plaintext | ssl | sasl_plaintext | sasl_ssl
    --set kafka.lingr.ms: librdkafka has no setting `lingr.ms`; did you mean `linger.ms`?
      help: its settings are listed at https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md
    ");
    let run = place.millrace("run pass.toml --kafka 127.0.0.1:1 --set kafka.lingr.ms=5").bad();
    assert_eq!(run, place.millrace("check pass.toml --set kafka.lingr.ms=5").bad());
}

#[test]
fn a_missing_certificate_file_is_refused_before_a_broker_is_contacted() {
    let place = Place::new();
    place.write("pass.toml", pipeline("[kafka]\nsecurity.protocol = \"ssl\"\nssl.ca.location = \"nowhere.pem\""));
    assert_snapshot!(place.millrace("run pass.toml --kafka 127.0.0.1:1").bad(), @"
    exit 1: pass.toml:5:8: `ssl.ca.location`: nowhere.pem: can't be read: No such file or directory (os error 2)
      help: give the path of a file or folder that this process can read; it starts at the current folder
    ");
    let list =
        "topic list --kafka 127.0.0.1:1 --kafka-set security.protocol=ssl --kafka-set ssl.ca.location=nowhere.pem";
    assert_snapshot!(place.millrace(list).bad(), @"
    exit 1: error: `ssl.ca.location`: nowhere.pem: can't be read: No such file or directory (os error 2)
      help: give the path of a file or folder that this process can read; it starts at the current folder
    ");
}

#[test]
fn the_message_for_a_missing_variable_or_a_binary_file_has_its_name() {
    let place = Place::new();
    place.write("pass.toml", pipeline("[kafka]\nsasl.password = \"${NO_SUCH_VARIABLE}\""));
    place.write("binary", b"\xff\xfe");
    assert_snapshot!(place.millrace("check pass.toml").bad(), @"
    exit 1: pass.toml:4:6: `sasl.password` of [kafka]: the environment variable `NO_SUCH_VARIABLE` isn't set
      help: set it; or write `$${NO_SUCH_VARIABLE}` for the text itself
    ");
    assert_snapshot!(place.millrace("check pass.toml --set-file kafka.sasl.password=nowhere").bad(), @"exit 1: error: the value of `kafka.sasl.password`: nowhere: can't be read: No such file or directory (os error 2)");
    assert_snapshot!(place.millrace("check pass.toml --set-file kafka.sasl.password=binary").bad(), @"exit 1: error: the value of `kafka.sasl.password`: binary: not UTF-8: the file must hold the text and nothing else");
    place.write("secret", "hunter2\n");
    assert_eq!(place.millrace("check pass.toml --set-file kafka.sasl.password=secret").good(), "");
}
