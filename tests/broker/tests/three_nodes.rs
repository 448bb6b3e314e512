//! A cluster that outlives the loss of a node.

#![allow(clippy::unwrap_used)]

use millrace_broker::{Options, for_test};

#[test]
fn two_of_three_nodes_go_on_and_the_third_comes_back() {
    let Some(mut cluster) = for_test(Options { nodes: 3, ..Options::default() }).unwrap() else { return };
    assert_eq!(cluster.bootstrap().split(',').count(), 3);
    cluster.create_topic("before", 3, &[("cleanup.policy", "compact")]).unwrap();
    cluster.kill(0).unwrap();
    cluster.create_topic("without", 3, &[]).unwrap();
    cluster.start_node(0).unwrap();
    cluster.create_topic("with", 3, &[]).unwrap();
}
