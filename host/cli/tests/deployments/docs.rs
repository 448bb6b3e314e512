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
    assert_eq!(commands.len(), 8, "{commands:?}");
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
    let codes: Vec<_> = said.iter().map(|(_, code, ..)| code.unwrap()).collect();
    // This plugin keeps no state: it writes its newest state version already.
    assert_eq!(codes, [0, 0, 0, 0, 0, 0, 1, 0], "{said:?}");
    assert!(said[0].2.contains("steps      resolve: they keep their state"), "{}", said[0].2);
    assert!(said[1].3.contains(" equal, 0 different"), "{}", said[1].3);
    assert!(said[2].2.ends_with("generation 2; every process of the app runs it\n"), "{}", said[2].2);
    assert!(said[3].2.contains("generation 3"), "{}", said[3].2);
    assert!(said[4].2.contains("rolled-back  deploy") && said[4].2.contains("rounding mended"), "{}", said[4].2);
    assert!(said[7].2.contains("step `resolve` begins with empty state"), "{}", said[7].2);
    assert!(said[6].3.contains("writes its newest state versions already"), "{}", said[6].3);
}
