//! Good files with their topology.

use super::*;

#[test]
fn orders_join_two_sources_and_keep_a_table() {
    let topology = orders();
    insta::assert_snapshot!(render(&topology, Format::Text), @r"
    app orders

    sub-topology 0
      source payments: topic payment-orders; i64 keys, json values
        -> join resolve (left)
      source stock: topic stock-orders; i64 keys, json values
        -> join resolve (right)
      join resolve: inner, 10s before to 10s after, grace 0s; calls order-status.resolve
        store resolve-window: window, kept 20s
        -> sink sink-orders
      sink sink-orders: topic orders
      dead letters: recovererDLQ

    sub-topology 1
      source orders: topic orders; i64 keys, json values
        -> table orders
      table orders
        store orders: table, queryable
      dead letters: recovererDLQ
    ");
    assert_eq!(topology.plugins[0].component, std::path::Path::new("pipelines/order_status.wasm"));
}

#[test]
fn ports_branch_in_the_order_of_the_files() {
    let body = r#"
        [[source]]
        name = "orders"
        topic = "orders"
        value = "bytes"
        validate = "p.check"
        [[transform]]
        name = "sizes"
        from = "orders"
        call = "p.split"
        [[sink]]
        from = "sizes.low"
        topic = "low"
        [[sink]]
        from = "sizes.high"
        topic = "high"
        on-error = "fail"
        dlq = "high-dead"
        [[sink]]
        from = "sizes"
        topic = "high-again"
    "#;
    insta::assert_snapshot!(topology(body), @r"
    app a

    sub-topology 0
      source orders: topic orders; bytes keys, bytes values; calls p.check
        -> transform sizes
      transform sizes: calls p.split
        -> sink sink-low (low)
        -> sink sink-high (high)
        -> sink sink-high-again (high)
      sink sink-low: topic low
      sink sink-high: topic high
      sink sink-high-again: topic high-again
      dead letters: a-dlq, high-dead
    ");
}

#[test]
fn a_lookup_is_in_the_sub_topology_of_its_table() {
    let body = r#"
        [[lookup]]
        name = "enriched"
        stream = "orders"
        table = "customers"
        call = "p.pair"
        [[source]]
        name = "orders"
        topic = "orders"
        key = "string"
        [[table]]
        name = "customers"
        topic = "customers"
        key = "string"
        [[sink]]
        from = "enriched"
        topic = "enriched"
    "#;
    insta::assert_snapshot!(topology(body), @r"
    app a

    sub-topology 0
      source orders: topic orders; string keys, json values
        -> lookup enriched
      source customers: topic customers; string keys, json values
        -> table customers
      table customers
        store customers: table, queryable
      lookup enriched: inner, table customers; calls p.pair
        -> sink sink-enriched
      sink sink-enriched: topic enriched
      dead letters: a-dlq
    ");
}

#[test]
fn aggregates_and_processes_keep_stores() {
    let body = r#"
        [[source]]
        name = "a"
        topic = "a-in"
        key = "i64"
        [[source]]
        name = "b"
        topic = "b-in"
        key = "i64"
        [[merge]]
        name = "both"
        from = ["a", "b"]
        [[aggregate]]
        name = "sums"
        from = "both"
        call = "p.shown"
        emit = "each"
        [[process]]
        name = "watch"
        from = ["sums", "a"]
        call = "p.track"
        [[sink]]
        from = "watch"
        topic = "seen"
    "#;
    insta::assert_snapshot!(topology(body), @"
    app a

    sub-topology 0
      source a: topic a-in; i64 keys, json values
        -> merge both
        -> process watch
      source b: topic b-in; i64 keys, json values
        -> merge both
      merge both
        -> aggregate sums
      aggregate sums: calls p.shown
        store sums: key-value
        -> process watch
      process watch: calls p.track
        store watch-seen: key-value
        store watch-last: key-value
        -> sink sink-seen
      sink sink-seen: topic seen
      dead letters: a-dlq
    ");
}

#[test]
fn a_sub_topology_comes_after_those_that_write_its_topics() {
    let body = r#"
        [[table]]
        name = "last"
        topic = "third"
        [[source]]
        name = "second"
        topic = "second"
        [[sink]]
        from = "second"
        topic = "third"
        [[source]]
        name = "first"
        topic = "first"
        [[sink]]
        from = "first"
        topic = "second"
    "#;
    insta::assert_snapshot!(topology(body), @r"
    app a

    sub-topology 0
      source first: topic first; bytes keys, json values
        -> sink sink-second
      sink sink-second: topic second
      dead letters: a-dlq

    sub-topology 1
      source second: topic second; bytes keys, json values
        -> sink sink-third
      sink sink-third: topic third
      dead letters: a-dlq

    sub-topology 2
      source last: topic third; bytes keys, json values
        -> table last
      table last
        store last: table, queryable
      dead letters: a-dlq
    ");
}

#[test]
fn a_sub_topology_may_read_its_own_output_if_no_record_circulates() {
    let body = r#"
        [[table]]
        name = "customers"
        topic = "customers"
        [[source]]
        name = "orders"
        topic = "orders"
        [[lookup]]
        name = "enriched"
        stream = "orders"
        table = "customers"
        call = "p.pair"
        [[sink]]
        from = "enriched"
        topic = "enriched"
        [[source]]
        name = "again"
        topic = "enriched"
        [[lookup]]
        name = "twice"
        stream = "again"
        table = "customers"
        call = "p.pair"
        [[sink]]
        from = "twice"
        topic = "out"
    "#;
    insta::assert_snapshot!(topology(body), @r"
    app a

    sub-topology 0
      source customers: topic customers; bytes keys, json values
        -> table customers
      table customers
        store customers: table, queryable
      source orders: topic orders; bytes keys, json values
        -> lookup enriched
      lookup enriched: inner, table customers; calls p.pair
        -> sink sink-enriched
      sink sink-enriched: topic enriched
      source again: topic enriched; bytes keys, json values
        -> lookup twice
      lookup twice: inner, table customers; calls p.pair
        -> sink sink-out
      sink sink-out: topic out
      dead letters: a-dlq
    ");
}

#[test]
fn files_of_one_app_are_one_topology() {
    let one = raw(
        "one.toml",
        "
        app = \"a\"
        dlq = \"dead\"
        [[source]]
        name = \"orders\"
        topic = \"orders\"
    ",
    );
    let two = raw(
        "two/two.toml",
        "
        app = \"a\"
        dlq = \"dead\"
        [plugins.p]
        component = \"p.wasm\"
        [[transform]]
        name = \"checked\"
        from = \"orders\"
        call = \"p.check\"
        [[sink]]
        from = \"checked\"
        topic = \"out\"
    ",
    );
    let topology = topology_of(&[one, two], &[]);
    insta::assert_snapshot!(render(&topology, Format::Text), @r"
    app a

    sub-topology 0
      source orders: topic orders; bytes keys, json values
        -> transform checked
      transform checked: calls p.check
        -> sink sink-out
      sink sink-out: topic out
      dead letters: dead
    ");
    assert_eq!(topology.plugins[0].component, std::path::Path::new("two/p.wasm"));
}

#[test]
fn a_source_that_several_files_say_in_the_same_way_is_one() {
    let source = "[[source]]\nname = \"orders\"\ntopic = \"orders\"\nkey = \"i64\"\n";
    let same = "[[source]]\nkey = \"i64\" # in another order\ntopic = \"orders\"\nname = \"orders\"\n";
    let file = |path: &str, source: &str, out: &str| {
        raw(path, &format!("app = \"a\"\n{source}[[sink]]\nfrom = \"orders\"\ntopic = \"{out}\"\n"))
    };
    let topology = topology_of(&[file("one.toml", source, "left"), file("two.toml", same, "right")], &[]);
    insta::assert_snapshot!(render(&topology, Format::Text), @"
    app a

    sub-topology 0
      source orders: topic orders; i64 keys, json values
        -> sink sink-left
        -> sink sink-right
      sink sink-left: topic left
      sink sink-right: topic right
      dead letters: a-dlq
    ");
    // Each of them is a pipeline by itself.
    assert_eq!(topology_of(&[file("two.toml", same, "right")], &[]).subtopologies.len(), 1);
}

#[test]
fn inputs_and_edges_know_their_sides() {
    let topology = topology_of(
        &[file(
            "
        [[source]]
        name = \"b\"
        topic = \"b-in\"
        [[source]]
        name = \"a\"
        topic = \"a-in\"
        [[join]]
        name = \"ab\"
        left = \"a\"
        right = \"b\"
        within = \"10s\"
        call = \"p.pair\"
        on-null-key = \"dead-letter\"
        on-error = \"skip\"
        [[sink]]
        from = \"ab\"
        topic = \"out\"
    ",
        )],
        &[],
    );
    let part = &topology.subtopologies[0];
    let inputs: Vec<_> = part.inputs.iter().map(|topic| topology.topics[topic.0].name.as_str()).collect();
    assert_eq!(inputs, ["b-in", "a-in"]);
    assert_eq!(part.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["b", "a", "ab", "sink-out"]);
    assert_eq!((part.nodes[0].edges[0].input, part.nodes[1].edges[0].input), (1, 0));
    assert_eq!(part.nodes[2].on_null_key, millrace_engine::topology::OnDrop::DeadLetter);
    assert_eq!(part.nodes[2].on_error, millrace_engine::topology::OnError::Skip);
}

#[test]
fn a_file_with_windows_line_ends_and_a_byte_order_mark_is_read() {
    let text = "\u{feff}app = \"a\"\r\n[[source]]\r\nname = \"a\"\r\ntopic = \"t\"\r\n[[sink]]\r\nfrom = \"a\"\r\ntopic = \"u\"\r\n";
    let topology = topology_of(&[SourceFile { path: "a.toml".into(), text: text.into() }], &[]);
    insta::assert_snapshot!(render(&topology, Format::Text), @r"
    app a

    sub-topology 0
      source a: topic t; bytes keys, json values
        -> sink sink-u
      sink sink-u: topic u
      dead letters: a-dlq
    ");
}

#[test]
fn a_sub_topology_that_reads_dead_letters_comes_after_those_that_write_them() {
    let body = r#"
        [[source]]
        name = "dead"
        topic = "a-dlq"
        value = "bytes"
        [[sink]]
        from = "dead"
        topic = "archive"
        [[source]]
        name = "orders"
        topic = "orders"
        [[sink]]
        from = "orders"
        topic = "copy"
    "#;
    insta::assert_snapshot!(topology(body), @r"
    app a

    sub-topology 0
      source orders: topic orders; bytes keys, json values
        -> sink sink-copy
      sink sink-copy: topic copy
      dead letters: a-dlq

    sub-topology 1
      source dead: topic a-dlq; bytes keys, bytes values
        -> sink sink-archive
      sink sink-archive: topic archive
      dead letters: a-dlq
    ");
}
