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
      check        Check pipeline files and their plugins: lists all mistakes, and prints nothing if
                   there are none
      run          Run a pipeline until SIGTERM or Ctrl-C: it finishes and commits the records in
                   flight, then stops
      replay       Run the records of a file through a pipeline; timestamps move the clock: the same
                   input gives the same output
      topic        Read, write, list and create topics of a data folder or of a Kafka cluster, and
                   delete orphaned ones [alias: topics]
      table        Print rows of the tables of a data folder
      dlq          Group, list, show and export dead letters, of Millrace and of other systems
      topology     Show the topology of a pipeline: its topics, steps and state
      demo         Try Millrace: run a sample through its pipeline, and show the results
      deploy       Make another version of a plugin the active one, while the app runs: first shows what
                   will change
      deployments  List the deployments of an app, go back to an earlier version of a plugin, or
                   finalise the active one
      reset        Let an app on Kafka start from the beginning: deletes its committed offsets, internal
                   topics and local state
      offsets      Show or set the offsets at which an app on Kafka continues: the committed offsets of
                   its consumer group
      completions  Print a completion script for a shell
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Exit codes: 0: success. 1: the pipeline, a plugin, the input, a topic or the data folder is wrong;
    another start would fail, too. 2: the command line is wrong. 3: what was waited for is still under
    way. 4: it was aborted. 75: another start may succeed, as after no broker answered, a disk was full
    or a thread failed. 128 plus the signal's number: a second signal ended the process at once.
    The log goes to standard error, as text on a terminal and as JSON elsewhere. MILLRACE_LOG sets what
    is logged, such as `info` (the default), `debug`, or `warn,millrace_embedded=debug`.
    ");
}

#[test]
fn help_of_check_shows_its_arguments() {
    assert_snapshot!(help("check"), @"
    Check pipeline files and their plugins: lists all mistakes, and prints nothing if there are none

    Usage: millrace check [OPTIONS] <PIPELINE>...

    Arguments:
      <PIPELINE>...  Pipeline files; several files together are one app

    Options:
          --set <KEY=VALUE>      Change a setting, such as `commit-interval=100ms`, `resolve.within=1m`
                                 or `plugins.NAME.config.KEY=VALUE`
          --set-file <KEY=FILE>  Change a setting to the content of a file, such as
                                 `kafka.sasl.password=/run/secrets/kafka`; a newline at its end is
                                 dropped
          --against <DIR>        Also show what becomes of the state in this data folder: which steps
                                 keep theirs, begin with empty state, or leave some behind. Exit code 1
                                 if a step would misread it
          --kafka <BOOTSTRAP>    The same for the app on this Kafka cluster: its bootstrap servers
      -h, --help                 Print help
      -V, --version              Print version
    ");
}

#[test]
fn help_of_run_shows_its_arguments() {
    assert_snapshot!(help("run"), @"
    Run a pipeline until SIGTERM or Ctrl-C: it finishes and commits the records in flight, then stops

    Usage: millrace run [OPTIONS] <PIPELINE>...

    Arguments:
      <PIPELINE>...  Pipeline files; several files together are one app

    Options:
          --set <KEY=VALUE>      Change a setting, such as `commit-interval=100ms`, `resolve.within=1m`
                                 or `plugins.NAME.config.KEY=VALUE`
          --set-file <KEY=FILE>  Change a setting to the content of a file, such as
                                 `kafka.sasl.password=/run/secrets/kafka`; a newline at its end is
                                 dropped
          --data <DIR>           Folder for the state and, without --kafka, the log [default:
                                 .millrace/APP]
          --until-idle           Stop once all input is processed
          --kafka <BOOTSTRAP>    Run on this Kafka cluster: its bootstrap servers, such as
                                 `127.0.0.1:9092`
      -h, --help                 Print help
      -V, --version              Print version

    Exit codes: 0: success. 1: the pipeline, a plugin, the input, a topic or the data folder is wrong;
    another start would fail, too. 2: the command line is wrong. 3: what was waited for is still under
    way. 4: it was aborted. 75: another start may succeed, as after no broker answered, a disk was full
    or a thread failed. 128 plus the signal's number: a second signal ended the process at once.
    The log goes to standard error, as text on a terminal and as JSON elsewhere. MILLRACE_LOG sets what
    is logged, such as `info` (the default), `debug`, or `warn,millrace_embedded=debug`.
    ");
}

#[test]
fn help_of_replay_shows_its_arguments() {
    assert_snapshot!(help("replay"), @"
    Run the records of a file through a pipeline; timestamps move the clock: the same input gives the
    same output

    Usage: millrace replay [OPTIONS] <PIPELINE>...

    Arguments:
      <PIPELINE>...  Pipeline files; several files together are one app

    Options:
          --set <KEY=VALUE>       Change a setting, such as `commit-interval=100ms`, `resolve.within=1m`
                                  or `plugins.NAME.config.KEY=VALUE`
          --set-file <KEY=FILE>   Change a setting to the content of a file, such as
                                  `kafka.sasl.password=/run/secrets/kafka`; a newline at its end is
                                  dropped
          --in <FILE>             File of records, one JSON object per line [default: standard input, as
                                  is `-`]; in a folder, the file named after the pipeline: orders.jsonl
                                  for orders.toml
          --out <FILE>            File for the output records [default: standard output]
          --batch <N>             Most records in one call of a plugin; changes the speed, never the
                                  result [default: 500]
          --close-windows         Close open windows at the end of the input, and put out their results
          --shadow <NAME=FILE>    Compare another version of a plugin with the one in the files: it gets
                                  the same records and state, and what it does otherwise is reported.
                                  Exit code 4 if there is a difference
          --config <KEY=VALUE>    Change a setting of the shadow's config; with several plugins,
                                  `NAME.KEY=VALUE`
          --ignore <PATTERN>      Differences that are meant, such as `value:/updatedAt`,
                                  `value:/items/*/price`, `headers:trace` or `timestamp`; may be
                                  repeated
          --shadow-report <FILE>  Write all differences to this file, as JSON
      -h, --help                  Print help
      -V, --version               Print version
    ");
}

#[test]
fn help_of_topic_shows_its_commands() {
    assert_snapshot!(help("topic"), @"
    Read, write, list and create topics of a data folder or of a Kafka cluster, and delete orphaned ones

    Usage: millrace topic <COMMAND>

    Commands:
      read    Print the records of a topic, one JSON object per line, partition by partition
      write   Append records, one JSON object per line as `topic read` prints them; also while an app
              runs
      list    List topics with their numbers of partitions and records
      create  Create a topic
      gc      Delete orphaned topics: internal topics that an app on Kafka has made and its pipeline no
              longer has
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version
    ");
}

#[test]
fn help_of_topic_read_shows_its_arguments() {
    assert_snapshot!(help("topic read"), @"
    Print the records of a topic, one JSON object per line, partition by partition

    Prints the records that are committed when the command begins.

    Usage: millrace topic read [OPTIONS] <TOPIC>

    Arguments:
      <TOPIC>
              Name of the topic

    Options:
          --data <DIR>
              Data folder [default, without --kafka: the only one under .millrace]

          --kafka <BOOTSTRAP>
              Bootstrap servers of a Kafka cluster, such as `127.0.0.1:9092`

          --kafka-set <KEY=VALUE>
              A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`;
              may be repeated

          --kafka-set-file <KEY=FILE>
              The same with the value in a file, such as `sasl.password=FILE`; a newline at its end is
              dropped

          --partition <N>
              Read this partition only

          --from <OFFSET>
              Start at this offset of each partition, or at its first offset if that is higher

              [default: 0]

          --limit <N>
              Print at most this many records

          --key <CODEC>
              Codec of the keys. A data folder knows the codec of each topic, from the pipeline that ran
              on it; on Kafka keys are printed as base64 in `keyBase64` unless this is given

              Possible values:
              - bytes:  Any bytes, written as base64
              - string: Text in UTF-8
              - i64:    Big-endian integers of 8 bytes, written as numbers

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_topic_write_shows_its_arguments() {
    assert_snapshot!(help("topic write"), @"
    Append records, one JSON object per line as `topic read` prints them; also while an app runs

    The topics must exist. If a line names no partition, its key decides, as in Kafka's Java client;
    records without a key go to the partitions in turn.

    Usage: millrace topic write [OPTIONS] [TOPIC]

    Arguments:
      [TOPIC]
              Topic of the lines that name none

    Options:
          --data <DIR>
              Data folder [default, without --kafka: the only one under .millrace]

          --kafka <BOOTSTRAP>
              Bootstrap servers of a Kafka cluster, such as `127.0.0.1:9092`

          --kafka-set <KEY=VALUE>
              A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`;
              may be repeated

          --kafka-set-file <KEY=FILE>
              The same with the value in a file, such as `sasl.password=FILE`; a newline at its end is
              dropped

          --in <FILE>
              File of records [default: standard input, as is `-`]

          --key <CODEC>
              Codec of the keys. A data folder knows the codec of each topic, from the pipeline that ran
              on it; on Kafka lines may have `keyBase64`, and `key` only if this is given

              Possible values:
              - bytes:  Any bytes, written as base64
              - string: Text in UTF-8
              - i64:    Big-endian integers of 8 bytes, written as numbers

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_topic_list_shows_its_arguments() {
    assert_snapshot!(help("topic list"), @"
    List topics with their numbers of partitions and records

    On Kafka, offsets are counted: transaction markers and compacted records have some, too. Kafka's
    internal topics, such as `__consumer_offsets`, aren't listed.

    Usage: millrace topic list [OPTIONS]

    Options:
          --data <DIR>
              Data folder [default, without --kafka: the only one under .millrace]

          --kafka <BOOTSTRAP>
              Bootstrap servers of a Kafka cluster, such as `127.0.0.1:9092`

          --kafka-set <KEY=VALUE>
              A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`;
              may be repeated

          --kafka-set-file <KEY=FILE>
              The same with the value in a file, such as `sasl.password=FILE`; a newline at its end is
              dropped

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_topic_create_shows_its_arguments() {
    assert_snapshot!(help("topic create"), @"
    Create a topic

    In a data folder, a pipeline creates its topics when it first runs. On Kafka it creates its internal
    topics only; its input and output topics must exist.

    Usage: millrace topic create [OPTIONS] <TOPIC>

    Arguments:
      <TOPIC>
              Name of the topic

    Options:
          --data <DIR>
              Data folder [default, without --kafka: the only one under .millrace]

          --kafka <BOOTSTRAP>
              Bootstrap servers of a Kafka cluster, such as `127.0.0.1:9092`

          --kafka-set <KEY=VALUE>
              A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`;
              may be repeated

          --kafka-set-file <KEY=FILE>
              The same with the value in a file, such as `sasl.password=FILE`; a newline at its end is
              dropped

          --partitions <PARTITIONS>
              Number of partitions [default: 1]

          --replication-factor <N>
              Number of replicas of each partition, on Kafka [default: the broker's default]

          --key <CODEC>
              Codec of the keys, in a data folder [default: bytes]

              Possible values:
              - bytes:  Any bytes, written as base64
              - string: Text in UTF-8
              - i64:    Big-endian integers of 8 bytes, written as numbers

          --config <KEY=VALUE>
              A setting of the topic, on Kafka; may be repeated. A topic for records with old timestamps
              needs `retention.ms=-1`, or Kafka soon deletes them

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_topics_gc_shows_its_arguments() {
    assert_snapshot!(help("topics gc"), @"
    Delete orphaned topics: internal topics that an app on Kafka has made and its pipeline no longer has

    Such are the changelog and the repartition topic of a step that was renamed or removed. The app must
    have run with this pipeline last, and none of its processes may run meanwhile. The command lists the
    topics, and asks for the app's name.

    Usage: millrace topics gc [OPTIONS] --kafka <BOOTSTRAP> <PIPELINE>...

    Arguments:
      <PIPELINE>...
              Pipeline files; several files together are one app

    Options:
          --set <KEY=VALUE>
              Change a setting, such as `commit-interval=100ms`, `resolve.within=1m` or
              `plugins.NAME.config.KEY=VALUE`

          --set-file <KEY=FILE>
              Change a setting to the content of a file, such as
              `kafka.sasl.password=/run/secrets/kafka`; a newline at its end is dropped

          --kafka <BOOTSTRAP>
              Bootstrap servers of the Kafka cluster

          --drop-unprocessed
              Also delete repartition topics with records that no task has processed: these records are
              lost

          --yes
              Don't ask for confirmation

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_table_shows_its_commands() {
    assert_snapshot!(help("table"), @"
    Print rows of the tables of a data folder

    Usage: millrace table <COMMAND>

    Commands:
      get   Print the row of a key
      scan  Print a page of rows, in the order of their keys
      help  Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version
    ");
}

#[test]
fn help_of_table_get_shows_its_arguments() {
    assert_snapshot!(help("table get"), @"
    Print the row of a key

    Usage: millrace table get [OPTIONS] <TABLE> <KEY>

    Arguments:
      <TABLE>  Name of the table
      <KEY>    The key: a number, text, or base64 for bytes, by the codec of the table's keys

    Options:
          --data <DIR>  Data folder [default: the only one under .millrace]
      -h, --help        Print help
      -V, --version     Print version
    ");
}

#[test]
fn help_of_table_scan_shows_its_arguments() {
    assert_snapshot!(help("table scan"), @"
    Print a page of rows, in the order of their keys

    Usage: millrace table scan [OPTIONS] <TABLE>

    Arguments:
      <TABLE>  Name of the table

    Options:
          --data <DIR>   Data folder [default: the only one under .millrace]
          --page <PAGE>  Number of the page, from 0 [default: 0]
          --size <SIZE>  Rows per page [default: 20]
          --from <KEY>   Begin at this key
          --to <KEY>     End at this key, which is included
      -h, --help         Print help
      -V, --version      Print version
    ");
}

#[test]
fn help_of_topology_shows_its_arguments() {
    assert_snapshot!(help("topology"), @"
    Show the topology of a pipeline: its topics, steps and state

    Usage: millrace topology [OPTIONS] <PIPELINE>...

    Arguments:
      <PIPELINE>...
              Pipeline files; several files together are one app

    Options:
          --set <KEY=VALUE>
              Change a setting, such as `commit-interval=100ms`, `resolve.within=1m` or
              `plugins.NAME.config.KEY=VALUE`

          --set-file <KEY=FILE>
              Change a setting to the content of a file, such as
              `kafka.sasl.password=/run/secrets/kafka`; a newline at its end is dropped

          --format <FORMAT>
              Format of the output

              Possible values:
              - text:    Plain text
              - mermaid: A Mermaid diagram
              - dot:     A Graphviz diagram
              - json:    JSON, for programs

              [default: text]

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_demo_shows_its_arguments() {
    assert_snapshot!(help("demo"), @"
    Try Millrace: run a sample through its pipeline, and show the results

    Usage: millrace demo [OPTIONS] [NAME]

    Arguments:
      [NAME]
              The demo to run

              Possible values:
              - orders:          Payment and stock decide on orders
              - fraud:           Payments that look like fraud
              - recommendations: Recommendations, and products that many look at
              - pricing:         Prices that follow the demand
              - activity:        What customers do in five minutes, and in one visit

              [default: orders]

    Options:
          --data <DIR>
              Folder for the state and, without --kafka, the log; it is emptied first

              [default: .millrace/demo]

          --kafka <BOOTSTRAP>
              Run on this Kafka cluster: its bootstrap servers. Topics `millrace-demo-...` are deleted
              and created again

          --kafka-set <KEY=VALUE>
              A setting of librdkafka, such as `security.protocol=SASL_SSL` or `ssl.ca.location=ca.pem`;
              may be repeated

          --kafka-set-file <KEY=FILE>
              The same with the value in a file, such as `sasl.password=FILE`; a newline at its end is
              dropped

          --pipeline <PIPELINE>
              The pipeline to run [default: that of the demo, such as pipelines/orders.toml]

          --in <FILE>
              The records to run through it [default: those of the demo, such as samples/orders.jsonl]

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn help_of_reset_shows_its_arguments() {
    assert_snapshot!(help("reset"), @"
    Let an app on Kafka start from the beginning: deletes its committed offsets, internal topics and
    local state

    Usage: millrace reset [OPTIONS] --kafka <BOOTSTRAP> <APP>

    Arguments:
      <APP>  Name of the app

    Options:
          --kafka <BOOTSTRAP>          Bootstrap servers of the Kafka cluster
          --kafka-set <KEY=VALUE>      A setting of librdkafka, such as `security.protocol=SASL_SSL` or
                                       `ssl.ca.location=ca.pem`; may be repeated
          --kafka-set-file <KEY=FILE>  The same with the value in a file, such as `sasl.password=FILE`;
                                       a newline at its end is dropped
          --data <DIR>                 Also delete the state in this data folder of the app
          --yes                        Don't ask for confirmation
      -h, --help                       Print help
      -V, --version                    Print version
    ");
}

#[test]
fn help_of_offsets_shows_its_arguments() {
    assert_snapshot!(help("offsets"), @"
    Show or set the offsets at which an app on Kafka continues: the committed offsets of its consumer
    group

    Usage: millrace offsets [OPTIONS] --kafka <BOOTSTRAP> <APP>

    Arguments:
      <APP>  Name of the app

    Options:
          --kafka <BOOTSTRAP>          Bootstrap servers of the Kafka cluster
          --kafka-set <KEY=VALUE>      A setting of librdkafka, such as `security.protocol=SASL_SSL` or
                                       `ssl.ca.location=ca.pem`; may be repeated
          --kafka-set-file <KEY=FILE>  The same with the value in a file, such as `sasl.password=FILE`;
                                       a newline at its end is dropped
          --topic <TOPIC>              Only this topic; may be repeated [default: all topics that the
                                       app reads]
          --partition <N>              Only this partition of each topic; may be repeated
          --to-earliest                Continue at the first record of each partition
          --to-latest                  Continue after the last record of each partition
          --to-offset <OFFSET>         Continue at this offset of each partition
          --to-datetime <TIME>         Continue at the first record of this time or later:
                                       2026-11-21T17:03:53Z, or milliseconds since the epoch
          --yes                        Don't ask for confirmation
      -h, --help                       Print help
      -V, --version                    Print version
    ");
}

#[test]
fn help_of_completions_shows_its_arguments() {
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

#[test]
fn help_of_deploy_shows_its_arguments() {
    assert_snapshot!(help("deploy"), @r#"
        Make another version of a plugin the active one, while the app runs: first shows what will change

        Usage: millrace deploy [OPTIONS] --plugin <NAME=FILE> <PIPELINE>...

        Arguments:
          <PIPELINE>...  Pipeline files; several files together are one app

        Options:
              --set <KEY=VALUE>      Change a setting, such as `commit-interval=100ms`, `resolve.within=1m`
                                     or `plugins.NAME.config.KEY=VALUE`
              --set-file <KEY=FILE>  Change a setting to the content of a file, such as
                                     `kafka.sasl.password=/run/secrets/kafka`; a newline at its end is
                                     dropped
              --plugin <NAME=FILE>   The plugin, and the file of its new component; may be repeated
              --config <KEY=VALUE>   Change a setting of the plugin's config; with several plugins,
                                     `NAME.KEY=VALUE`
              --data <DIR>           Data folder of an app without Kafka [default: .millrace/APP]
              --kafka <BOOTSTRAP>    The app runs on this Kafka cluster: its bootstrap servers, such as
                                     `127.0.0.1:9092`
              --shadow               Try it as a shadow: it gets calls of the active version, with the same
                                     state, and its results are compared and thrown away. `millrace
                                     deployments show` prints the differences, and `promote` makes it active
              --share <PERCENT>      The share of keys whose calls the shadow gets [default: 100%]
              --budget <PERCENT>     The share of each worker's time that the shadow may take; it gets fewer
                                     calls if they take longer [default: 5%]
              --ignore <PATTERN>     Don't report differences like this, such as `value:/updatedAt` or
                                     `timestamp`; may be repeated
              --canary <PERCENT,..>  Try it as a canary: it processes the records of this share of keys,
                                     then of the next, as long as it fails no more often and takes no longer
                                     than the active version; at 100% it is active. With fewer at the end,
                                     it stays there until it is promoted
              --each <TIME>          How long each step of the canary lasts at least, such as `90s`, `10m`
                                     or `1h` [default: 10m]
              --min-records <N>      Results of both versions without which a step of the canary doesn't end
                                     [default: 1000]
              --dry-run              Show what would change, and change nothing
              --json                 Print what changes as JSON
              --yes                  Don't ask for confirmation
              --note <TEXT>          A note for the list of deployments [default: ""]
              --wait                 Wait until every process of the app runs it, as the active version if
                                     it is a canary first. Exit code 3: some didn't within --timeout; 4:
                                     another deployment took its place, or it was aborted
              --timeout <SECONDS>    How many seconds to wait for processes [default: 60]
          -h, --help                 Print help
          -V, --version              Print version
    "#);
}

#[test]
fn help_of_deployments_shows_its_commands() {
    assert_snapshot!(help("deployments"), @r#"
        List the deployments of an app, go back to an earlier version of a plugin, or finalise the active
        one

        Usage: millrace deployments <COMMAND>

        Commands:
          list      List the deployments of an app, the oldest first, and how far its processes are
          show      Show a deployment, with the differences of a shadow or the results of a canary
          rollback  Go back to the version of a plugin that ran before: a new generation with its component
                    and config
          abort     End a trial, or drop a staged version whose `deploy` was interrupted before it became
                    active
          promote   Let a canary go on to its next step, or make a shadow active
          pause     Let a canary stay in its step; it is still aborted if it fails too often
          resume    Let a paused canary go on: its step begins anew
          finalize  Let the active version of a plugin write its newest state version
          help      Print this message or the help of the given subcommand(s)

        Options:
          -h, --help     Print help
          -V, --version  Print version
    "#);
}

#[test]
fn help_of_deployments_promote_shows_its_arguments() {
    assert_snapshot!(help("deployments promote"), @r#"
        Let a canary go on to its next step, or make a shadow active

        Usage: millrace deployments promote [OPTIONS] <PIPELINE>...

        Arguments:
          <PIPELINE>...  Pipeline files; several files together are one app

        Options:
              --set <KEY=VALUE>      Change a setting, such as `commit-interval=100ms`, `resolve.within=1m`
                                     or `plugins.NAME.config.KEY=VALUE`
              --set-file <KEY=FILE>  Change a setting to the content of a file, such as
                                     `kafka.sasl.password=/run/secrets/kafka`; a newline at its end is
                                     dropped
              --data <DIR>           Data folder of an app without Kafka [default: .millrace/APP]
              --kafka <BOOTSTRAP>    The app runs on this Kafka cluster: its bootstrap servers, such as
                                     `127.0.0.1:9092`
              --plugin <NAME>        The plugin [default: the one on trial]
              --full                 Make it active at once, without further steps
              --note <TEXT>          A note for the list of deployments [default: ""]
              --wait                 Wait until every process of the app runs it, as the active version if
                                     it is a canary first. Exit code 3: some didn't within --timeout; 4:
                                     another deployment took its place, or it was aborted
              --timeout <SECONDS>    How many seconds to wait for processes [default: 60]
          -h, --help                 Print help
          -V, --version              Print version
    "#);
}
