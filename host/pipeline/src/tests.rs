//! Tests: pipeline files in, diagnostics or topologies out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod any_text;
mod counts;
mod good_files;
mod kafka;
mod not_yet;
mod overridden;
mod rendered;
mod repartitions;
mod wrong_aggregates;
mod wrong_graphs;
mod wrong_keys;
mod wrong_names;
mod wrong_steps;
mod wrong_toml;
mod wrong_values;

use std::collections::BTreeMap;

use super::{Diagnostic, Format, Given, Override, PluginLoadError, SourceFile, build, parse, read, render};
use millrace_engine::manifest::Manifest;
use millrace_engine::testing::manifest;
use millrace_engine::topology::{Operator, Topology};

/// The plugin of most tests.
const PLUGIN: &str = "p:
    transform check; transform split ports=high,low; transform rekey ports=out!; transform fan ports=same,new!;
    transform deal ports=left!,right!; transform texts key=string;
    join pair; join resolve key=i64; join moved ports=out!;
    aggregate sum; aggregate shown stores=sum?; aggregate text key=string;
    process track stores=seen,last?; process plain; process timed timers";

fn manifests(texts: &[&str]) -> BTreeMap<String, Manifest> {
    texts.iter().map(|text| manifest(text)).map(|manifest| (manifest.name.clone(), manifest)).collect()
}

/// A file `a.toml` with the name of the app, the plugin if it is called, and then `body`, each line from its first
/// character on.
fn file(body: &str) -> SourceFile {
    let plugin = if body.contains("\"p.") { "plugins.p.component = \"p.wasm\"" } else { "" };
    raw("a.toml", &format!("app = \"a\"\n{plugin}{body}"))
}

fn raw(path: &str, text: &str) -> SourceFile {
    let text = text.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    SourceFile { path: path.into(), text }
}

fn show(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect()
}

fn overridden(pairs: &[(&str, &str)]) -> Vec<Override> {
    let pair = |(key, value): &(&str, &str)| Override {
        option: format!("--set {key}"),
        key: (*key).into(),
        value: (*value).into(),
    };
    pairs.iter().map(pair).collect()
}

/// All mistakes in some files.
fn errors_in(files: &[SourceFile], overrides: &[(&str, &str)]) -> String {
    let manifests = manifests(&[PLUGIN, "spare: transform check"])
        .into_iter()
        .map(|(name, manifest)| (name, Ok(manifest)))
        .collect();
    let overrides = overridden(overrides);
    match super::check(&read(files, &Given { overrides: &overrides, ..Given::default() }), &manifests) {
        Ok(topology) => format!("nothing is wrong:\n{}", render(&topology, Format::Text)),
        Err(diagnostics) => show(&diagnostics),
    }
}

/// All mistakes in a file.
fn errors(body: &str) -> String {
    errors_in(&[file(body)], &[])
}

/// The topology of right files.
fn topology_of(files: &[SourceFile], overrides: &[(&str, &str)]) -> Topology {
    let overrides = overridden(overrides);
    let manifests = manifests(&[PLUGIN, "order-status: join resolve key=i64"]);
    let pipeline = parse(files, &Given { overrides: &overrides, ..Given::default() })
        .unwrap_or_else(|wrong| panic!("{}", show(&wrong)));
    let topology = build(&pipeline, &manifests).unwrap_or_else(|wrong| panic!("{}", show(&wrong)));
    assert_sound(&topology);
    topology
}

/// The topology of the orders pipeline that ships.
fn orders() -> Topology {
    let text = include_str!("../../../pipelines/orders.toml");
    topology_of(&[SourceFile { path: "pipelines/orders.toml".into(), text: text.into() }], &[])
}

/// The topology of a file, as text.
fn topology(body: &str) -> String {
    render(&topology_of(&[file(body)], &[]), Format::Text)
}

/// Checks the invariants of a topology's types.
fn assert_sound(topology: &Topology) {
    for (number, subtopology) in topology.subtopologies.iter().enumerate() {
        let mut sources = Vec::new();
        for (index, node) in subtopology.nodes.iter().enumerate() {
            assert!(node.edges.iter().all(|edge| edge.to.0 > index), "an edge of `{}` points back", node.name);
            assert!(topology.topics.len() > node.dlq.0);
            if let Operator::Source { topic, .. } = &node.operator {
                sources.push(*topic);
            }
            if let Operator::Lookup { table, .. } = &node.operator {
                let mut earlier = subtopology.nodes[..index].iter();
                let found =
                    earlier.any(|node| matches!(node.operator, Operator::Table { store } if store == table.store));
                assert!(found, "the table of `{}` comes later", node.name);
            }
        }
        let mut inputs = subtopology.inputs.clone();
        inputs.sort();
        sources.sort();
        assert_eq!(inputs, sources, "sources of sub-topology {number}");
        for store in &subtopology.stores {
            assert_eq!(topology.stores[store.0].subtopology, number);
        }
    }
    let owned: usize = topology.subtopologies.iter().map(|subtopology| subtopology.stores.len()).sum();
    assert_eq!(owned + 1, topology.stores.len());
    let shared = topology.stores.iter().position(|store| store.name == "meta").map(millrace_engine::ports::StoreId);
    assert!(topology.subtopologies.iter().all(|subtopology| Some(subtopology.meta) == shared));
}
