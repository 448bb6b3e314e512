//! How keys are read, from step to step.

use super::diagnostic::{Place, Problems};
use super::graph::{Graph, Link, StepNode};
use super::model::StepKind;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::topology::{LATE_PORT, SinkKey};

/// The codec of the keys that a step reads and puts out: `None` where a function has made new keys, of which nobody
/// says what they are.
pub(super) struct Keys {
    read: Vec<Option<KeyCodec>>,
}

impl Keys {
    /// The codec of a step's input; of a source, that of its topic.
    pub fn read(&self, step: usize) -> Option<KeyCodec> {
        self.read.get(step).copied().flatten()
    }

    /// The codec at a port of a step.
    fn out(&self, graph: &Graph<'_>, step: usize, port: usize) -> Option<KeyCodec> {
        let changed = graph.nodes.get(step).is_some_and(|node| node.changes_key(port));
        self.read(step).filter(|_| !changed)
    }
}

/// Follows the codecs along `order`, and reports where they don't fit.
pub(super) fn check_keys(graph: &Graph<'_>, order: &[usize], problems: &mut Problems) -> Keys {
    let mut keys = Keys { read: vec![None; graph.nodes.len()] };
    for index in order {
        let Some(node) = graph.nodes.get(*index) else { continue };
        let codec = codec_of(graph, node, &keys, problems);
        if let Some(slot) = keys.read.get_mut(*index) {
            *slot = codec;
        }
    }
    check_topics(graph, &keys, problems);
    keys
}

/// Reports a topic whose keys are written in one way and read in another within the app: they would be read as something
/// else, or be dead letters.
fn check_topics(graph: &Graph<'_>, keys: &Keys, problems: &mut Problems) {
    for (index, sink) in graph.nodes.iter().enumerate() {
        let StepKind::Sink { topic: Some(topic), key, .. } = &sink.step.kind else { continue };
        let reads = |node: &&StepNode<'_>| node.step.read().is_some_and(|read| read.topic.value == topic.value);
        let Some(reader) = graph.nodes.iter().find(reads) else { continue };
        let read = reader.step.read().map_or(KeyCodec::Bytes, |read| read.key);
        let (written, help) = match (key.value, keys.read(index)) {
            (_, _) if read == KeyCodec::Bytes => continue,
            (SinkKey::Windowed, _) if !sink.links.iter().all(|link| has_windows(graph, link)) => continue,
            (SinkKey::Windowed, _) => (
                "windowed",
                "say key = \"bytes\" there: a windowed key is the key, then start and end of its window, 8 bytes each"
                    .to_owned(),
            ),
            (SinkKey::Plain, Some(codec)) if codec != read && codec != KeyCodec::Bytes => {
                (codec.name(), format!("say key = \"{}\" there", codec.name()))
            }
            _ => continue,
        };
        let (reads, read) = (reader.step.title(), read.name());
        let message =
            format!("{reads} reads {read} keys from `{}`, and a [[sink]] writes {written} keys there", **topic);
        problems.add(reader.step.name_at, message, help);
    }
}

/// Whether each record that comes by this link has a window: the key of one without stays as it is.
fn has_windows(graph: &Graph<'_>, link: &Link) -> bool {
    let Some(node) = graph.nodes.get(link.from) else { return false };
    match &node.step.kind {
        StepKind::Aggregate { windows, .. } => windows.is_some() && link.port != LATE_PORT,
        StepKind::Transform { .. } | StepKind::Merge { .. } => {
            !node.links.is_empty() && node.links.iter().all(|link| has_windows(graph, link))
        }
        _ => false,
    }
}

fn codec_of(graph: &Graph<'_>, node: &StepNode<'_>, keys: &Keys, problems: &mut Problems) -> Option<KeyCodec> {
    if let Some(read) = node.step.read() {
        check_function(graph, node, None, Some(read.key), problems);
        return Some(read.key);
    }
    let sides = sides(graph, node, keys);
    if sides_fit(graph, node, &sides, problems) {
        for side in &sides {
            check_function(graph, node, Some(side.step), side.codec, problems);
        }
    }
    let first = sides.first().and_then(|side| side.codec);
    let common = first.filter(|_| sides.iter().all(|side| side.codec == first));
    // A function that reads keys in its own way says what they are.
    let said = node.call.map(|call| call.manifest.key).filter(|key| *key != KeyCodec::Bytes);
    common.or(said)
}

/// Something that a step reads: an input, or the table of a lookup.
struct Side {
    step: usize,
    at: Place,
    codec: Option<KeyCodec>,
}

fn sides(graph: &Graph<'_>, node: &StepNode<'_>, keys: &Keys) -> Vec<Side> {
    let inputs = node.links.iter();
    let inputs = inputs.map(|link| Side { step: link.from, at: link.at, codec: keys.out(graph, link.from, link.port) });
    let at = node.links.first().map_or(node.step.at, |link| link.at);
    let table = node.table.map(|step| Side { step, at, codec: keys.out(graph, step, 0) });
    inputs.chain(table).collect()
}

/// Reports sides of a join whose keys are not read in the same way, as far as that is known.
fn sides_fit(graph: &Graph<'_>, node: &StepNode<'_>, sides: &[Side], problems: &mut Problems) -> bool {
    let joined = matches!(node.step.kind, StepKind::Join { .. } | StepKind::Lookup { .. } | StepKind::TableJoin { .. });
    let [left, right] = sides else { return true };
    let (Some(one), Some(other)) = (left.codec, right.codec) else { return true };
    if !joined || one == other {
        return true;
    }
    let name = |side: &Side| graph.nodes.get(side.step).map_or("", |node| &node.step.name);
    let left_keys = format!("`{}` are {}", name(left), one.name());
    let right_keys = format!("`{}` are {}", name(right), other.name());
    let message = format!("{}: the keys of {left_keys}, those of {right_keys}", node.step.title());
    problems.add(right.at, message, "both sides must have the same `key` at their sources");
    false
}

/// Reports a function that can't read these keys.
fn check_function(
    graph: &Graph<'_>,
    node: &StepNode<'_>,
    from: Option<usize>,
    codec: Option<KeyCodec>,
    problems: &mut Problems,
) {
    let (Some(call), Some(codec), Some(name)) = (node.call, codec, node.step.call()) else { return };
    let wanted = call.manifest.key;
    if wanted == KeyCodec::Bytes || wanted == codec {
        return;
    }
    let from = from.and_then(|from| graph.nodes.get(from)).unwrap_or(node);
    let message = format!(
        "`{}.{}` reads {} keys, and those of `{}` are {}",
        name.plugin,
        name.function,
        wanted.name(),
        from.step.name,
        codec.name(),
    );
    problems.add(name.at, message, format!("say key = \"{}\" at the source, or call another function", wanted.name()));
}
