//! Settings of the client: text from the command line, variables in files, and values that are never shown.

use super::*;
use millrace_engine::secret::Secret;

const PASS: &str = "
    [[source]]
    name = \"a\"
    topic = \"in\"
    [[sink]]
    from = \"a\"
    topic = \"out\"
";

/// What a pipeline with these lines under `[kafka]` and these overrides passes on.
fn settings(kafka: &str, overrides: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
    let variable = |name: &str| match name {
        "PASSWORD" => Ok("hunter2${X}".to_owned()),
        _ => Err("isn't set".to_owned()),
    };
    let overrides = overridden(overrides);
    let given = Given { overrides: &overrides, variable: &variable };
    let pipeline = parse(&[file(&format!("\n[kafka]\n{kafka}\n{PASS}"))], &given).map_err(|wrong| show(&wrong))?;
    let exposed = |(name, value): (String, Secret)| (name, value.expose().to_owned());
    Ok(pipeline.kafka().into_iter().map(exposed).collect())
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_setting_from_the_command_line_is_text_byte_for_byte() {
    for value in [
        "1_000",
        "0x1F",
        "1e5",
        "12.50",
        "+7",
        "\"quoted\"",
        "'q'",
        "{}",
        "[1]",
        "12345678901234567890",
        "12:30:00",
        "2024-01-01",
        "true",
        " with blanks\t",
        "a=b",
        "${PASSWORD}",
        "$${",
        "",
    ] {
        let passed = settings("", &[("kafka.sasl.password", value)]);
        assert_eq!(passed, Ok(vec![pair("sasl.password", value)]), "{value}");
    }
}

#[test]
fn a_setting_that_a_file_has_twice_is_reported() {
    let said = settings("\"linger.ms\" = 5\nlinger.ms = 10", &[]).unwrap_err();
    assert!(said.contains("`linger.ms` of [kafka] is there twice"), "{said}");
    let passed = settings("linger.ms = 10", &[("kafka.linger.ms", "5")]);
    assert_eq!(passed, Ok(vec![pair("linger.ms", "5")]), "the command line counts");
}

#[test]
fn a_file_has_types_and_variables() {
    let kafka = "
        sasl.password = \"x${PASSWORD}$${PASSWORD}\"
        sasl.username = \"$alice\"
        linger.ms = 1_000
        log.connection.close = false
        socket.x = 0.5
    ";
    let passed = settings(kafka, &[]);
    assert_eq!(
        passed,
        Ok(vec![
            pair("sasl.password", "xhunter2${X}${PASSWORD}"),
            pair("sasl.username", "$alice"),
            pair("linger.ms", "1000"),
            pair("log.connection.close", "false"),
            pair("socket.x", "0.5"),
        ])
    );
}

#[test]
fn a_setting_of_the_command_line_replaces_that_of_the_file_in_any_form_even_a_wrong_one() {
    for kafka in ["sasl.password = \"${OTHER}\"", "\"sasl.password\" = [1]", "sasl = { password = \"x\" }"] {
        let passed = settings(kafka, &[("kafka.sasl.password", "b"), ("kafka.sasl.password", "c")]);
        assert_eq!(passed, Ok(vec![pair("sasl.password", "c")]), "{kafka}");
    }
}

#[test]
fn the_message_for_a_wrong_value_has_its_name_and_not_the_value() {
    let kafka = "
        a = \"${OTHER}\"
        b = \"hunter2${hunter2\"
        c = [\"hunter2\"]
        d = 2024-01-01
        e = 12345678901234567890
        f = \"hunter2\\u0000\"
        group.id = \"hunter2\"
        transaction.timeout.ms = \"hunter2\"
    ";
    insta::assert_snapshot!(settings(kafka, &[("kafka.batch.size", "hunter2")]).unwrap_err(), @"
    a.toml:5:1: `a` of [kafka]: the environment variable `OTHER` isn't set
      help: set it; or write `$${OTHER}` for the text itself
    a.toml:6:1: `b` of [kafka]: after `${` there is no name of an environment variable that ends with `}`
      help: write `${NAME}`, of letters, digits and `_`; or `$${` for the text `${`
    a.toml:7:1: `c` of [kafka] must be a string, number or boolean, not a list
      help: librdkafka takes a list as a string with commas
    a.toml:8:1: `d` of [kafka] must be a string, number or boolean, not a date or time
      help: librdkafka takes a list as a string with commas
    a.toml:9:5: this number is too big: integers have 64 bits
    a.toml:10:1: `f` of [kafka] has a null byte in it
      help: librdkafka takes text without null bytes
    a.toml:11:7: `group.id` of [kafka] is the host's to set
      help: the consumer group is the app's name
    a.toml:12:21: `transaction.timeout.ms` of [kafka] can't have this value
      help: it must be a whole number of milliseconds, such as 10000
    --set kafka.batch.size: `batch.size` of [kafka] can't have this value
      help: it must be a whole number of bytes, such as 1000000
    ");
}

#[test]
fn the_debug_form_of_a_pipeline_shows_no_secrets() {
    let text = format!("app = \"a\"\n[kafka]\nsasl.password = \"hunter2\"\n{PASS}");
    let files = [raw("a.toml", &text)];
    let overrides = overridden(&[("kafka.sasl.username", "hunter2"), ("kafka.sasl.mechanism", "hunter2")]);
    let given = Given { overrides: &overrides, ..Given::default() };
    let pipeline = read(&files, &given);
    let topology = build(&pipeline, &BTreeMap::new()).unwrap();
    let printed = format!("{files:?}{given:?}{pipeline:?}{topology:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
    for format in [Format::Text, Format::Mermaid, Format::Dot, Format::Json] {
        assert!(!render(&topology, format).contains("hunter2"));
    }
}
