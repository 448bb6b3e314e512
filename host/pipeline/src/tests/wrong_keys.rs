//! Unknown, misplaced and missing keys and tables of a file.

use super::*;

#[test]
fn the_diagnostic_of_an_unknown_key_names_the_nearest_key() {
    let body = r#"
        [[source]]
        name = "payments"
        topik = "payment-orders"
        keys = "i64"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:3:1: [[source]] `payments` has no `topic`
      help: say what it reads: topic = "payment-orders"
    a.toml:5:1: unknown key `topik` in [[source]] `payments`; did you mean `topic`?
      help: it can have `name`, `topic`, `key`, `value`, `partitions`, `timestamp`, `on-bad-time`, `max-ahead`, `on-ahead`, `validate`, `on-error`, `on-null-key`, `dlq` and `retry`
    a.toml:6:1: unknown key `keys` in [[source]] `payments`; did you mean `key`?
      help: it can have `name`, `topic`, `key`, `value`, `partitions`, `timestamp`, `on-bad-time`, `max-ahead`, `on-ahead`, `validate`, `on-error`, `on-null-key`, `dlq` and `retry`
    "#);
}

#[test]
fn the_diagnostic_of_an_unknown_table_names_the_nearest_table() {
    let body = r#"
        treads = 2
        [[sorce]]
        name = "payments"
        [plugin.p]
        component = "p.wasm"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:3:1: unknown key `treads`; did you mean `threads`?
      help: app-wide keys are app, dlq, commit-interval, threads, on-worker-failure, deploy-on-start, flood-guard, breaker, limits, kafka, plugins; steps are source, table, global-table, transform, merge, join, lookup, table-join, aggregate, process, dedup, sink
    a.toml:4:3: unknown key `sorce`; did you mean `source`?
      help: app-wide keys are app, dlq, commit-interval, threads, on-worker-failure, deploy-on-start, flood-guard, breaker, limits, kafka, plugins; steps are source, table, global-table, transform, merge, join, lookup, table-join, aggregate, process, dedup, sink
    a.toml:6:2: unknown key `plugin`; did you mean `plugins`?
      help: app-wide keys are app, dlq, commit-interval, threads, on-worker-failure, deploy-on-start, flood-guard, breaker, limits, kafka, plugins; steps are source, table, global-table, transform, merge, join, lookup, table-join, aggregate, process, dedup, sink
    ");
}

#[test]
fn the_diagnostic_of_a_step_with_one_bracket_asks_for_two() {
    let body = r#"
        [source]
        name = "payments"
        topic = "payment-orders"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:3:1: `source` must be a list of tables, not a table
      help: write [[source]] with two brackets
    ");
}

#[test]
fn the_diagnostic_of_a_step_that_is_no_table_shows_its_header() {
    let body = r#"
        source = ["payments"]
        sink = 5
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:3:11: `source` must be a list of tables, not of a string
      help: write [[source]] with two brackets
    a.toml:4:8: `sink` must be a list of tables, not an integer
      help: write [[sink]] with two brackets
    ");
}

#[test]
fn a_step_without_a_required_key_is_refused() {
    let body = r#"
        [[source]]
        [[table]]
        name = "rows"
        [[join]]
        name = "resolve"
        [[lookup]]
        name = "found"
        [[dedup]]
        name = "once"
        [[sink]]
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:3:1: [[source]] has no `name`
      help: give it a name, for other steps to refer to
    a.toml:3:1: [[source]] has no `topic`
      help: say what it reads: topic = "payment-orders"
    a.toml:4:1: [[table]] `rows` has no `topic`
      help: a table is kept of a topic (topic = "...", key = "...") or of a step (from = "...")
    a.toml:6:1: [[join]] `resolve` has no `call`
      help: name a function of a plugin: call = "plugin.function"
    a.toml:6:1: [[join]] `resolve` has no `left`
      help: name a step, or one of its ports: "step" or "step.port"
    a.toml:6:1: [[join]] `resolve` has no `right`
      help: name a step, or one of its ports: "step" or "step.port"
    a.toml:6:1: [[join]] `resolve` has no `within`
      help: say within = "10s" for both directions, or before = "10s" and after = "0s"
    a.toml:8:1: [[lookup]] `found` has no `call`
      help: name a function of a plugin: call = "plugin.function"
    a.toml:8:1: [[lookup]] `found` has no `stream`
      help: name a step, or one of its ports: "step" or "step.port"
    a.toml:8:1: [[lookup]] `found` has no `table`
      help: name a step, or one of its ports: "step" or "step.port"
    a.toml:10:1: [[dedup]] `once` has no `by`
      help: list headers and fields, the first that is there counts: by = ["header:NAME", "field:NAME"]
    a.toml:10:1: [[dedup]] `once` has no `from`
      help: name a step, or one of its ports: "step" or "step.port"
    a.toml:10:1: [[dedup]] `once` has no `within`
      help: say how long a duplicate is known as one: within = "1d"
    a.toml:12:1: [[sink]] has no `from`
      help: name a step, or one of its ports: "step" or "step.port"
    a.toml:12:1: [[sink]] has no `topic`
      help: say what it writes: topic = "orders"
    "#);
}

#[test]
fn a_join_with_two_forms_of_bounds_is_refused() {
    let body = r#"
        [[join]]
        name = "both"
        left = "a"
        right = "b"
        within = "10s"
        before = "5s"
        call = "p.pair"
        [[join]]
        name = "half"
        left = "a"
        right = "b"
        after = "5s"
        call = "p.pair"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:3:1: [[join]] `both` has `within` and also `before` or `after`
      help: say within = "10s" for both directions, or before = "10s" and after = "0s"
    a.toml:5:8: [[join]] `both` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:6:9: [[join]] `both` reads from the unknown step `b`
      help: name a source, a table or a step of the app
    a.toml:10:1: [[join]] `half` has no `before`
      help: say within = "10s" for both directions, or before = "10s" and after = "0s"
    a.toml:12:8: [[join]] `half` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:13:9: [[join]] `half` reads from the unknown step `b`
      help: name a source, a table or a step of the app
    "#);
}

#[test]
fn a_table_of_both_a_topic_and_a_step_is_refused() {
    let body = r#"
        [[table]]
        name = "rows"
        topic = "t"
        from = "a"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:6:8: from of [[table]] `rows`: there is a `topic` too
      help: a table is kept of a topic (topic = "...", key = "...") or of a step (from = "...")
    "#);
}

#[test]
fn a_window_of_two_kinds_is_refused() {
    let body = r#"
        [[aggregate]]
        name = "two"
        from = "a"
        call = "p.sum"
        window = { tumbling = "5m", sliding = "5m" }
        [[aggregate]]
        name = "none"
        from = "a"
        call = "p.sum"
        window = {}
        [[aggregate]]
        name = "half"
        from = "a"
        call = "p.sum"
        window = { hopping = "5m" }
        [[aggregate]]
        name = "more"
        from = "a"
        call = "p.sum"
        window = { session = "5m", every = "1m" }
        [[aggregate]]
        name = "odd"
        from = "a"
        call = "p.sum"
        window = { tumblin = "5m" }
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:5:8: [[aggregate]] `two` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:7:10: window of [[aggregate]] `two` must name one kind of window, not 2
      help: write { tumbling = "5m" }, { hopping = "5m", every = "1m" }, { sliding = "5m" } or { session = "30m" }
    a.toml:10:8: [[aggregate]] `none` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:12:10: window of [[aggregate]] `none` must name one kind of window, not 0
      help: write { tumbling = "5m" }, { hopping = "5m", every = "1m" }, { sliding = "5m" } or { session = "30m" }
    a.toml:15:8: [[aggregate]] `half` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:17:10: window of [[aggregate]] `half` has no `every`
      help: write { tumbling = "5m" }, { hopping = "5m", every = "1m" }, { sliding = "5m" } or { session = "30m" }
    a.toml:20:8: [[aggregate]] `more` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:21:8: [[aggregate]] `more` has sessions, and `p.sum` can't merge the states of two
      help: give the function a `merge`, or take windows of another kind
    a.toml:22:36: every of window of [[aggregate]] `more`: only hopping windows have it
      help: write { tumbling = "5m" }, { hopping = "5m", every = "1m" }, { sliding = "5m" } or { session = "30m" }
    a.toml:25:8: [[aggregate]] `odd` reads from the unknown step `a`
      help: name a source, a table or a step of the app
    a.toml:27:12: unknown key `tumblin` in window of [[aggregate]] `odd`; did you mean `tumbling`?
      help: it can have `tumbling`, `hopping`, `sliding`, `session` and `every`
    "#);
}

#[test]
fn a_kafka_setting_of_the_hosts_own_is_refused_with_the_reason() {
    let body = r#"
        [kafka]
        bootstrap.servers = "localhost:9092"
        group.id = "mine"
        "isolation.level" = "read_uncommitted"
        fetch.min.bytes = [1]
        client.id = "me"
        client.rack = "here"
        allow.auto.create.topics = true
        group.instance.id = "one"
    "#;
    insta::assert_snapshot!(errors(body), @"
    a.toml:4:11: `bootstrap.servers` of [kafka] is the host's to set
      help: it is given on the command line: --kafka BOOTSTRAP
    a.toml:5:7: `group.id` of [kafka] is the host's to set
      help: the consumer group is the app's name
    a.toml:6:1: `isolation.level` of [kafka] is the host's to set
      help: exactly once needs read_committed
    a.toml:7:11: `fetch.min.bytes` of [kafka] must be a string, number or boolean, not a list
      help: librdkafka takes a list as a string with commas
    a.toml:8:8: `client.id` of [kafka] is the host's to set
      help: the host makes it of the app's name and the instance's
    a.toml:9:8: `client.rack` of [kafka] is the host's to set
      help: assigning partitions by racks would part those that joins need together
    a.toml:10:19: `allow.auto.create.topics` of [kafka] is the host's to set
      help: a topic that a broker makes has the broker's number of partitions, and not the right one
    a.toml:11:16: `group.instance.id` of [kafka] is the host's to set
      help: each instance needs its own, and they all read this file
    ");
}

#[test]
fn a_kafka_setting_of_the_hosts_own_is_refused_under_its_other_name() {
    let body = r#"
        [kafka]
        metadata.broker.list = "localhost:9092"
        request.required.acks = 1
        auto.commit.enable = true
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:4:17: `metadata.broker.list` of [kafka] is the host's to set
      help: it is given on the command line: --kafka BOOTSTRAP
    a.toml:5:18: `request.required.acks` of [kafka] is the host's to set
      help: exactly once needs all of them
    a.toml:6:13: `auto.commit.enable` of [kafka] is the host's to set
      help: offsets are committed with the transaction
    ");
}

#[test]
fn other_kafka_settings_are_accepted() {
    let body = r#"
        [kafka]
        transaction.timeout.ms = 20000
        message.max.bytes = 2097152
        queued.max.messages.kbytes = 1024
        session.timeout.ms = 10000
        "sasl.username" = "orders"
        [[source]]
        name = "a"
        topic = "in"
        [[sink]]
        from = "a"
        topic = "out"
    "#;
    let settings = topology_of(&[file(body)], &[]).kafka;
    let settings: Vec<_> = settings.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect();
    insta::assert_snapshot!(settings.join("\n"), @r"
    transaction.timeout.ms=20000
    message.max.bytes=2097152
    queued.max.messages.kbytes=1024
    session.timeout.ms=10000
    sasl.username=orders
    ");
}

/// The mistakes in steps after a merge of two sources, one with string keys, one with i64 keys.
fn mixed(rest: &str) -> String {
    let sources = "
        [[source]]
        name = 'a'
        topic = 'a-in'
        key = 'string'
        [[source]]
        name = 'b'
        topic = 'b-in'
        key = 'i64'
        [[merge]]
        name = 'm'
        from = ['a', 'b']
    ";
    errors(&format!("{sources}{rest}"))
}

#[test]
fn a_step_with_state_refuses_inputs_with_keys_of_two_types() {
    let aggregate = "
        [plugins.p]
        component = 'p.wasm'
        [[aggregate]]
        name = 'g'
        from = 'm'
        call = 'p.sum'
        [[sink]]
        from = 'g'
        topic = 'out'
    ";
    insta::assert_snapshot!(mixed(aggregate), @"
    a.toml:19:8: the keys that [[aggregate]] `g` reads are string where they come from `a`, and i64 where they come from `b`
      help: give the sources the same `key`, or make keys of one type in a [[transform]] before
    ");
    let behind = "
        [plugins.p]
        component = 'p.wasm'
        [[transform]]
        name = 't'
        from = ['m']
        call = 'p.check'
        [[dedup]]
        name = 'd'
        from = 't'
        by = ['field:id']
        within = '1d'
        [[aggregate]]
        name = 'g'
        from = 'd'
        call = 'p.sum'
        [[sink]]
        from = 'g'
        topic = 'out'
    ";
    insta::assert_snapshot!(mixed(behind), @"
    a.toml:28:8: the keys that [[aggregate]] `g` reads are string where they come from `a`, and i64 where they come from `b`
      help: give the sources the same `key`, or make keys of one type in a [[transform]] before
    ");
    let join = "
        [plugins.p]
        component = 'p.wasm'
        [[source]]
        name = 'c'
        topic = 'c-in'
        key = 'i64'
        [[join]]
        name = 'j'
        left = 'm'
        right = 'c'
        within = '1m'
        call = 'p.pair'
        [[sink]]
        from = 'j'
        topic = 'out'
    ";
    insta::assert_snapshot!(mixed(join), @"
    a.toml:23:8: the keys that [[join]] `j` reads are string where they come from `a`, and i64 where they come from `b`
      help: give the sources the same `key`, or make keys of one type in a [[transform]] before
    ");
    let table = "
        [[table]]
        name = 'rows'
        from = 'm'
        [[sink]]
        from = 'rows'
        topic = 'out'
    ";
    insta::assert_snapshot!(mixed(table), @"
    a.toml:17:8: the keys that [[table]] `rows` reads are string where they come from `a`, and i64 where they come from `b`
      help: give the sources the same `key`, or make keys of one type in a [[transform]] before
    ");
    let back = "
        [[sink]]
        from = 'm'
        topic = 'round'
        [[source]]
        name = 'again'
        topic = 'round'
        key = 'i64'
        [[sink]]
        from = 'again'
        topic = 'out'
    ";
    insta::assert_snapshot!(mixed(back), @"
    a.toml:19:8: [[source]] `again` reads i64 keys from `round`, and a [[sink]] writes string and i64 keys there
      help: give the sources of the sink the same `key`
    ");
}

#[test]
fn a_step_without_state_accepts_inputs_with_keys_of_two_types() {
    let sink = "
        [[sink]]
        from = 'm'
        topic = 'out'
    ";
    insta::assert_snapshot!(mixed(sink), @"
    nothing is wrong:
    app a

    sub-topology 0
      source a: topic a-in; string keys, json values
        -> merge m
      source b: topic b-in; i64 keys, json values
        -> merge m
      merge m
        -> sink sink-out
      sink sink-out: topic out
      dead letters: a-dlq
    ");
}

#[test]
fn a_step_with_state_accepts_keys_of_bytes_together_with_others() {
    let body = "
        [plugins.p]
        component = 'p.wasm'
        [[source]]
        name = 'a'
        topic = 'a-in'
        [[source]]
        name = 'b'
        topic = 'b-in'
        key = 'string'
        [[merge]]
        name = 'm'
        from = ['a', 'b']
        [[aggregate]]
        name = 'g'
        from = 'm'
        call = 'p.sum'
        [[sink]]
        from = 'g'
        topic = 'out'
    ";
    assert!(errors(body).starts_with("nothing is wrong"), "{}", errors(body));
}
