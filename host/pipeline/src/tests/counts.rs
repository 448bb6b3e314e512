//! How many partitions topics have.

use super::*;
use millrace_engine::topology::{partitions, spread_alike};

const JOIN: &str = "
    [[source]]
    name = \"a\"
    topic = \"a-in\"
    [[source]]
    name = \"b\"
    topic = \"b-in\"
    [[join]]
    name = \"ab\"
    left = \"a\"
    right = \"b\"
    within = \"10s\"
    call = \"p.pair\"
    [[sink]]
    from = \"ab\"
    topic = \"out\"
";

/// `topic=count` for each topic, or what differs.
fn counts(topology: &Topology, known: &[(&str, u32)]) -> String {
    let known = |name: &str| known.iter().find(|(topic, _)| *topic == name).map(|(_, count)| *count);
    match partitions(topology, &known) {
        Ok(counts) => {
            let pairs = topology.topics.iter().zip(counts).map(|(topic, count)| format!("{}={count}", topic.name));
            pairs.collect::<Vec<_>>().join(" ")
        }
        Err(mismatches) => mismatches.iter().map(|mismatch| format!("{mismatch}\n")).collect(),
    }
}

#[test]
fn new_topics_have_one_partition() {
    let topology = topology_of(&[file(JOIN)], &[]);
    assert_eq!(counts(&topology, &[]), "a-in=1 b-in=1 out=1 a-dlq=1");
}

#[test]
fn topics_that_are_written_have_as_many_partitions_as_those_that_are_read() {
    let topology = topology_of(&[file(JOIN)], &[]);
    assert_eq!(counts(&topology, &[("a-in", 4), ("b-in", 4)]), "a-in=4 b-in=4 out=4 a-dlq=4");
}

#[test]
fn a_topic_that_exists_keeps_its_partition_count() {
    let topology = topology_of(&[file(JOIN)], &[("a.partitions", "2"), ("b.partitions", "2")]);
    let known = [("a-in", 4), ("b-in", 4), ("out", 1), ("a-dlq", 3)];
    assert_eq!(counts(&topology, &known), "a-in=4 b-in=4 out=1 a-dlq=3");
}

#[test]
fn a_new_topic_has_the_partition_count_of_the_topic_that_it_is_joined_with() {
    let topology = topology_of(&[file(JOIN)], &[("a.partitions", "2")]);
    assert_eq!(counts(&topology, &[]), "a-in=2 b-in=2 out=2 a-dlq=2");
}

#[test]
fn the_error_for_sides_of_a_join_that_differ_has_their_partition_counts() {
    let topology = topology_of(&[file(JOIN)], &[]);
    let known = [("a-in", 4), ("b-in", 1)];
    insta::assert_snapshot!(counts(&topology, &known), @"`ab` reads topics that must have the same number of partitions, and `a-in` has 4 partitions, `b-in` has 1 partition");
}

#[test]
fn a_repartition_topic_has_the_partition_count_of_the_other_side_of_its_join_or_of_its_writer() {
    let topology = topology_of(
        &[file(
            "
            [[source]]
            name = \"views\"
            topic = \"views\"
            [[transform]]
            name = \"by-product\"
            from = \"views\"
            call = \"p.rekey\"
            [[transform]]
            name = \"by-region\"
            from = \"views\"
            call = \"p.rekey\"
            [[table]]
            name = \"products\"
            topic = \"products\"
            [[lookup]]
            name = \"found\"
            stream = \"by-product\"
            table = \"products\"
            call = \"p.pair\"
            [[aggregate]]
            name = \"regions\"
            from = \"by-region\"
            call = \"p.shown\"
            [[table]]
            name = \"kept\"
            from = \"regions\"
            [[sink]]
            from = \"found\"
            topic = \"found\"
        ",
        )],
        &[],
    );
    assert_eq!(
        counts(&topology, &[("views", 2), ("products", 6)]),
        "views=2 products=6 found=6 a-by-product-repartition=6 a-by-region-repartition=2 a-dlq=6"
    );
}

#[test]
fn topics_that_meet_without_state_may_have_different_partition_counts() {
    let topology = topology_of(
        &[file(
            "
            [[source]]
            name = \"a\"
            topic = \"a-in\"
            partitions = 2
            [[source]]
            name = \"b\"
            topic = \"b-in\"
            partitions = 5
            [[merge]]
            name = \"all\"
            from = [\"a\", \"b\"]
            [[sink]]
            from = \"all\"
            topic = \"out\"
        ",
        )],
        &[],
    );
    assert_eq!(counts(&topology, &[]), "a-in=2 b-in=5 out=5 a-dlq=5");
}

#[test]
fn topics_whose_records_meet_by_key_need_one_partitioner() {
    let rekeyed = "
        [[source]]
        name = \"alone\"
        topic = \"alone-in\"
        [[dedup]]
        name = \"once\"
        from = \"alone\"
        within = \"1m\"
        by = [\"field:id\"]
        [[sink]]
        from = \"once\"
        topic = \"out\"
    ";
    let topology = topology_of(&[file(&format!("{JOIN}{rekeyed}"))], &[]);
    let alike = spread_alike(&topology).into_iter();
    let alike = alike.map(|(topic, step)| format!("{} for {step}", topology.topics[topic.0].name));
    assert_eq!(alike.collect::<Vec<_>>(), ["a-in for ab", "b-in for ab"]);
}
