//! Messages about a wrong command line, without the values in it: one of them may be a password.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Command, Error};
use millrace_engine::secret::HIDDEN;
use millrace_pipeline::APP_KEYS;

/// Whether the command that these words call has `--set`, as all commands do that take pipeline files.
pub(super) fn takes_settings(root: &Command, words: impl IntoIterator<Item = OsString>) -> bool {
    let called = words.into_iter().fold(root, |command, word| command.find_subcommand(word).unwrap_or(command));
    called.get_arguments().any(|argument| argument.get_long() == Some("set"))
}

/// The error with stars in place of values. If a setting is written as an option, the error shows the right form.
pub(super) fn without_values(mut error: Error, takes_settings: bool) -> Error {
    if let Some(setting) = text(&error, ContextKind::InvalidArg).as_deref().and_then(as_setting)
        && takes_settings
    {
        error.remove(ContextKind::Suggested);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![setting.into()]));
    }
    let about_setting = text(&error, ContextKind::InvalidArg).is_some_and(|name| takes_secrets(&name));
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::TrailingArg] {
        if let Some(shown) = text(&error, kind).and_then(|text| without_value(&text)) {
            error.insert(kind, ContextValue::String(shown));
            // Tips repeat the argument.
            error.remove(ContextKind::Suggested);
        }
    }
    if let Some(value) = text(&error, ContextKind::InvalidValue) {
        let shown = if about_setting { Some(only_name(&value)) } else { without_value(&value) };
        error.insert(ContextKind::InvalidValue, ContextValue::String(shown.unwrap_or(value)));
    }
    error
}

/// The right form of an option that has the name of an app-wide setting.
fn as_setting(option: &str) -> Option<String> {
    let name = option.strip_prefix("--")?.split('=').next()?;
    // These are tables, and have no value of their own.
    let known = APP_KEYS.contains(&name) && !["kafka", "limits", "breaker"].contains(&name);
    known.then(|| format!("a setting of the pipeline is changed with '--set {name}=VALUE'"))
}

fn text(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// Whether an option takes settings of the cluster.
fn takes_secrets(option: &str) -> bool {
    ["--set", "--kafka-set"].iter().any(|start| option.starts_with(start))
}

/// `NAME=***` for a name with a value. The names that clap gives to options (`--set <KEY=VALUE>`) are none.
fn without_value(text: &str) -> Option<String> {
    let (name, _) = text.split_once('=').filter(|(name, _)| !name.contains('<'))?;
    Some(format!("{name}={HIDDEN}"))
}

/// The text up to the first character that the name of a setting can't have, with stars in place of the rest.
fn only_name(text: &str) -> String {
    let end = text.find(|one: char| !one.is_ascii_alphanumeric() && !".-_".contains(one));
    match end.and_then(|end| text.get(..end)) {
        Some(name) => format!("{name}{HIDDEN}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Arguments;
    use super::takes_settings;

    #[test]
    fn the_commands_that_take_pipeline_files_take_settings() {
        for (words, takes) in [
            ("run orders.toml --threads 4", true),
            ("check --threads", true),
            ("replay", true),
            ("topology a.toml", true),
            ("topic read orders", false),
            ("topics gc a.toml --threads", true),
            ("topic read run --threads 4", false),
            ("table scan check", false),
            ("demo --threads 4", false),
            ("reset run", false),
            ("", false),
        ] {
            let words = words.split_whitespace().map(Into::into);
            assert_eq!(takes_settings(&Arguments::command(), words), takes);
        }
    }
}
