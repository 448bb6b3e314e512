//! Resolves names: steps, ports, plugins, functions, roles.

use std::collections::{BTreeMap, HashMap};

use super::diagnostic::{Placed, Problems};
use super::graph::{Graph, Link, ResolvedCall, StepNode};
use super::model::{CallName, Input, Pipeline, Step, StepKind};
use super::scalars::{did_you_mean, listed};
use super::unloaded::PluginLoadError;
use millrace_engine::manifest::{Manifest, Role};
use millrace_engine::topology::LATE_PORT;

/// The manifest of each plugin, or why it couldn't be loaded.
pub(super) type Manifests<'a> = BTreeMap<&'a str, Result<&'a Manifest, &'a PluginLoadError>>;

/// Resolves all names of a pipeline. Also returns whether all could be resolved.
pub(super) fn resolve<'a>(
    pipeline: &'a Pipeline,
    manifests: &Manifests<'a>,
    problems: &mut Problems,
) -> (Graph<'a>, bool) {
    let before = problems.count();
    check_plugins(pipeline, manifests, problems);
    let calls = pipeline.steps.iter().map(|step| resolve_call(step, pipeline, manifests, problems)).collect::<Vec<_>>();
    let mut resolver = Resolver { pipeline, calls: &calls, by_name: HashMap::new(), problems };
    for (index, step) in pipeline.steps.iter().enumerate() {
        resolver.by_name.entry(&step.name).or_insert(index);
    }
    let nodes = pipeline.steps.iter().zip(&calls).map(|(step, call)| StepNode {
        step,
        links: resolver.links(step),
        table: resolver.table(step),
        global: resolver.is_global(step),
        call: *call,
    });
    let nodes = nodes.collect();
    let complete = problems.count() == before;
    (Graph { pipeline, nodes }, complete)
}

fn check_plugins(pipeline: &Pipeline, manifests: &Manifests<'_>, problems: &mut Problems) {
    for plugin in &pipeline.plugins {
        let name = plugin.plugin.name.as_str();
        match manifests.get(name) {
            Some(Ok(manifest)) if manifest.config_schema.is_empty() => {
                if let Some(at) = plugin.config_at.filter(|_| plugin.plugin.config != "{}") {
                    problems.add(at, format!("the plugin `{name}` takes no config"), "leave `config` out");
                }
            }
            Some(Ok(_)) => {}
            Some(Err(wrong)) => {
                let at = wrong.place(plugin, &pipeline.sources);
                problems.add_plain(at, format!("the plugin `{name}`: {wrong}"));
            }
            // Without a component, that is reported already.
            None if plugin.plugin.component.as_os_str().is_empty() => {}
            None => problems.add_plain(plugin.component_at, format!("the plugin `{name}` was not loaded")),
        }
    }
}

fn with_article(role: Role) -> String {
    format!("{} {}", if role == Role::Aggregate { "an" } else { "a" }, role.name())
}

/// The role of the functions that a step calls.
fn role_of(step: &Step) -> Role {
    match step.kind {
        StepKind::Join { .. } | StepKind::Lookup { .. } | StepKind::TableJoin { .. } => Role::Join,
        StepKind::Aggregate { .. } => Role::Aggregate,
        StepKind::Process { .. } => Role::Process,
        _ => Role::Transform,
    }
}

fn resolve_call<'a>(
    step: &Step,
    pipeline: &Pipeline,
    manifests: &Manifests<'a>,
    problems: &mut Problems,
) -> Option<ResolvedCall<'a>> {
    let call = step.call()?;
    let names = || pipeline.plugins.iter().map(|plugin| plugin.plugin.name.as_str());
    let Some(plugin) = names().position(|name| name == call.plugin) else {
        let guess = did_you_mean(&call.plugin, names());
        let message = format!("{} calls the unknown plugin `{}`{guess}", step.title(), call.plugin);
        let help = match guess.is_empty() {
            true => format!("add [plugins.{}] with its component", call.plugin),
            false => format!("call it by that name, or add [plugins.{}] with its component", call.plugin),
        };
        problems.add(call.at, message, help);
        return None;
    };
    // A plugin that didn't load is reported where it is named.
    let manifest = (*manifests.get(call.plugin.as_str())?).ok()?;
    let plugin_name = manifest.name.as_str();
    find_function(step, call, manifest, problems).map(|(function, manifest)| ResolvedCall {
        plugin,
        plugin_name,
        function,
        manifest,
    })
}

fn find_function<'a>(
    step: &Step,
    call: &Placed<CallName>,
    manifest: &'a Manifest,
    problems: &mut Problems,
) -> Option<(u32, &'a millrace_engine::manifest::FunctionManifest)> {
    let role = role_of(step);
    let CallName { plugin, function } = &call.value;
    let fitting = || manifest.functions.iter().filter(|function| function.role == role).map(|it| it.name.as_str());
    let help = match fitting().next() {
        Some(_) => format!("its {} functions are {}", role.name(), listed(fitting(), "and")),
        None => format!("it has no {} functions", role.name()),
    };
    let Some(index) = manifest.functions.iter().position(|it| it.name == *function) else {
        let guess = did_you_mean(function, manifest.functions.iter().map(|it| it.name.as_str()));
        problems.add(call.at, format!("the plugin `{plugin}` has no function `{function}`{guess}"), help);
        return None;
    };
    let found = manifest.functions.get(index)?;
    if found.role != role {
        let (is, wants) = (with_article(found.role), with_article(role));
        let message = format!("{} needs {wants} function, and `{plugin}.{function}` is {is} function", step.title());
        problems.add(call.at, message, format!("{help}; [[{}]] calls this one", found.role.name()));
        return None;
    }
    Some((u32::try_from(index).ok()?, found))
}

struct Resolver<'r, 'a> {
    pipeline: &'a Pipeline,
    calls: &'r [Option<ResolvedCall<'a>>],
    by_name: HashMap<&'a str, usize>,
    problems: &'r mut Problems,
}

/// What an input accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InputKind {
    Any,
    Stream,
    Table,
}

impl Resolver<'_, '_> {
    fn links(&mut self, step: &Step) -> Vec<Link> {
        let wanted = match step.kind {
            StepKind::Join { .. } | StepKind::Lookup { .. } => InputKind::Stream,
            StepKind::TableJoin { .. } => InputKind::Table,
            _ => InputKind::Any,
        };
        // Only a join has inputs that differ.
        let two_sided = matches!(step.kind, StepKind::Join { .. } | StepKind::TableJoin { .. });
        let inputs = step.inputs().into_iter().enumerate();
        let links =
            inputs.filter_map(|(index, input)| self.link(step, if two_sided { index } else { 0 }, input, wanted));
        links.collect()
    }

    fn link(&mut self, step: &Step, input: usize, name: &Placed<Input>, wanted: InputKind) -> Option<Link> {
        let from = self.find(step, name)?;
        let source = self.pipeline.steps.get(from)?;
        let is_table = matches!(source.kind, StepKind::Table { .. } | StepKind::TableJoin { .. });
        let (message, help) = match &source.kind {
            StepKind::Sink { .. } => {
                (format!("`{}` is a sink: nothing comes out of it", name.step), "name the step before it")
            }
            StepKind::GlobalTable { .. } => (
                format!("`{}` is a global table: it is looked up, not read", name.step),
                "use [[lookup]], or read the topic with a [[source]]",
            ),
            _ if wanted == InputKind::Stream && is_table => (
                format!("{} needs a stream here, and `{}` is a table", step.title(), name.step),
                "a stream and a table meet in a [[lookup]], two tables in a [[table-join]]",
            ),
            StepKind::TableJoin { .. } if wanted == InputKind::Table => (
                format!("{} needs a kept table here, and `{}` is a [[table-join]]", step.title(), name.step),
                "keep its rows: [[table]] with `from`, and name that",
            ),
            _ if wanted == InputKind::Table && !is_table => (
                format!("{} needs a table here, and `{}` is a [[{}]]", step.title(), name.step, source.table_name()),
                "two streams meet in a [[join]]; [[table]] with `from` makes a table of a stream",
            ),
            _ => return Some(Link { from, port: self.port(from, source, name)?, input, at: name.at }),
        };
        self.problems.add(name.at, message, help);
        None
    }

    /// The table of a lookup.
    fn table(&mut self, step: &Step) -> Option<usize> {
        let StepKind::Lookup { table: Some(name), .. } = &step.kind else { return None };
        let from = self.find(step, name)?;
        let source = self.pipeline.steps.get(from)?;
        if !matches!(source.kind, StepKind::Table { .. } | StepKind::GlobalTable { .. }) {
            let message =
                format!("{} needs a table, and `{}` is a [[{}]]", step.title(), name.step, source.table_name());
            self.problems.add(name.at, message, format!("make a table of it: [[table]] with from = \"{}\"", name.step));
            return None;
        }
        self.port(from, source, name).map(|_| from)
    }

    /// Whether it is a lookup in a global table.
    fn is_global(&self, step: &Step) -> bool {
        let StepKind::Lookup { table: Some(name), .. } = &step.kind else { return false };
        let table = self.by_name.get(name.step.as_str()).and_then(|index| self.pipeline.steps.get(*index));
        table.is_some_and(|table| matches!(table.kind, StepKind::GlobalTable { .. }))
    }

    fn find(&mut self, step: &Step, name: &Placed<Input>) -> Option<usize> {
        if let Some(index) = self.by_name.get(name.step.as_str()) {
            return Some(*index);
        }
        let steps = &self.pipeline.steps;
        let guess =
            did_you_mean(&name.step, steps.iter().filter(|it| it.table_name() != "sink").map(|it| it.name.as_str()));
        let message = format!("{} reads from the unknown step `{}`{guess}", step.title(), name.step);
        let reader = steps.iter().find(|it| it.read().is_some_and(|read| read.topic.value == name.value.to_string()));
        let help = match reader {
            Some(reader) => format!("a topic is named by the step that reads it: `{}`", reader.name),
            None => "name a source, a table or a step of the app".to_owned(),
        };
        self.problems.add(name.at, message, help);
        None
    }

    /// Index of the port named by `step.port`.
    fn port(&mut self, from: usize, source: &Step, name: &Placed<Input>) -> Option<usize> {
        let Some(port) = &name.port else { return Some(0) };
        let calls = !matches!(source.kind, StepKind::Source { .. }) && source.call().is_some();
        // Without a function, its call is reported already.
        let own = if calls { self.calls.get(from)?.as_ref()?.manifest.ports.as_slice() } else { &[] };
        if let Some(found) = own.iter().position(|it| it.name == *port) {
            return Some(found);
        }
        let late = source.kind.can_be_late().then_some("late");
        if late == Some(port) {
            return Some(LATE_PORT);
        }
        let names = || own.iter().map(|it| it.name.as_str()).chain(late);
        let (message, help) = match names().count() {
            0 => (
                format!("{} has no ports, so there is no `{}`", source.title(), name.value),
                format!("write \"{}\"", name.step),
            ),
            count => (
                format!("{} has no port `{port}`{}", source.title(), did_you_mean(port, names())),
                format!("its port{} {}", if count == 1 { " is" } else { "s are" }, listed(names(), "and")),
            ),
        };
        self.problems.add(name.at, message, help);
        None
    }
}
