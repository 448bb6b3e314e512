//! Names of steps: each is unique in the app, over all files.

use std::collections::HashMap;

use super::diagnostic::{Problems, Sources};
use super::merge::APP_KEYS;
use super::model::Step;

/// Reports names that several steps have, and names that `--set` would take for a setting.
pub(super) fn check_names(steps: &[Step], sources: &Sources, problems: &mut Problems) {
    let mut first: HashMap<&str, &Step> = HashMap::new();
    for step in steps.iter().filter(|step| !step.name.is_empty()) {
        if APP_KEYS.contains(&step.name.as_str()) || step.name == "plugins" {
            let message = format!("{}: `{}` is the name of an app-wide key", step.title(), step.name);
            problems.add(step.name_at, message, "give the step another name");
        }
        match first.get(step.name.as_str()) {
            Some(other) => {
                let place = sources.line_of(other.name_at);
                let message = format!("the name `{}` is taken by the [[{}]] at {place}", step.name, other.table_name());
                problems.add(step.name_at, message, "names must differ in all files of an app");
            }
            None => {
                first.insert(&step.name, step);
            }
        }
    }
}
