//! Steps that are right one by one, and wrong together.

use super::*;

#[test]
fn a_topic_that_two_steps_read_is_refused() {
    let body = r#"
        [[source]]
        name = "payments"
        topic = "payment-orders"
        [[table]]
        name = "rows"
        topic = "payment-orders"
        [[sink]]
        from = "payments"
        topic = "copy"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:8:9: [[table]] `rows` reads the topic `payment-orders`, which `payments` reads already
      help: read it once, and name `payments` wherever its records are needed
    ");
}

#[test]
fn the_message_for_a_cycle_lists_all_its_steps() {
    let body = r#"
        [[source]]
        name = "a"
        topic = "t"
        [[merge]]
        name = "b"
        from = ["a", "d"]
        [[transform]]
        name = "c"
        from = "b"
        call = "p.check"
        [[transform]]
        name = "d"
        from = "c"
        call = "p.check"
        [[sink]]
        from = "d"
        topic = "out"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:7:8: a cycle: `b` -> `c` -> `d` -> `b`
      help: a record would go round for ever: let one of these read from somewhere else
    ");
}

#[test]
fn every_cycle_is_reported() {
    let body = r#"
        [[merge]]
        name = "self"
        from = ["self"]
        [[merge]]
        name = "one"
        from = ["two"]
        [[merge]]
        name = "two"
        from = ["one"]
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:4:8: a cycle: `self` -> `self`
      help: a record would go round for ever: let one of these read from somewhere else
    a.toml:7:8: a cycle: `one` -> `two` -> `one`
      help: a record would go round for ever: let one of these read from somewhere else
    ");
}

#[test]
fn the_message_for_a_cycle_through_a_topic_names_the_topic() {
    let body = r#"
        [[source]]
        name = "orders"
        topic = "orders"
        [[transform]]
        name = "check"
        from = "orders"
        call = "p.check"
        [[sink]]
        from = "check"
        topic = "orders"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:4:8: a cycle: `orders` -> `check` -> `sink-orders` -> topic `orders` -> `orders`
      help: a record would go round for ever: let one of these read from somewhere else
    ");
}

#[test]
fn dead_letters_that_would_return_are_reported_at_the_source() {
    let body = r#"
        [[source]]
        name = "dead"
        topic = "a-dlq"
        [[sink]]
        from = "dead"
        topic = "out"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:5:9: [[source]] `dead` reads `a-dlq`, the topic of the app's dead letters: what fails in `dead` would come back as input
      help: name another topic for dead letters, dlq = "NAME", or read this one in an app of its own
    "#);
}

#[test]
fn dead_letters_that_would_return_are_reported_at_the_dlq_that_names_their_topic() {
    let body = r#"
        dlq = "orders"
        [[source]]
        name = "orders"
        topic = "orders"
        [[transform]]
        name = "check"
        from = "orders"
        call = "p.check"
        [[sink]]
        from = "check"
        topic = "out"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:3:7: `orders` is for dead letters, and [[source]] `orders` reads it (a.toml:6): what fails in `orders` and `check` would come back as input
      help: give dead letters a topic that no step of this app reads, or leave `dlq` out: then it is "APP-dlq"
    "#);
}

#[test]
fn dead_letters_that_would_return_hide_no_other_cycle() {
    let body = r#"
        [[source]]
        name = "orders"
        topic = "orders"
        [[transform]]
        name = "check"
        from = "orders"
        call = "p.check"
        dlq = "orders"
        [[sink]]
        from = "check"
        topic = "orders"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:4:8: a cycle: `orders` -> `check` -> `sink-orders` -> topic `orders` -> `orders`
      help: a record would go round for ever: let one of these read from somewhere else
    a.toml:10:7: `orders` is for dead letters, and [[source]] `orders` reads it (a.toml:5): what fails in `check` would come back as input
      help: give dead letters a topic that no step of this app reads, or leave `dlq` out: then it is "APP-dlq"
    "#);
}

#[test]
fn a_cycle_through_a_table_is_reported() {
    let body = r#"
        [[table]]
        name = "profile"
        from = "better"
        [[source]]
        name = "views"
        topic = "views"
        [[lookup]]
        name = "better"
        stream = "views"
        table = "profile"
        call = "p.pair"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:4:8: a cycle: `profile` -> `better` -> `profile`
      help: a record would go round for ever: let one of these read from somewhere else
    ");
}

#[test]
fn a_function_that_cannot_read_the_keys_is_refused() {
    let body = r#"
        [[source]]
        name = "a"
        topic = "a"
        key = "string"
        validate = "p.texts"
        [[source]]
        name = "b"
        topic = "b"
        [[join]]
        name = "ab"
        left = "a"
        right = "a"
        within = "10s"
        call = "p.resolve"
        [[sink]]
        from = "ab"
        topic = "out"
        [[aggregate]]
        name = "sum"
        from = "b"
        call = "p.text"
        [[sink]]
        from = "sum"
        topic = "sums"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:16:8: `p.resolve` reads i64 keys, and those of `a` are string
      help: say key = "i64" at the source, or call another function
    a.toml:23:8: `p.text` reads string keys, and those of `b` are bytes
      help: say key = "string" at the source, or call another function
    "#);
}

#[test]
fn a_join_whose_sides_have_different_key_codecs_is_refused() {
    let body = r#"
        [[source]]
        name = "a"
        topic = "a"
        key = "string"
        [[source]]
        name = "b"
        topic = "b"
        key = "i64"
        [[table]]
        name = "c"
        topic = "c"
        [[join]]
        name = "ab"
        left = "a"
        right = "b"
        within = "10s"
        call = "p.pair"
        [[lookup]]
        name = "ac"
        stream = "a"
        table = "c"
        call = "p.pair"
        [[sink]]
        from = "ab"
        topic = "out"
        [[sink]]
        from = "ac"
        topic = "out"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:17:9: [[join]] `ab`: the keys of `a` are string, those of `b` are i64
      help: both sides must have the same `key` at their sources
    a.toml:22:10: [[lookup]] `ac`: the keys of `a` are string, those of `c` are bytes
      help: both sides must have the same `key` at their sources
    ");
}

#[test]
fn steps_and_plugins_that_nothing_reads_or_calls_are_reported() {
    let body = r#"
        [[source]]
        name = "payments"
        topic = "payment-orders"
        [[source]]
        name = "stock"
        topic = "stock-orders"
        [[transform]]
        name = "check"
        from = "stock"
        call = "p.check"
        [[aggregate]]
        name = "hidden"
        from = "stock"
        call = "p.sum"
        [[aggregate]]
        name = "shown"
        from = "stock"
        call = "p.shown"
        [plugins.spare]
        component = "spare.wasm"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:4:8: [[source]] `payments`: nothing reads it
      help: name it in a step or sink: from = "payments"; or take it out
    a.toml:10:8: [[transform]] `check`: nothing reads it
      help: name it in a step or sink: from = "check"; or take it out
    a.toml:14:8: [[aggregate]] `hidden`: nothing reads it
      help: write its results to a topic with a [[sink]], or keep them with a [[table]]: from = "hidden"; or take it out
    a.toml:18:8: [[aggregate]] `shown`: nothing reads it
      help: write its results to a topic with a [[sink]], or keep them with a [[table]]: from = "shown"; or take it out
    a.toml:21:10: [plugins.spare]: nothing calls it
      help: call = "spare.FUNCTION" in a step does; or take it out
    "#);
}

#[test]
fn a_join_whose_sides_have_different_partition_counts_is_refused() {
    let body = r#"
        [[source]]
        name = "a"
        topic = "a-in"
        partitions = 2
        [[source]]
        name = "b"
        topic = "b-in"
        partitions = 3
        [[join]]
        name = "ab"
        left = "a"
        right = "b"
        within = "10s"
        call = "p.pair"
        [[sink]]
        from = "ab"
        topic = "out"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:12:8: `ab` reads topics that must have the same number of partitions, and `a-in` has 2 partitions, `b-in` has 3 partitions
      help: say the same `partitions` at both sources, or none
    ");
}

#[test]
fn a_table_with_the_name_of_a_store_of_the_host_is_refused() {
    let body = r#"
        [[source]]
        name = "a"
        topic = "a-in"
        [[source]]
        name = "b"
        topic = "b-in"
        [[join]]
        name = "ab"
        left = "a"
        right = "b"
        within = "10s"
        call = "p.pair"
        [[table]]
        name = "ab-window"
        from = "ab"
        [[table]]
        name = "meta"
        from = "ab"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:16:8: two stores have the name `ab-window`: the host makes one for another step
      help: rename one of the steps
    a.toml:19:8: the store `meta` has the name of one that the host keeps for itself
      help: rename one of the steps
    ");
}

#[test]
fn a_step_that_uses_a_topic_of_the_host_is_refused() {
    let body = r#"
        [[source]]
        name = "commands"
        topic = "a-control"
        [[transform]]
        name = "moved"
        from = "commands"
        call = "p.rekey"
        [[table]]
        name = "rows"
        from = "moved"
        [[sink]]
        from = "commands"
        topic = "a-rows-changelog"
        [[sink]]
        from = "commands"
        topic = "a-moved-repartition"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:4:8: the topic `a-control` has the name of one that the host makes for itself
      help: give the topic another name
    a.toml:13:1: the topic `a-rows-changelog` has the name of one that the host makes for itself
      help: give the topic another name
    a.toml:16:1: the topic `a-moved-repartition` has the name of one that the host makes for itself
      help: give the topic another name
    ");
}

#[test]
fn mistakes_of_all_kinds_are_reported_at_once() {
    let body = r#"
        threads = "two"
        [[source]]
        name = "a"
        topic = "t"
        keey = "i64"
        [[transform]]
        name = "b"
        from = ["a", "c"]
        call = "p.chek"
        [[merge]]
        name = "c"
        from = ["b", "nobody"]
        [[source]]
        name = "again"
        topic = "t"
        [[dedup]]
        name = "once"
        from = "again"
        by = ["field:id"]
        within = "1x"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:3:11: threads of the app must be an integer, not a string
      help: it can be from 1 to 1024
    a.toml:7:1: unknown key `keey` in [[source]] `a`; did you mean `key`?
      help: it can have `name`, `topic`, `key`, `value`, `partitions`, `timestamp`, `on-bad-time`, `max-ahead`, `on-ahead`, `validate`, `on-error`, `on-null-key`, `dlq` and `retry`
    a.toml:9:8: a cycle: `b` -> `c` -> `b`
      help: a record would go round for ever: let one of these read from somewhere else
    a.toml:11:8: the plugin `p` has no function `chek`; did you mean `check`?
      help: its transform functions are `check`, `split`, `rekey`, `fan`, `deal` and `texts`
    a.toml:14:14: [[merge]] `c` reads from the unknown step `nobody`
      help: name a source, a table or a step of the app
    a.toml:17:9: [[source]] `again` reads the topic `t`, which `a` reads already
      help: read it once, and name `a` wherever its records are needed
    a.toml:22:10: within of [[dedup]] `once`: `1x` is not a duration: there is no unit `x`
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    "#);
}

#[test]
fn sessions_with_a_function_that_can_not_merge_are_refused() {
    let body = r#"
        [[source]]
        name = "a"
        topic = "a-in"
        [[aggregate]]
        name = "visits"
        from = "a"
        call = "p.sum"
        window = { session = "5m" }
        [[sink]]
        from = "visits"
        topic = "out"
        [[sink]]
        from = "visits.late"
        topic = "late"
    "#;
    insta::assert_snapshot!(errors(body), @"
    a.toml:9:8: [[aggregate]] `visits` has sessions, and `p.sum` can't merge the states of two
      help: give the function a `merge`, or take windows of another kind
    ");
}
