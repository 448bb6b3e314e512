//! The commands of docs/swapping.md, one after the other.

use crate::support::{Place, guest, repository, sample};

/// The commands in the page's blocks of shell.
fn commands() -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("docs/swapping.md")).unwrap();
    let blocks = page.split("```sh").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(|block| block.lines().filter(|line| line.starts_with("millrace ")).map(str::to_owned));
    lines.collect()
}

/// An argument in quotes is one word.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    let words = parts.flat_map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
        _ => vec![part.to_owned()],
    });
    words.skip(1).collect()
}

#[test]
fn the_commands_of_the_page_about_swapping_do_what_it_says() {
    let place = Place::new();
    // Another component: with a custom section at the end.
    place.write("order_status_new.wasm", [guest(), b"\0\x06\x04note!".to_vec()].concat());
    let mut run = place.start("run orders.toml --data data");
    run.logged("running");
    let commands = commands();
    place.write("orders.jsonl", sample());
    assert_eq!(commands.len(), 14, "{commands:?}");
    let mut said = Vec::new();
    for command in &commands {
        let here = if command.contains(" check ") { "--against data" } else { "--data data" };
        let command = command.replace("--kafka broker-1:9092", here);
        let output = place.command("").args(words(&command)).output().unwrap();
        said.push((
            command,
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        ));
    }
    assert_eq!(run.terminate().code(), Some(0));
    let codes: Vec<_> =
        said.iter().map(|(command, code, _, err)| (*code, command.as_str(), err.lines().last())).collect();
    // This plugin keeps no state: it writes its newest state version already.
    let refused = |command: &str| command.contains("finalize") && !command.contains("--rewrite");
    let good = |(code, command, _): &(Option<i32>, &str, _)| *code == Some(i32::from(refused(command)));
    assert!(codes.iter().all(good), "{codes:#?}");
    let mut said = said.into_iter().map(|(_, _, out, err)| out + &err);
    for expected in [
        "steps      resolve: they keep their state",
        " equal, 0 different",
        "on trial: `order-status` generation 2 as a shadow; every process of the app runs it\n",
        "status     shadow",
        "on trial: `order-status` generation 4 as a canary with 5% of the keys",
        "paused: `order-status` generation 4\n",
        "aborted: `order-status` generation 4\n",
        "; every process of the app runs it\n",
        "active: `order-status` generation ",
        "not before the holidays",
        "active: `order-status` generation ",
        "writes its newest state versions already",
        "there is nothing to rewrite",
        "step `resolve` begins with empty state",
    ] {
        let said = said.next().unwrap();
        assert!(said.contains(expected), "{expected}: {}", said.lines().last().unwrap_or_default());
    }
}
