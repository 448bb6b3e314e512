//! Wrong aggregates: of joins of tables, windowed ones of tables, and wrong windows.

use super::*;

#[test]
fn an_aggregate_of_a_table_is_accepted_and_one_of_a_join_of_tables_is_refused() {
    let body = r#"
        [[table]]
        name = "one"
        topic = "one"
        [[table]]
        name = "two"
        topic = "two"
        [[table-join]]
        name = "both"
        left = "one"
        right = "two"
        call = "p.pair"
        [[transform]]
        name = "checked"
        from = "both"
        call = "p.check"
        [[aggregate]]
        name = "direct"
        from = "both"
        call = "p.shown"
        [[aggregate]]
        name = "behind"
        from = "checked"
        call = "p.shown"
        [[aggregate]]
        name = "windowed"
        from = "one"
        call = "p.shown"
        window = { tumbling = "1m" }
        [[sink]]
        from = "windowed"
        topic = "out"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:19:8: [[aggregate]] `direct`: nothing reads it
      help: write its results to a topic with a [[sink]], or keep them with a [[table]]: from = "direct"; or take it out
    a.toml:20:8: [[aggregate]] `direct` aggregates rows of `both`, which keeps no old ones
      help: put a [[table]] between: from = "both"
    a.toml:23:8: [[aggregate]] `behind`: nothing reads it
      help: write its results to a topic with a [[sink]], or keep them with a [[table]]: from = "behind"; or take it out
    a.toml:24:8: [[aggregate]] `behind` aggregates rows of `both`, which keeps no old ones
      help: put a [[table]] between: from = "both"
    a.toml:28:8: [[aggregate]] `windowed` has a window, and aggregates rows of a table
      help: leave `window` out: the result is that of the rows as they are; windows are for streams
    "#);
}

#[test]
fn old_rows_go_through_transforms_and_repartition_topics_to_aggregates_only() {
    let body = r#"
        [[table]]
        name = "rows"
        topic = "rows"
        [[transform]]
        name = "new"
        from = "rows"
        call = "p.rekey"
        [[aggregate]]
        name = "sum"
        from = "new"
        call = "p.sum"
        [[sink]]
        from = "sum"
        topic = "sums"
        [[sink]]
        from = "new"
        topic = "copies"
    "#;
    let pipeline = parse(&[file(body)], &Default::default()).unwrap();
    let topology = build(&pipeline, &manifests(&[PLUGIN])).unwrap();
    let mut ways = Vec::new();
    for shape in &topology.subtopologies {
        for (node, edge) in shape.nodes.iter().flat_map(|node| node.edges.iter().map(move |edge| (node, edge))) {
            ways.push(format!("{} -> {}: {}", node.name, shape.nodes[edge.to.0].name, edge.changes));
        }
    }
    insta::assert_snapshot!(ways.join("\n"), @"
    rows -> rows: false
    rows -> new: true
    new -> new-repartition: true
    new -> sink-copies: false
    new -> sum: true
    sum -> sink-sums: false
    ");
}

#[test]
fn hopping_windows_are_refused_if_a_record_would_be_in_too_many() {
    let with = |window: &str| {
        errors(&format!(
            "\n[[source]]\nname = \"in\"\ntopic = \"in\"\n[[aggregate]]\nname = \"sums\"\nfrom = \"in\"\ncall = \"p.shown\"\n\
             window = {window}\n[[sink]]\nfrom = \"sums\"\ntopic = \"out\"\n"
        ))
    };
    let text = with("{ hopping = \"1d\", every = \"1s\" }");
    assert!(text.contains("each record would be in 86400 windows, and 2000 are the most"), "{text}");
    assert!(text.contains("begin windows at least 43.2s apart"), "{text}");
    let text = with("{ hopping = \"36500d\", every = \"1ms\" }");
    assert!(text.contains("each record would be in 3153600000000 windows"), "{text}");
}

/// An aggregate with this window and no other setting.
fn windowed(window: &str) -> String {
    errors(&format!(
        "\n[[source]]\nname = \"in\"\ntopic = \"in\"\n[[aggregate]]\nname = \"sums\"\nfrom = \"in\"\ncall = \"p.shown\"\n\
         window = {window}\n[[sink]]\nfrom = \"sums\"\ntopic = \"out\"\n"
    ))
}

#[test]
fn the_message_for_a_key_misplaced_into_a_window_says_where_it_belongs() {
    insta::assert_snapshot!(windowed("{ tumbling = \"1m\", grace = \"1m\", emit = \"final\" }"), @"
    a.toml:10:29: `grace` is no key of window of [[aggregate]] `sums`, but of the step
      help: write it on a line of its own: grace = ...
    a.toml:10:43: `emit` is no key of window of [[aggregate]] `sums`, but of the step
      help: write it on a line of its own: emit = ...
    ");
}

#[test]
fn a_misspelt_window_is_one_mistake() {
    insta::assert_snapshot!(windowed("{ tumblin = \"1m\" }"), @"
    a.toml:10:12: unknown key `tumblin` in window of [[aggregate]] `sums`; did you mean `tumbling`?
      help: it can have `tumbling`, `hopping`, `sliding`, `session` and `every`
    ");
}

#[test]
fn an_aggregate_whose_results_no_step_reads_is_refused() {
    let body = r#"
        [[source]]
        name = "in"
        topic = "in"
        [[aggregate]]
        name = "sums"
        from = "in"
        call = "p.shown"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:7:8: [[aggregate]] `sums`: nothing reads it
      help: write its results to a topic with a [[sink]], or keep them with a [[table]]: from = "sums"; or take it out
    "#);
}

#[test]
fn a_retention_is_for_final_results_and_for_sessions() {
    let text = windowed("{ tumbling = \"1m\" }\nretention = \"1h\"");
    assert!(text.contains("only final results and records of sessions can come too late for it"), "{text}");
    let text = windowed("{ tumbling = \"1m\" }\nemit = \"final\"\ngrace = \"5s\"\nretention = \"1m\"");
    assert!(text.contains("windows of this kind and their `grace` need 65s"), "{text}");
    // The rule can't merge, so there is another mistake.
    let text = windowed("{ session = \"1m\" }\nretention = \"59s\"");
    assert!(text.contains("windows of this kind and their `grace` need 1m"), "{text}");
    let text = windowed("{ session = \"1m\" }\nretention = \"61s\"");
    assert!(text.contains("merge") && !text.contains("retention"), "{text}");
}
