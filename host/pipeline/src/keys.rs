//! The codec of the keys at each step.

use super::diagnostic::{Place, Problems};
use super::graph::{Graph, Link, StepNode};
use super::model::StepKind;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::topology::{LATE_PORT, SinkKey};

/// The codecs of the keys that each step reads and puts out: `None` after a function has changed the keys, since their
/// codec is unknown then.
pub(super) struct StepKeys {
    read: Vec<Option<KeyCodec>>,
    mixed: Vec<Option<MixedKeys>>,
}

/// Two steps with keys of different types that come together.
#[derive(Clone, Copy)]
struct MixedKeys([(usize, KeyCodec); 2]);

impl MixedKeys {
    /// `string where they come from `a`, and i64 where they come from `b``.
    fn text(self, graph: &Graph<'_>) -> String {
        let [one, other] = self.0.map(|(step, codec)| {
            let name = graph.nodes.get(step).map_or("", |node| &node.step.name);
            format!("{} where they come from `{name}`", codec.name())
        });
        format!("{one}, and {other}")
    }
}

impl StepKeys {
    /// The codec of a step's input; for a source, that of its topic.
    pub fn read(&self, step: usize) -> Option<KeyCodec> {
        self.read.get(step).copied().flatten()
    }

    /// The steps whose keys come together at a port of a step, if their types differ.
    fn mixed(&self, graph: &Graph<'_>, step: usize, port: usize) -> Option<MixedKeys> {
        let changed = graph.nodes.get(step).is_some_and(|node| node.changes_key(port));
        self.mixed.get(step).copied().flatten().filter(|_| !changed)
    }

    /// The codec at a port of a step.
    fn out(&self, graph: &Graph<'_>, step: usize, port: usize) -> Option<KeyCodec> {
        let changed = graph.nodes.get(step).is_some_and(|node| node.changes_key(port));
        self.read(step).filter(|_| !changed)
    }
}

/// Follows the codecs along `order`, and reports where they don't fit.
pub(super) fn check_keys(graph: &Graph<'_>, order: &[usize], problems: &mut Problems) -> StepKeys {
    let mut keys = StepKeys { read: vec![None; graph.nodes.len()], mixed: vec![None; graph.nodes.len()] };
    for index in order {
        let Some(node) = graph.nodes.get(*index) else { continue };
        let codec = codec_of(graph, node, &keys, problems);
        if let Some(slot) = keys.read.get_mut(*index) {
            *slot = codec;
        }
        let mixed = mixed_of(graph, node, &keys, problems);
        if let Some(slot) = keys.mixed.get_mut(*index) {
            *slot = mixed;
        }
    }
    check_topics(graph, &keys, problems);
    keys
}

/// The inputs of a step whose keys have different types. Reports them if the step has state: it would read a text as a
/// number. Keys of bytes fit any type.
fn mixed_of(graph: &Graph<'_>, node: &StepNode<'_>, keys: &StepKeys, problems: &mut Problems) -> Option<MixedKeys> {
    // The sides of a join were compared before.
    let own = if is_joined(node) { None } else { mixed_inputs(graph, node, keys) };
    let reads_typed = node.call.is_some_and(|call| call.manifest.key != KeyCodec::Bytes);
    if own.is_some() && reads_typed {
        // Each input with another type than the function's is reported.
        return None;
    }
    let inputs = || node.links.iter().map(|link| (link.at, keys.mixed(graph, link.from, link.port)));
    let table = || node.table.map(|table| (node.step.at, keys.mixed(graph, table, 0)));
    let inherited = || inputs().chain(table()).find_map(|(at, mixed)| Some((at, mixed?)));
    let (at, mixed) = own.or_else(inherited)?;
    if keeps_by_key(node) || reads_typed {
        let message = format!("the keys that {} reads are {}", node.step.title(), mixed.text(graph));
        let help = "give the sources the same `key`, or make keys of one type in a [[transform]] before";
        problems.add(at, message, help);
        return None;
    }
    Some(mixed)
}

/// The first two inputs whose keys are known to differ in type.
fn mixed_inputs(graph: &Graph<'_>, node: &StepNode<'_>, keys: &StepKeys) -> Option<(Place, MixedKeys)> {
    let known = node.links.iter().filter_map(|link| Some((link, keys.out(graph, link.from, link.port)?)));
    let mut known = known.filter(|(_, codec)| *codec != KeyCodec::Bytes);
    let (first, one) = known.next()?;
    let (link, other) = known.find(|(_, other)| *other != one)?;
    Some((link.at, MixedKeys([(first.from, one), (link.from, other)])))
}

/// Whether a step has state by the keys of its records. A processor chooses the keys of its stores itself.
fn keeps_by_key(node: &StepNode<'_>) -> bool {
    match node.step.kind {
        StepKind::Aggregate { .. } | StepKind::Table { .. } => true,
        StepKind::Process { .. } => node.call.is_some_and(|call| call.manifest.timers),
        _ => is_joined(node),
    }
}

fn is_joined(node: &StepNode<'_>) -> bool {
    matches!(node.step.kind, StepKind::Join { .. } | StepKind::Lookup { .. } | StepKind::TableJoin { .. })
}

/// Reports a topic that the app writes with one key codec and reads with another: its keys would be misread, or its
/// records be dead letters.
fn check_topics(graph: &Graph<'_>, keys: &StepKeys, problems: &mut Problems) {
    for (index, sink) in graph.nodes.iter().enumerate() {
        let StepKind::Sink { topic: Some(topic), key, .. } = &sink.step.kind else { continue };
        let reads = |node: &&StepNode<'_>| node.step.read().is_some_and(|read| read.topic.value == topic.value);
        let Some(reader) = graph.nodes.iter().find(reads) else { continue };
        let read = reader.step.read().map_or(KeyCodec::Bytes, |read| read.key);
        let mixed = sink.links.iter().find_map(|link| keys.mixed(graph, link.from, link.port));
        let (written, help) = match (key.value, keys.read(index)) {
            (_, _) if read == KeyCodec::Bytes => continue,
            (SinkKey::Windowed, _) if !sink.links.iter().all(|link| has_windows(graph, link)) => continue,
            (SinkKey::Windowed, _) => (
                "windowed".to_owned(),
                "say key = \"bytes\" there: a windowed key is the key, then start and end of its window, 8 bytes each"
                    .to_owned(),
            ),
            (SinkKey::Plain, Some(codec)) if codec != read && codec != KeyCodec::Bytes => {
                (codec.name().to_owned(), format!("say key = \"{}\" there", codec.name()))
            }
            (SinkKey::Plain, None) if let Some(mixed) = mixed => {
                let both = mixed.0.map(|(_, codec)| codec.name()).join(" and ");
                (both, "give the sources of the sink the same `key`".to_owned())
            }
            _ => continue,
        };
        let (reads, read) = (reader.step.title(), read.name());
        let message =
            format!("{reads} reads {read} keys from `{}`, and a [[sink]] writes {written} keys there", **topic);
        problems.add(reader.step.name_at, message, help);
    }
}

/// Whether every record of this link has a window: the key of a record without one is unchanged.
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

fn codec_of(graph: &Graph<'_>, node: &StepNode<'_>, keys: &StepKeys, problems: &mut Problems) -> Option<KeyCodec> {
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

/// Something with keys that a step reads: an input, or the table of a lookup.
struct KeyedInput {
    step: usize,
    at: Place,
    codec: Option<KeyCodec>,
}

fn sides(graph: &Graph<'_>, node: &StepNode<'_>, keys: &StepKeys) -> Vec<KeyedInput> {
    let inputs = node.links.iter();
    let inputs =
        inputs.map(|link| KeyedInput { step: link.from, at: link.at, codec: keys.out(graph, link.from, link.port) });
    let at = node.links.first().map_or(node.step.at, |link| link.at);
    let table = node.table.map(|step| KeyedInput { step, at, codec: keys.out(graph, step, 0) });
    inputs.chain(table).collect()
}

/// Reports sides of a join whose key codecs are known to differ.
fn sides_fit(graph: &Graph<'_>, node: &StepNode<'_>, sides: &[KeyedInput], problems: &mut Problems) -> bool {
    let [left, right] = sides else { return true };
    let (Some(one), Some(other)) = (left.codec, right.codec) else { return true };
    if !is_joined(node) || one == other {
        return true;
    }
    let name = |side: &KeyedInput| graph.nodes.get(side.step).map_or("", |node| &node.step.name);
    let left_keys = format!("`{}` are {}", name(left), one.name());
    let right_keys = format!("`{}` are {}", name(right), other.name());
    let message = format!("{}: the keys of {left_keys}, those of {right_keys}", node.step.title());
    problems.add(right.at, message, "both sides must have the same `key` at their sources");
    false
}

/// Reports a function that can't read the keys of its input.
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
