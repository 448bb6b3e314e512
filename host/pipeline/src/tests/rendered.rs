//! The forms a topology is shown in.

use super::*;

#[test]
fn a_mermaid_flowchart_shows_topics_operators_and_stores() {
    insta::assert_snapshot!(render(&orders(), Format::Mermaid), @r#"
    flowchart LR
      t0[/"payment-orders"/]
      t1[/"stock-orders"/]
      t2[/"orders"/]
      subgraph s0["sub-topology 0"]
        n0_0["source payments"]
        n0_1["source stock"]
        n0_2["join resolve<br/>order-status.resolve"]
        n0_3["sink sink-orders"]
        st1[("resolve-window")]
      end
      subgraph s1["sub-topology 1"]
        n1_0["source orders"]
        n1_1["table orders"]
        st2[("orders")]
      end
      t0 --> n0_0
      n0_0 -->|"left"| n0_2
      t1 --> n0_1
      n0_1 -->|"right"| n0_2
      n0_2 --> n0_3
      n0_2 <--> st1
      n0_3 --> t2
      t2 --> n1_0
      n1_0 --> n1_1
      n1_1 <--> st2
    "#);
}

#[test]
fn a_graphviz_digraph_shows_the_same() {
    insta::assert_snapshot!(render(&orders(), Format::Dot), @r#"
    digraph "orders" {
      rankdir=LR;
      t0 [shape=parallelogram, label="payment-orders"];
      t1 [shape=parallelogram, label="stock-orders"];
      t2 [shape=parallelogram, label="orders"];
      subgraph cluster_0 {
        label="sub-topology 0";
        n0_0 [shape=box, label="source payments"];
        n0_1 [shape=box, label="source stock"];
        n0_2 [shape=box, label="join resolve\norder-status.resolve"];
        n0_3 [shape=box, label="sink sink-orders"];
        st1 [shape=cylinder, label="resolve-window"];
      }
      subgraph cluster_1 {
        label="sub-topology 1";
        n1_0 [shape=box, label="source orders"];
        n1_1 [shape=box, label="table orders"];
        st2 [shape=cylinder, label="orders"];
      }
      t0 -> n0_0;
      n0_0 -> n0_2 [label="left"];
      t1 -> n0_1;
      n0_1 -> n0_2 [label="right"];
      n0_2 -> n0_3;
      n0_2 -> st1 [dir=both];
      n0_3 -> t2;
      t2 -> n1_0;
      n1_0 -> n1_1;
      n1_1 -> st2 [dir=both];
    }
    "#);
}

#[test]
fn ports_and_tables_are_labelled() {
    let topology = topology_of(
        &[file(
            "
        [[source]]
        name = \"orders\"
        topic = \"orders\"
        [[transform]]
        name = \"sizes\"
        from = \"orders\"
        call = \"p.split\"
        [[table]]
        name = \"rows\"
        from = \"sizes.low\"
        [[lookup]]
        name = \"found\"
        stream = \"sizes.high\"
        table = \"rows\"
        call = \"p.pair\"
        [[sink]]
        from = \"found\"
        topic = \"out\"
    ",
        )],
        &[],
    );
    insta::assert_snapshot!(render(&topology, Format::Mermaid), @r#"
    flowchart LR
      t0[/"orders"/]
      t1[/"out"/]
      subgraph s0["sub-topology 0"]
        n0_0["source orders"]
        n0_1["transform sizes<br/>p.split"]
        n0_2["table rows"]
        n0_3["lookup found<br/>p.pair"]
        n0_4["sink sink-out"]
        st1[("rows")]
      end
      t0 --> n0_0
      n0_0 --> n0_1
      n0_1 -->|"low"| n0_2
      n0_1 -->|"high"| n0_3
      n0_2 <--> st1
      n0_3 --> n0_4
      st1 --> n0_3
      n0_4 --> t1
    "#);
}

#[test]
fn json_has_all_of_it() {
    insta::assert_snapshot!(render(&orders(), Format::Json), @r#"
    {
      "app": "orders",
      "plugins": [
        {
          "name": "order-status",
          "component": "pipelines/order_status.wasm"
        }
      ],
      "topics": [
        {
          "name": "payment-orders",
          "kind": "external",
          "key": "i64",
          "partitions": null
        },
        {
          "name": "stock-orders",
          "kind": "external",
          "key": "i64",
          "partitions": null
        },
        {
          "name": "orders",
          "kind": "external",
          "key": "i64",
          "partitions": null
        },
        {
          "name": "recovererDLQ",
          "kind": "dead-letters",
          "key": "i64",
          "partitions": null
        }
      ],
      "stores": [
        {
          "name": "meta",
          "kind": "key-value",
          "key": "bytes",
          "queryable": false,
          "retentionMs": null,
          "subtopology": null
        },
        {
          "name": "resolve-window",
          "kind": "window",
          "key": "i64",
          "queryable": false,
          "retentionMs": 20000,
          "subtopology": 0
        },
        {
          "name": "orders",
          "kind": "table",
          "key": "i64",
          "queryable": true,
          "retentionMs": null,
          "subtopology": 1
        }
      ],
      "subtopologies": [
        {
          "inputs": [
            "payment-orders",
            "stock-orders"
          ],
          "meta": "meta",
          "nodes": [
            {
              "name": "payments",
              "kind": "source",
              "call": null,
              "reads": "payment-orders",
              "writes": null,
              "stores": [],
              "deadLetters": "recovererDLQ",
              "to": [
                {
                  "node": 2,
                  "name": "resolve",
                  "port": 0,
                  "input": 0,
                  "label": "left"
                }
              ]
            },
            {
              "name": "stock",
              "kind": "source",
              "call": null,
              "reads": "stock-orders",
              "writes": null,
              "stores": [],
              "deadLetters": "recovererDLQ",
              "to": [
                {
                  "node": 2,
                  "name": "resolve",
                  "port": 0,
                  "input": 1,
                  "label": "right"
                }
              ]
            },
            {
              "name": "resolve",
              "kind": "join",
              "call": "order-status.resolve",
              "reads": null,
              "writes": null,
              "stores": [
                "resolve-window"
              ],
              "deadLetters": "recovererDLQ",
              "to": [
                {
                  "node": 3,
                  "name": "sink-orders",
                  "port": 0,
                  "input": 0,
                  "label": ""
                }
              ]
            },
            {
              "name": "sink-orders",
              "kind": "sink",
              "call": null,
              "reads": null,
              "writes": "orders",
              "stores": [],
              "deadLetters": "recovererDLQ",
              "to": []
            }
          ]
        },
        {
          "inputs": [
            "orders"
          ],
          "meta": "meta",
          "nodes": [
            {
              "name": "orders",
              "kind": "source",
              "call": null,
              "reads": "orders",
              "writes": null,
              "stores": [],
              "deadLetters": "recovererDLQ",
              "to": [
                {
                  "node": 1,
                  "name": "orders",
                  "port": 0,
                  "input": 0,
                  "label": ""
                }
              ]
            },
            {
              "name": "orders",
              "kind": "table",
              "call": null,
              "reads": null,
              "writes": null,
              "stores": [
                "orders"
              ],
              "deadLetters": "recovererDLQ",
              "to": []
            }
          ]
        }
      ]
    }
    "#);
}
