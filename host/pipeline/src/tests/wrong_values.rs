//! Values of a wrong type, and words, times and numbers that mean nothing.

use super::*;

#[test]
fn the_diagnostic_of_a_value_of_the_wrong_type_names_both_types() {
    let body = r#"
        threads = "two"
        dlq = true
        limits = 5
        [[source]]
        name = 5
        topic = ["t"]
        partitions = 2.5
        [[transform]]
        name = "check"
        from = 3
        call = { p = "check" }
        [[merge]]
        name = "all"
        from = "check"
        [[transform]]
        name = "more"
        from = ["check", 7]
        call = "p.check"
        retry = "often"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:3:11: threads of the app must be an integer, not a string
      help: it can be from 1 to 1024
    a.toml:4:7: dlq of the app must be a string, not a boolean
      help: write dlq = "..."
    a.toml:5:10: limits of the app must be a table, not an integer
      help: write limits = { deadline = "1s", memory = "64MiB" }, or a table of its own
    a.toml:7:8: name of [[source]] must be a string, not an integer
      help: write name = "..."
    a.toml:8:9: topic of [[source]] must be a string, not a list
      help: write topic = "..."
    a.toml:9:14: partitions of [[source]] must be an integer, not a float
      help: it can be from 1 to 100000
    a.toml:12:8: from of [[transform]] `check` must be a string or a list of strings, not an integer
      help: write from = "...", or from = ["...", "..."]
    a.toml:13:8: call of [[transform]] `check` must be a string, not a table
      help: write call = "..."
    a.toml:16:8: from of [[merge]] `all` must be a list of strings, not a string
      help: write from = ["...", "..."]
    a.toml:19:18: from of [[transform]] `more` must be a string or a list of strings, not an integer
      help: write from = "...", or from = ["...", "..."]
    a.toml:21:9: `retry` of [[transform]] `more`: not yet
      help: leave it out: what fails is dead-lettered at once
    "#);
}

#[test]
fn a_duration_without_number_or_unit_is_refused() {
    let body = r#"
        commit-interval = "0s"
        [[join]]
        name = "one"
        left = "a"
        right = "b"
        within = "10"
        grace = "1 min"
        call = "p.pair"
        [[join]]
        name = "other"
        left = "a"
        right = "b"
        before = "soon"
        after = "200000d"
        call = "p.pair"
        [[join]]
        name = "third"
        left = "a"
        right = "b"
        within = 10
        grace = "99999999999999999999s"
        call = "p.pair"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:3:19: commit-interval of the app: it can't be zero
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    a.toml:6:8: [[join]] `one` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:7:9: [[join]] `one` reads from the unknown step `b`
      help: name a source, a table or a step of the app
    a.toml:8:10: within of [[join]] `one`: `10` has no unit
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    a.toml:9:9: grace of [[join]] `one`: `1 min` is not a duration: there is no unit ` min`
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    a.toml:13:8: [[join]] `other` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:14:9: [[join]] `other` reads from the unknown step `b`
      help: name a source, a table or a step of the app
    a.toml:15:10: before of [[join]] `other`: `soon` is not a duration
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    a.toml:16:9: after of [[join]] `other`: `200000d` is longer than 100 years
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    a.toml:20:8: [[join]] `third` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:21:9: [[join]] `third` reads from the unknown step `b`
      help: name a source, a table or a step of the app
    a.toml:22:10: within of [[join]] `third` must be a string, not an integer
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    a.toml:23:9: grace of [[join]] `third`: `99999999999999999999s` is longer than 100 years
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    "#);
}

#[test]
fn the_diagnostic_of_an_unknown_word_lists_the_known_ones() {
    let body = r#"
        [[source]]
        name = "payments"
        topic = "payment-orders"
        key = "int64"
        value = "jsn"
        on-error = "drop"
        on-null-key = "skip"
        on-late = "ignore"
        timestamp = "field:"
        [[join]]
        name = "resolve"
        left = "payments"
        right = "payments"
        kind = "iner"
        within = "10s"
        call = "p.pair"
        [[sink]]
        from = "resolve"
        topic = "orders"
        key = "window"
        [[aggregate]]
        name = "sum"
        from = "payments"
        call = "p.sum"
        emit = "last"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:6:7: key of [[source]] `payments`: `int64` is not known; did you mean `i64`?
      help: it can be `bytes`, `string` or `i64`
    a.toml:7:9: value of [[source]] `payments`: `jsn` is not known; did you mean `json`?
      help: it can be `json` or `bytes`
    a.toml:8:12: on-error of [[source]] `payments`: `drop` is not known
      help: it can be `dead-letter`, `skip` or `fail`
    a.toml:9:15: on-null-key of [[source]] `payments`: `skip` is not known
      help: it can be `drop` or `dead-letter`
    a.toml:10:1: on-late of [[source]] `payments`: no record is late for it
      help: leave it out: it is for [[join]], [[dedup]] and [[aggregate]] with a window
    a.toml:11:13: timestamp of [[source]] `payments`: `field:` is not known
      help: it can be "record" or "field:NAME"
    a.toml:16:8: kind of [[join]] `resolve`: `iner` is not known; did you mean `inner`?
      help: it can be `inner`, `left` or `outer`
    a.toml:22:7: key of [[sink]] to `orders`: `window` is not known; did you mean `windowed`?
      help: it can be `plain` or `windowed`
    a.toml:27:8: emit of [[aggregate]] `sum`: `last` is not known
      help: it can be `each`, `commit` or `final`
    "#);
}

#[test]
fn a_name_or_topic_with_a_forbidden_character_is_refused() {
    let body = r#"
        [[source]]
        name = "a.b"
        topic = "payment orders"
        [[source]]
        name = ""
        topic = ".."
        [[merge]]
        name = "all"
        from = ["a b", "c.", ".d"]
        [plugins."order status"]
        component = "p.wasm"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:4:8: name of [[source]] `a.b`: '.' can't be in a name
      help: names are made of the letters a to z, digits, `-` and `_`
    a.toml:5:9: topic of [[source]] `a.b`: ' ' can't be in the name of a topic
      help: Kafka takes the letters a to z, digits, `.`, `-` and `_`
    a.toml:7:8: name of [[source]]: a name can't be empty
      help: names are made of the letters a to z, digits, `-` and `_`
    a.toml:8:9: topic of [[source]]: `..` can't be the name of a topic
      help: Kafka takes the letters a to z, digits, `.`, `-` and `_`
    a.toml:11:9: from of [[merge]] `all`: `a b` is neither a step nor step.port
      help: name a step, or one of its ports: "step" or "step.port"
    a.toml:11:16: from of [[merge]] `all`: `c.` is neither a step nor step.port
      help: name a step, or one of its ports: "step" or "step.port"
    a.toml:11:22: from of [[merge]] `all`: `.d` is neither a step nor step.port
      help: name a step, or one of its ports: "step" or "step.port"
    a.toml:12:10: ' ' can't be in a name
      help: names are made of the letters a to z, digits, `-` and `_`
    a.toml:13:13: the plugin `order status` was not loaded
    "#);
}

#[test]
fn a_number_or_size_out_of_range_is_refused() {
    let body = r#"
        threads = 0
        breaker = { failures = 50, calls = 0, pause = "0s", open = 1 }
        limits = { memory = "64MB", outputs = 0, deadline = "0s", output-bytes = -1, state-bytes = 0 }
        [[transform]]
        name = "check"
        from = "a"
        call = "p.check"
        retry = { attempts = 0, delay = "1s", factor = 0.5 }
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:3:11: threads of the app: 0 is out of range
      help: it can be from 1 to 1024
    a.toml:4:11: `breaker`: not yet
      help: leave it out: failures are dead-lettered one by one
    a.toml:4:24: failures of breaker of the app: 50 is out of range
      help: it can be from 0 to 1
    a.toml:4:36: calls of breaker of the app: 0 is out of range
      help: it can be from 1 to 1000000
    a.toml:4:47: pause of breaker of the app: it can't be zero
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    a.toml:4:53: unknown key `open` in breaker of the app
      help: it can have `failures`, `calls` and `pause`
    a.toml:5:21: memory of limits of the app: `64MB` is not a size: there is no unit `MB`
      help: write a number of bytes, or a whole number and a unit: "512KiB", "64MiB", "1GiB"
    a.toml:5:39: outputs of limits of the app: 0 is out of range
      help: it can be from 1 to 4294967295
    a.toml:5:53: deadline of limits of the app: it can't be zero
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    a.toml:5:74: output-bytes of limits of the app: -1 is not a size
      help: write a number of bytes, or a whole number and a unit: "512KiB", "64MiB", "1GiB"
    a.toml:5:92: state-bytes of limits of the app: it can't be zero
      help: write a number of bytes, or a whole number and a unit: "512KiB", "64MiB", "1GiB"
    a.toml:8:8: [[transform]] `check` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:10:9: `retry` of [[transform]] `check`: not yet
      help: leave it out: what fails is dead-lettered at once
    a.toml:10:22: attempts of retry of [[transform]] `check`: 0 is out of range
      help: it can be from 1 to 1000000
    a.toml:10:48: factor of retry of [[transform]] `check`: 0.5 is out of range
      help: it can be from 1 to 1000
    "#);
}

#[test]
fn a_config_that_json_can_not_express_is_refused() {
    let body = r#"
        plugins.third = 5
        [plugins.one]
        component = "one.wasm"
        config = "fast"
        [plugins.other]
        config = { limit = nan }
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:3:17: [plugins.third] must be a table, not an integer
      help: write [plugins.NAME], and below it component = "plugin.wasm"
    a.toml:5:13: the plugin `one` was not loaded
    a.toml:6:10: config of [plugins.one] must be a table, not a string
      help: write config = { KEY = VALUE }
    a.toml:7:1: [plugins.other] has no `component`
      help: give its path: component = "plugin.wasm"
    a.toml:8:10: config of [plugins.other]: `nan` and `inf` have no form in JSON
      help: leave the key out
    "#);
}

#[test]
fn duplicates_are_identified_by_headers_or_fields() {
    let body = r#"
        [[dedup]]
        name = "once"
        from = "a"
        by = ["eventId", "header:", "field:eventId"]
        within = "1d"
        [[dedup]]
        name = "never"
        from = "a"
        by = []
        within = "1d"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:5:8: [[dedup]] `once` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:6:7: by of [[dedup]] `once`: `eventId` is neither
      help: list headers and fields, the first that is there counts: by = ["header:NAME", "field:NAME"]
    a.toml:6:18: by of [[dedup]] `once`: `header:` is neither
      help: list headers and fields, the first that is there counts: by = ["header:NAME", "field:NAME"]
    a.toml:10:8: [[dedup]] `never` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:11:6: by of [[dedup]] `never` is empty
      help: write by = ["...", "..."]
    "#);
}

#[test]
fn a_step_that_from_names_twice_is_refused() {
    let body = r#"
        [[merge]]
        name = "all"
        from = ["a", "b", "a"]
        [[transform]]
        name = "none"
        from = []
        call = "p.check"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:5:9: [[merge]] `all` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:5:14: [[merge]] `all` reads from the unknown step `b`
      help: name a source, a table or a step of the app
    a.toml:5:19: from of [[merge]] `all`: `a` is named twice
      help: name it once
    a.toml:8:8: from of [[transform]] `none` is empty
      help: write from = "...", or from = ["...", "..."]
    "#);
}

#[test]
fn a_call_without_plugin_or_function_is_refused() {
    let body = r#"
        [[transform]]
        name = "check"
        from = "a"
        call = "check"
        [[source]]
        name = "a"
        topic = "t"
        validate = "p."
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:6:8: call of [[transform]] `check`: `check` is not plugin.function
      help: name a function of a plugin: call = "plugin.function"
    a.toml:10:12: validate of [[source]] `a`: `p.` is not plugin.function
      help: name a function of a plugin: call = "plugin.function"
    "#);
}

#[test]
fn on_worker_failure_is_one_of_two_words() {
    insta::assert_snapshot!(errors("\non-worker-failure = \"restart\"\n"), @r"
    a.toml:3:21: on-worker-failure of the app: `restart` is not known
      help: it can be `replace` or `stop`
    ");
}
