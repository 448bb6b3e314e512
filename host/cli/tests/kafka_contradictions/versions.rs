//! Processes with different versions of a plugin.

use crate::cluster::{count, on_kafka, pass};
use crate::support::guest_named;

/// The rules as another component: with a custom section at the end, named `note`.
fn version(number: u8) -> Vec<u8> {
    guest_named("operators.wasm").into_iter().chain(*b"\0\x06\x04note").chain([number]).collect()
}

/// It waits outside the group, which would assign it tasks again and again. The newer process has all tasks.
#[test]
fn a_process_whose_pipeline_the_active_version_does_not_fit_leaves_the_group_and_waits() {
    let Some(kafka) = on_kafka() else { return };
    for topic in ["outdated-in", "outdated-out", "outdated-names"] {
        kafka.create(topic, 2);
    }
    let new = count("outdated", "sums", "");
    // It calls a function that the next version hasn't.
    let old = format!(
        "{new}\n[[global-table]]\nname = \"names\"\ntopic = \"outdated-names\"\nkey = \"i64\"\n[[lookup]]\nname = \"named\"\n\
         stream = \"in\"\ntable = \"names\"\nkind = \"left\"\ncall = \"operators.pair\"\n[[sink]]\nfrom = \"named\"\n\
         topic = \"outdated-pairs\"\n"
    );
    kafka.create("outdated-pairs", 2);
    kafka.place.write("next.wasm", guest_named("operators_next.wasm"));
    kafka.place.write("next.toml", new.replace("operators.wasm", "next.wasm"));
    kafka.place.write("old.toml", old);
    let mut written = 0;
    let mut more = || {
        kafka.write("outdated-in", (written, written + 20));
        written += 20;
        kafka.wait_for("outdated-out", written as usize);
    };
    let mut first = kafka.start("old.toml", "first");
    more();

    let deploy = format!("deploy next.toml --plugin operators=next.wasm --yes --kafka {}", kafka.bootstrap);
    let refused = kafka.place.millrace(&deploy);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("nothing was deployed: process") && refused.err.contains("no function `pair`"),
        "{refused:?}"
    );
    more();
    let list = kafka.place.millrace(&format!("deployments list next.toml --kafka {}", kafka.bootstrap)).good();
    assert!(list.contains("aborted  deploy") && list.contains("runs `operators` generation 1"), "{list}");

    let mut second = kafka.start("next.toml", "second");
    let said = first.logged("this process can't run the active version of a plugin, and leaves the group");
    let reason = said["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("has no function `pair`"), "{reason}");
    second.logged("running");
    more();
    first.logged("waiting outside of the group");
    more();
    assert!(first.is_running(), "it doesn't end");
    assert_eq!(first.terminate().code(), Some(0));
    assert_eq!(second.terminate().code(), Some(0));
    assert_eq!(kafka.read("outdated-out").len(), written as usize);
}

#[test]
fn many_processes_that_start_at_once_with_a_changed_plugin_all_run() {
    let Some(kafka) = on_kafka() else { return };
    for topic in ["crowd-in", "crowd-out"] {
        kafka.create(topic, 1);
    }
    let start = |number: u8| {
        let (toml, wasm) = (format!("c{number}.toml"), format!("c{number}.wasm"));
        kafka.place.write(&wasm, version(number));
        kafka.place.write(&toml, count("crowd", "sums", "").replace("operators.wasm", &wasm));
        kafka.start(&toml, &format!("crowd-{number}"))
    };
    let processes: Vec<_> = (0..16).map(start).collect();
    for mut process in processes {
        let seen = process.wait_for("that it has joined", |line| line.contains("\"to\":\"rebalancing\""));
        let errors: Vec<_> = seen.iter().filter(|line| line.contains("\"level\":\"ERROR\"")).collect();
        assert!(errors.is_empty(), "a healthy start has no errors: {errors:?}");
        assert!(process.is_running());
    }
}

#[test]
fn many_processes_that_start_at_once_after_an_input_has_grown_all_run() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("pass.toml", pass("grown", "grown-in", "grown-out"));
    kafka.create("grown-in", 1);
    kafka.create("grown-out", 1);
    kafka.run("pass.toml", "first").good();
    for partitions in 2..5 {
        kafka.grow("grown-in", partitions);
        let start = |number| kafka.start("pass.toml", &format!("grown-{number}"));
        let mut processes: Vec<_> = (0..4).map(start).collect();
        for process in &mut processes {
            process.wait_for("that it has joined", |line| line.contains("\"to\":\"rebalancing\""));
        }
        for process in &mut processes {
            assert_eq!(process.terminate().code(), Some(0));
        }
    }
}
