//! What the command says of itself, and of typical mistakes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use insta::assert_snapshot;

use support::{Place, Said};

fn help(command: &str) -> String {
    Place::new().millrace(&format!("{command} --help")).good()
}

#[test]
fn help_names_all_commands_and_exit_codes() {
    assert_snapshot!(help(""), @"
    Stream processing with the business rules in sandboxed WebAssembly plugins

    Usage: millrace <COMMAND>

    Commands:
      check        Check pipeline files and their plugins: tells all that is wrong with them, and
                   nothing when they are good
      run          Run a pipeline until it is told to stop (SIGTERM or Ctrl-C): what is under way is
                   finished and committed
      replay       Run records from a file through a pipeline, on a clock that they move: the same input
                   gives the same output
      topic        Read, write and list the topics of a data folder
      table        Look up what is in the tables of a data folder
      topology     Show what a pipeline consists of
      demo         See it work: the sample orders through their pipeline, and what became of them
      completions  Print a completion script for a shell
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Exit codes: 0 done; 1 something is wrong with the pipeline, a plugin, the input or the data folder,
    or the app had to stop; 2 the command line is wrong.
    The log goes to standard error, as text on a terminal and as JSON elsewhere; MILLRACE_LOG sets what
    is logged, such as `info` (the default), `debug`, or `warn,millrace_embedded=debug`.
    ");
}

#[test]
fn help_of_check() {
    assert_snapshot!(help("check"), @"
    Check pipeline files and their plugins: tells all that is wrong with them, and nothing when they are
    good

    Usage: millrace check [OPTIONS] <PIPELINE>...

    Arguments:
      <PIPELINE>...  Pipeline files; several files of one app are one app

    Options:
          --set <KEY=VALUE>  Change a setting, such as `commit-interval=100ms`, `resolve.within=1m` or
                             `plugins.NAME.config.KEY=VALUE`
      -h, --help             Print help
      -V, --version          Print version
    ");
}

#[test]
fn help_of_run() {
    assert_snapshot!(help("run"), @"
    Run a pipeline until it is told to stop (SIGTERM or Ctrl-C): what is under way is finished and
    committed

    Usage: millrace run [OPTIONS] <PIPELINE>...

    Arguments:
      <PIPELINE>...  Pipeline files; several files of one app are one app

    Options:
          --set <KEY=VALUE>    Change a setting, such as `commit-interval=100ms`, `resolve.within=1m` or
                               `plugins.NAME.config.KEY=VALUE`
          --data <DIR>         Folder of the log and the state [default: .millrace/APP]
          --until-idle         Stop when all input is processed
          --kafka <BOOTSTRAP>  Bootstrap servers of a Kafka cluster
      -h, --help               Print help
      -V, --version            Print version
    ");
}

#[test]
fn help_of_replay() {
    assert_snapshot!(help("replay"), @"
    Run records from a file through a pipeline, on a clock that they move: the same input gives the same
    output

    Usage: millrace replay [OPTIONS] <PIPELINE>...

    Arguments:
      <PIPELINE>...  Pipeline files; several files of one app are one app

    Options:
          --set <KEY=VALUE>  Change a setting, such as `commit-interval=100ms`, `resolve.within=1m` or
                             `plugins.NAME.config.KEY=VALUE`
          --in <FILE>        File of records, one JSON object a line; for a folder, the file in it that
                             is named after the pipeline (orders.toml: orders.jsonl); without it,
                             standard input
          --out <FILE>       File to write to; without it, standard output
          --batch <N>        How many records go into one call of a plugin at most; changes the speed,
                             never the result [default: 500]
          --close-windows    Close the windows that are open at the end, and put out their results
      -h, --help             Print help
      -V, --version          Print version
    ");
}

#[test]
fn help_of_topic() {
    assert_snapshot!(help("topic"), @"
    Read, write and list the topics of a data folder

    Usage: millrace topic <COMMAND>

    Commands:
      read    Print the records of a topic, one JSON object a line, partition by partition
      write   Append records, one JSON object a line as `topic read` prints them; also while an app is
              running on the folder
      list    List topics with their partitions and numbers of records
      create  Make a topic; a pipeline makes its own when it first runs
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version
    ");
}

#[test]
fn help_of_topic_read() {
    assert_snapshot!(help("topic read"), @"
    Print the records of a topic, one JSON object a line, partition by partition

    Usage: millrace topic read [OPTIONS] --data <DIR> <TOPIC>

    Arguments:
      <TOPIC>
              Name of the topic

    Options:
          --data <DIR>
              Folder of the log and the state

          --partition <N>
              Only this partition

          --from <OFFSET>
              Start at this offset of each partition

              [default: 0]

          --limit <N>
              At most this many records

          --key <CODEC>
              Print keys like this, whatever the pipeline says

              Possible values:
              - bytes:  Base64 of any bytes
              - string: Text
              - i64:    Numbers of 8 bytes

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_topic_write() {
    assert_snapshot!(help("topic write"), @"
    Append records, one JSON object a line as `topic read` prints them; also while an app is running on
    the folder

    Usage: millrace topic write [OPTIONS] --data <DIR> [TOPIC]

    Arguments:
      [TOPIC]
              Name of the topic, for lines that have none

    Options:
          --data <DIR>
              Folder of the log and the state

          --in <FILE>
              File of records; without it, standard input

          --key <CODEC>
              Read keys like this, whatever the pipeline says

              Possible values:
              - bytes:  Base64 of any bytes
              - string: Text
              - i64:    Numbers of 8 bytes

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_topic_list() {
    assert_snapshot!(help("topic list"), @"
    List topics with their partitions and numbers of records

    Usage: millrace topic list --data <DIR>

    Options:
          --data <DIR>  Folder of the log and the state
      -h, --help        Print help
      -V, --version     Print version
    ");
}

#[test]
fn help_of_topic_create() {
    assert_snapshot!(help("topic create"), @"
    Make a topic; a pipeline makes its own when it first runs

    Usage: millrace topic create [OPTIONS] --data <DIR> <TOPIC>

    Arguments:
      <TOPIC>
              Name of the topic

    Options:
          --data <DIR>
              Folder of the log and the state

          --partitions <PARTITIONS>
              Number of partitions

              [default: 1]

          --key <CODEC>
              What its keys are

              Possible values:
              - bytes:  Base64 of any bytes
              - string: Text
              - i64:    Numbers of 8 bytes

              [default: bytes]

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_table() {
    assert_snapshot!(help("table"), @"
    Look up what is in the tables of a data folder

    Usage: millrace table <COMMAND>

    Commands:
      get   Print the row of a key
      scan  Print rows in the order of their keys, page by page
      help  Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version
    ");
}

#[test]
fn help_of_table_get() {
    assert_snapshot!(help("table get"), @"
    Print the row of a key

    Usage: millrace table get --data <DIR> <TABLE> <KEY>

    Arguments:
      <TABLE>  Name of the table
      <KEY>    The key: a number or text, as the table's keys are; base64 for bytes

    Options:
          --data <DIR>  Folder of the log and the state
      -h, --help        Print help
      -V, --version     Print version
    ");
}

#[test]
fn help_of_table_scan() {
    assert_snapshot!(help("table scan"), @"
    Print rows in the order of their keys, page by page

    Usage: millrace table scan [OPTIONS] --data <DIR> <TABLE>

    Arguments:
      <TABLE>  Name of the table

    Options:
          --data <DIR>   Folder of the log and the state
          --page <PAGE>  Number of the page, from 0 [default: 0]
          --size <SIZE>  Rows of a page [default: 20]
          --from <KEY>   First key
          --to <KEY>     Last key, included
      -h, --help         Print help
      -V, --version      Print version
    ");
}

#[test]
fn help_of_topology() {
    assert_snapshot!(help("topology"), @"
    Show what a pipeline consists of

    Usage: millrace topology [OPTIONS] <PIPELINE>...

    Arguments:
      <PIPELINE>...
              Pipeline files; several files of one app are one app

    Options:
          --set <KEY=VALUE>
              Change a setting, such as `commit-interval=100ms`, `resolve.within=1m` or
              `plugins.NAME.config.KEY=VALUE`

          --format <FORMAT>
              How to show it

              Possible values:
              - text:    For reading
              - mermaid: For Mermaid
              - dot:     For Graphviz
              - json:    For programs

              [default: text]

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_demo() {
    assert_snapshot!(help("demo"), @"
    See it work: the sample orders through their pipeline, and what became of them

    Usage: millrace demo [OPTIONS]

    Options:
          --data <DIR>           Folder of the log and the state; emptied first [default:
                                 .millrace/demo]
          --pipeline <PIPELINE>  The pipeline to run [default: pipelines/orders.toml]
          --in <FILE>            The records to run through it [default: samples/orders.jsonl]
      -h, --help                 Print help
      -V, --version              Print version
    ");
}

#[test]
fn help_of_completions() {
    assert_snapshot!(help("completions"), @"
    Print a completion script for a shell

    Usage: millrace completions <SHELL>

    Arguments:
      <SHELL>  The shell [possible values: bash, elvish, fish, powershell, zsh]

    Options:
      -h, --help     Print help
      -V, --version  Print version
    ");
}

#[test]
fn completions_are_scripts_of_the_shell_that_know_the_commands() {
    let place = Place::new();
    for (shell, start) in
        [("bash", "_millrace() {"), ("zsh", "#compdef millrace"), ("fish", "# Print an optspec"), ("elvish", "\nuse ")]
    {
        let script = place.millrace(&format!("completions {shell}")).good();
        assert!(script.starts_with(start), "{shell}: {}", script.lines().take(2).collect::<String>());
        for command in ["check", "run", "replay", "topic", "table", "topology", "demo", "completions"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}

/// Commands with what each of them says.
fn transcript(place: &Place, commands: &[&str]) -> String {
    let said = |command: &&str| {
        let Said { code, out, err } = place.millrace(command);
        assert_eq!(out, "", "{command}: standard output is for results");
        format!("$ millrace {command}\n{}\nexit {}\n", err.trim_end(), code.unwrap())
    };
    commands.iter().map(said).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let commands = [
        "chekc orders.toml",
        "check",
        "run orders.toml --daat x",
        "run orders.toml --set resolve.within",
        "replay orders.toml --batch 0",
        "topic read orders",
        "topic create orders --data data --partitions 0",
        "topic read orders --data data --key i32",
        "table scan orders --data data --size 0",
        "completions dash",
    ];
    assert_snapshot!(transcript(&Place::new(), &commands), @"
    $ millrace chekc orders.toml
    error: unrecognized subcommand 'chekc'

      tip: a similar subcommand exists: 'check'

    Usage: millrace <COMMAND>

    For more information, try '--help'.
    exit 2

    $ millrace check
    error: the following required arguments were not provided:
      <PIPELINE>...

    Usage: millrace check <PIPELINE>...

    For more information, try '--help'.
    exit 2

    $ millrace run orders.toml --daat x
    error: unexpected argument '--daat' found

      tip: a similar argument exists: '--data'

    Usage: millrace run --data <DIR> <PIPELINE>...

    For more information, try '--help'.
    exit 2

    $ millrace run orders.toml --set resolve.within
    error: invalid value 'resolve.within' for '--set <KEY=VALUE>': expected KEY=VALUE, such as commit-interval=100ms

    For more information, try '--help'.
    exit 2

    $ millrace replay orders.toml --batch 0
    error: invalid value '0' for '--batch <N>': 0 is not in 1..=4294967295

    For more information, try '--help'.
    exit 2

    $ millrace topic read orders
    error: the following required arguments were not provided:
      --data <DIR>

    Usage: millrace topic read --data <DIR> <TOPIC>

    For more information, try '--help'.
    exit 2

    $ millrace topic create orders --data data --partitions 0
    error: invalid value '0' for '--partitions <PARTITIONS>': 0 is not in 1..=4294967295

    For more information, try '--help'.
    exit 2

    $ millrace topic read orders --data data --key i32
    error: invalid value 'i32' for '--key <CODEC>'
      [possible values: bytes, string, i64]

    For more information, try '--help'.
    exit 2

    $ millrace table scan orders --data data --size 0
    error: invalid value '0' for '--size <SIZE>': 0 is not in 1..=100000

    For more information, try '--help'.
    exit 2

    $ millrace completions dash
    error: invalid value 'dash' for '<SHELL>'
      [possible values: bash, elvish, fish, powershell, zsh]

      tip: a similar value exists: 'bash'

    For more information, try '--help'.
    exit 2
    ");
    let bare = Place::new().millrace("");
    assert_eq!((bare.code, bare.out.as_str()), (Some(2), ""));
    assert!(bare.err.contains("Usage: millrace <COMMAND>"));
}

#[test]
fn files_and_folders_that_are_not_there_or_not_ours_are_exit_code_1() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("other/db")).unwrap();
    place.write("other/db/notes.txt", "mine");
    place.write("file", "mine");
    let commands = [
        "check ordres.toml",
        "replay orders.toml --in ordres.jsonl",
        "replay orders.toml --in other",
        "replay orders.toml --in file",
        "replay orders.toml --out nowhere/out.jsonl",
        "topic list --data nowhere",
        "topic list --data other",
        "topic list --data file",
        "topic write --data data --in ordres.jsonl",
        "table scan orders --data other",
        "run orders.toml --data other",
        "run orders.toml --data file",
        "run orders.toml --kafka localhost:9092",
    ];
    assert_snapshot!(transcript(&place, &commands), @r#"
    $ millrace check ordres.toml
    error: ordres.toml: can't be read: No such file or directory (os error 2)
    exit 1

    $ millrace replay orders.toml --in ordres.jsonl
    error: ordres.jsonl: can't be read: No such file or directory (os error 2)
    exit 1

    $ millrace replay orders.toml --in other
    error: other/orders.jsonl: can't be read: No such file or directory (os error 2)
    exit 1

    $ millrace replay orders.toml --in file
    error: line 1: not a JSON object; a line is a record such as {"topic":"orders","key":42,"value":{"id":42},"timestamp":1700000000000}
    exit 1

    $ millrace replay orders.toml --out nowhere/out.jsonl
    error: nowhere/out.jsonl: can't be written: No such file or directory (os error 2)
    exit 1

    $ millrace topic list --data nowhere
    error: nowhere/db: there is no database of Millrace's here
    exit 1

    $ millrace topic list --data other
    error: other/db: there is no database of Millrace's here
    exit 1

    $ millrace topic list --data file
    error: file/db: this isn't a folder
    exit 1

    $ millrace topic write --data data --in ordres.jsonl
    error: ordres.jsonl: can't be read: No such file or directory (os error 2)
    exit 1

    $ millrace table scan orders --data other
    error: other/db: there is no database of Millrace's here
    exit 1

    $ millrace run orders.toml --data other
    error: other/db: the folder isn't empty, and what is in it isn't a database of Millrace's
    exit 1

    $ millrace run orders.toml --data file
    error: file/db: can't be made: Not a directory (os error 20)
    exit 1

    $ millrace run orders.toml --kafka localhost:9092
    error: --kafka isn't supported yet; without it the log is embedded, in the data folder
    exit 1
    "#);
    assert!(!place.path("nowhere").exists(), "a command that only reads makes nothing");
    assert_eq!(std::fs::read_dir(place.path("other/db")).unwrap().count(), 1, "what isn't ours stays as it is");
}

#[test]
fn names_and_keys_that_are_not_there_are_exit_code_1() {
    let place = Place::new();
    place.create_topics("empty", 2);
    place.millrace("run orders.toml --data data --until-idle").good();
    let commands = [
        "topic read ordres --data data",
        "topic read orders --data data --partition 3",
        "topic write ordres --data data",
        "topic create orders --data data --partitions 2",
        "table get ordres 1 --data data",
        "table get orders one --data data",
        "table get orders 1 --data data",
        "table scan orders --from a --data data",
        "table scan orders --data empty",
        "run orders.toml --data data --set resolve.withn=1s",
        "run orders.toml --data data --set commit-interval=fast",
    ];
    assert_snapshot!(transcript(&place, &commands), @r#"
    $ millrace topic read ordres --data data
    error: there is no topic `ordres`; there are `orders`, `payment-orders`, `recovererDLQ`, `stock-orders`
    exit 1

    $ millrace topic read orders --data data --partition 3
    error: topic `orders` has no partition 3: its last one is 0
    exit 1

    $ millrace topic write ordres --data data
    error: there is no topic `ordres`; there are `orders`, `payment-orders`, `recovererDLQ`, `stock-orders`
    exit 1

    $ millrace topic create orders --data data --partitions 2
    error: topic `orders` has 1 partitions, not 2
    exit 1

    $ millrace table get ordres 1 --data data
    error: there is no table `ordres`; there are `orders`
    exit 1

    $ millrace table get orders one --data data
    error: key `one`: this table's keys are whole numbers of 64 bits
    exit 1

    $ millrace table get orders 1 --data data
    error: table `orders` has no row `1`
    exit 1

    $ millrace table scan orders --from a --data data
    error: key `a`: this table's keys are whole numbers of 64 bits
    exit 1

    $ millrace table scan orders --data empty
    error: there is no table `orders`: no pipeline with a table has run here yet
    exit 1

    $ millrace run orders.toml --data data --set resolve.withn=1s
    --set resolve.withn=1s: unknown key `withn` in [[join]] `resolve`; did you mean `within`?
      help: it can have `name`, `left`, `right`, `kind`, `within`, `before`, `after`, `grace`, `call`, `on-error`, `on-late`, `on-null-key`, `dlq` and `retry`
    exit 1

    $ millrace run orders.toml --data data --set commit-interval=fast
    --set commit-interval=fast: commit-interval of the app: `fast` is not a duration
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    exit 1
    "#);
}
