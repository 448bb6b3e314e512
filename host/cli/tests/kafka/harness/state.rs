//! Compares the state on disk with its changelogs, and the table with its topic.

use std::path::Path;
use std::sync::Arc;

use millrace_engine::ports::StoreId;
use millrace_store::Database;

use super::app::App;
use super::records::Record;
use super::same::assert_same;
use super::stores::{assert_same_but_for_the_expired, assert_table_of, fold, stored};

/// Checks the state in this folder, which no process uses any more.
pub fn check(app: &App, folder: &Path, orders: &[Vec<Record>]) {
    let database = Arc::new(Database::open_read_only(&folder.join("db")).unwrap());
    let names: Vec<String> = database.stores().map(str::to_owned).collect();
    let topics = app.topics().unwrap();
    let changelogs: Vec<_> = topics.keys().filter(|topic| topic.ends_with("-changelog")).collect();
    assert_eq!(names.len(), changelogs.len(), "stores {names:?}, changelogs {changelogs:?}");
    for (number, name) in names.iter().enumerate() {
        let stored = stored(&database, StoreId(number));
        let changelog = app.kafka.read(&app.topic(&format!("{name}-changelog")));
        let folded = fold(&changelog);
        assert!(!folded.is_empty(), "the changelog of `{name}` is empty");
        match name.as_str() {
            "resolve-window" => assert_same_but_for_the_expired(name, &stored, folded, app.settings.window_ms()),
            _ => assert_same(&format!("state of `{name}` against its changelog"), &folded, &stored),
        }
        if name == "orders" {
            assert_table_of(name, &stored, orders);
        }
    }
}
