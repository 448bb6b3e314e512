//! What the command says of itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use insta::assert_snapshot;

use support::Place;

fn help(command: &str) -> String {
    let text = Place::new().millrace(&format!("{command} --help")).good();
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
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
      topic        Read, write, list and make the topics of a data folder, or of a Kafka cluster
      table        Look up what is in the tables of a data folder
      topology     Show what a pipeline consists of
      demo         See it work: the sample orders through their pipeline, and what became of them
      reset        Have an app on Kafka start anew: deletes its committed offsets, its internal topics
                   and its state on disk
      offsets      Show where an app on Kafka goes on in its inputs, or set it: the committed offsets of
                   its group
      completions  Print a completion script for a shell
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Exit codes: 0 done; 1 something is wrong with the pipeline, a plugin, the input, a topic or the data
    folder, and the same start would end the same way; 2 the command line is wrong; 75 another start may
    go well: no broker answers, a disk is full, a thread has failed. 128 and the signal's number: ended
    at once by a second signal.
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
          --set <KEY=VALUE>      Change a setting, such as `commit-interval=100ms`, `resolve.within=1m`
                                 or `plugins.NAME.config.KEY=VALUE`
          --set-file <KEY=FILE>  Change a setting to what a file holds, without the newline at its end,
                                 such as `kafka.sasl.password=/run/secrets/kafka`
      -h, --help                 Print help
      -V, --version              Print version
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
          --set <KEY=VALUE>      Change a setting, such as `commit-interval=100ms`, `resolve.within=1m`
                                 or `plugins.NAME.config.KEY=VALUE`
          --set-file <KEY=FILE>  Change a setting to what a file holds, without the newline at its end,
                                 such as `kafka.sasl.password=/run/secrets/kafka`
          --data <DIR>           Folder of the log and the state [default: .millrace/APP]
          --until-idle           Stop when all input is processed
          --kafka <BOOTSTRAP>    Bootstrap servers of a Kafka cluster
      -h, --help                 Print help
      -V, --version              Print version

    Exit codes: 0 done; 1 something is wrong with the pipeline, a plugin, the input, a topic or the data
    folder, and the same start would end the same way; 2 the command line is wrong; 75 another start may
    go well: no broker answers, a disk is full, a thread has failed. 128 and the signal's number: ended
    at once by a second signal.
    The log goes to standard error, as text on a terminal and as JSON elsewhere; MILLRACE_LOG sets what
    is logged, such as `info` (the default), `debug`, or `warn,millrace_embedded=debug`.
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
          --set <KEY=VALUE>      Change a setting, such as `commit-interval=100ms`, `resolve.within=1m`
                                 or `plugins.NAME.config.KEY=VALUE`
          --set-file <KEY=FILE>  Change a setting to what a file holds, without the newline at its end,
                                 such as `kafka.sasl.password=/run/secrets/kafka`
          --in <FILE>            File of records, one JSON object a line; for a folder, the file in it
                                 that is named after the pipeline (orders.toml: orders.jsonl); without
                                 it, or with `-`, standard input
          --out <FILE>           File to write to; without it, standard output
          --batch <N>            How many records go into one call of a plugin at most; changes the
                                 speed, never the result [default: 500]
          --close-windows        Close the windows that are open at the end, and put out their results
      -h, --help                 Print help
      -V, --version              Print version
    ");
}

#[test]
fn help_of_topic() {
    assert_snapshot!(help("topic"), @"
    Read, write, list and make the topics of a data folder, or of a Kafka cluster

    Usage: millrace topic <COMMAND>

    Commands:
      read    Print the records of a topic, one JSON object a line, partition by partition
      write   Append records, one JSON object a line as `topic read` prints them; also while an app is
              running
      list    List topics with their partitions and numbers of records
      create  Make a topic
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

    These are the records that are committed when the command begins.

    Usage: millrace topic read [OPTIONS] <TOPIC>

    Arguments:
      <TOPIC>
              Name of the topic

    Options:
          --data <DIR>
              Folder of the embedded log and its state [default, without --kafka: the one that there is
              under .millrace]

          --kafka <BOOTSTRAP>
              Bootstrap servers of a Kafka cluster, such as `127.0.0.1:9092`

          --kafka-set <KEY=VALUE>
              A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`;
              may come several times

          --kafka-set-file <KEY=FILE>
              The same with the value in a file, without the newline at its end, such as
              `sasl.password=FILE`

          --partition <N>
              Only this partition

          --from <OFFSET>
              Start at this offset of each partition, or where its log begins if that is later

              [default: 0]

          --limit <N>
              At most this many records

          --key <CODEC>
              Print keys like this. Without it, as the pipeline says that ran on the data folder; Kafka
              doesn't know, so there they come as raw bytes in `keyBase64`

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
    Append records, one JSON object a line as `topic read` prints them; also while an app is running

    The topics must be there. A line that names no partition goes where its key belongs, as with the
    JVM's clients; one without a key goes to each partition in turn.

    Usage: millrace topic write [OPTIONS] [TOPIC]

    Arguments:
      [TOPIC]
              Name of the topic, for lines that have none

    Options:
          --data <DIR>
              Folder of the embedded log and its state [default, without --kafka: the one that there is
              under .millrace]

          --kafka <BOOTSTRAP>
              Bootstrap servers of a Kafka cluster, such as `127.0.0.1:9092`

          --kafka-set <KEY=VALUE>
              A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`;
              may come several times

          --kafka-set-file <KEY=FILE>
              The same with the value in a file, without the newline at its end, such as
              `sasl.password=FILE`

          --in <FILE>
              File of records; without it, or with `-`, standard input

          --key <CODEC>
              Read keys like this. Without it, as the pipeline says that ran on the data folder; Kafka
              doesn't know, so there `key` is refused, and only `keyBase64` is taken

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

    On Kafka the number is that of offsets, which marks of transactions and compacted records take too;
    topics of Kafka's own (`__consumer_offsets`) are left out.

    Usage: millrace topic list [OPTIONS]

    Options:
          --data <DIR>
              Folder of the embedded log and its state [default, without --kafka: the one that there is
              under .millrace]

          --kafka <BOOTSTRAP>
              Bootstrap servers of a Kafka cluster, such as `127.0.0.1:9092`

          --kafka-set <KEY=VALUE>
              A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`;
              may come several times

          --kafka-set-file <KEY=FILE>
              The same with the value in a file, without the newline at its end, such as
              `sasl.password=FILE`

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_topic_create() {
    assert_snapshot!(help("topic create"), @"
    Make a topic

    In a data folder, a pipeline makes its own when it first runs; on Kafka, those that it reads from
    others and writes for others must be there before.

    Usage: millrace topic create [OPTIONS] <TOPIC>

    Arguments:
      <TOPIC>
              Name of the topic

    Options:
          --data <DIR>
              Folder of the embedded log and its state [default, without --kafka: the one that there is
              under .millrace]

          --kafka <BOOTSTRAP>
              Bootstrap servers of a Kafka cluster, such as `127.0.0.1:9092`

          --kafka-set <KEY=VALUE>
              A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`;
              may come several times

          --kafka-set-file <KEY=FILE>
              The same with the value in a file, without the newline at its end, such as
              `sasl.password=FILE`

          --partitions <PARTITIONS>
              Number of partitions [default: 1]

          --replication-factor <N>
              Number of replicas of each partition, on Kafka [default: the broker's]

          --key <CODEC>
              What its keys are, in a data folder [default: bytes]

              Possible values:
              - bytes:  Base64 of any bytes
              - string: Text
              - i64:    Numbers of 8 bytes

          --config <KEY=VALUE>
              A setting of the topic, on Kafka; may come several times. A topic for records with old
              timestamps needs `retention.ms=-1`, or Kafka deletes them soon

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

    Usage: millrace table get [OPTIONS] <TABLE> <KEY>

    Arguments:
      <TABLE>  Name of the table
      <KEY>    The key: a number or text, as the table's keys are; base64 for bytes

    Options:
          --data <DIR>  Folder of the log and the state [default: the one that there is under .millrace]
      -h, --help        Print help
      -V, --version     Print version
    ");
}

#[test]
fn help_of_table_scan() {
    assert_snapshot!(help("table scan"), @"
    Print rows in the order of their keys, page by page

    Usage: millrace table scan [OPTIONS] <TABLE>

    Arguments:
      <TABLE>  Name of the table

    Options:
          --data <DIR>   Folder of the log and the state [default: the one that there is under
                         .millrace]
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

          --set-file <KEY=FILE>
              Change a setting to what a file holds, without the newline at its end, such as
              `kafka.sasl.password=/run/secrets/kafka`

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
          --data <DIR>                 Folder of the log and the state; emptied first [default:
                                       .millrace/demo]
          --kafka <BOOTSTRAP>          Run it on this Kafka cluster, on topics of its own:
                                       `millrace-demo-...`, deleted and made anew
          --kafka-set <KEY=VALUE>      A setting of librdkafka, such as `security.protocol=SASL_SSL` or
                                       `ssl.ca.location=ca.pem`; may come several times
          --kafka-set-file <KEY=FILE>  The same with the value in a file, without the newline at its
                                       end, such as `sasl.password=FILE`
          --pipeline <PIPELINE>        The pipeline to run [default: pipelines/orders.toml]
          --in <FILE>                  The records to run through it [default: samples/orders.jsonl]
      -h, --help                       Print help
      -V, --version                    Print version
    ");
}

#[test]
fn help_of_reset() {
    assert_snapshot!(help("reset"), @"
    Have an app on Kafka start anew: deletes its committed offsets, its internal topics and its state on
    disk

    Usage: millrace reset [OPTIONS] --kafka <BOOTSTRAP> <APP>

    Arguments:
      <APP>  Name of the app

    Options:
          --kafka <BOOTSTRAP>          Bootstrap servers of its Kafka cluster
          --kafka-set <KEY=VALUE>      A setting of librdkafka, such as `security.protocol=SASL_SSL` or
                                       `ssl.ca.location=ca.pem`; may come several times
          --kafka-set-file <KEY=FILE>  The same with the value in a file, without the newline at its
                                       end, such as `sasl.password=FILE`
          --data <DIR>                 Folder with the state of an instance of the app
          --yes                        Don't ask
      -h, --help                       Print help
      -V, --version                    Print version
    ");
}

#[test]
fn help_of_offsets() {
    assert_snapshot!(help("offsets"), @"
    Show where an app on Kafka goes on in its inputs, or set it: the committed offsets of its group

    Usage: millrace offsets [OPTIONS] --kafka <BOOTSTRAP> <APP>

    Arguments:
      <APP>  Name of the app

    Options:
          --kafka <BOOTSTRAP>          Bootstrap servers of its Kafka cluster
          --kafka-set <KEY=VALUE>      A setting of librdkafka, such as `security.protocol=SASL_SSL` or
                                       `ssl.ca.location=ca.pem`; may come several times
          --kafka-set-file <KEY=FILE>  The same with the value in a file, without the newline at its
                                       end, such as `sasl.password=FILE`
          --topic <TOPIC>              Only this topic; may come several times. Without it, all that the
                                       app reads
          --partition <N>              Only this partition of each topic; may come several times
          --to-earliest                Go on at the first record that is there
          --to-latest                  Go on behind the last record
          --to-offset <OFFSET>         Go on at this offset
          --to-datetime <TIME>         Go on at the first record of this time or later:
                                       2026-11-21T17:03:53Z, or milliseconds since the epoch
          --yes                        Don't ask
      -h, --help                       Print help
      -V, --version                    Print version
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
        for command in
            ["check", "run", "replay", "topic", "table", "topology", "demo", "reset", "offsets", "completions"]
        {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}
