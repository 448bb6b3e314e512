//! Messages about typical mistakes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use insta::assert_snapshot;

use support::{Place, Said};

/// Commands with their messages.
fn transcript(place: &Place, commands: &[&str]) -> String {
    let said = |command: &&str| {
        let Said { code, out, err } = place.millrace(command);
        assert_eq!(out, "", "{command}: standard output is for results");
        let err = err.replace(place.path("").to_string_lossy().trim_end_matches('/'), "HERE");
        format!("$ millrace {command}\n{}\nexit {}\n", err.trim_end(), code.unwrap())
    };
    commands.iter().map(said).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_wrong_command_line_ends_with_exit_code_2() {
    let commands = [
        "chekc orders.toml",
        "run orders.toml --threads 4",
        "run orders.toml --commit-interval=1s",
        "topic list --app x",
        "check",
        "run orders.toml --daat x",
        "run orders.toml --set resolve.within",
        "replay orders.toml --batch 0",
        "topic read orders --kafka-set security.protocol=ssl",
        "topic create orders --replication-factor 2",
        "topic create orders --kafka 127.0.0.1:9092 --replication-factor 0",
        "offsets orders --kafka 127.0.0.1:9092 --to-latest --to-offset 3",
        "offsets orders --kafka 127.0.0.1:9092 --to-datetime 2026-11-21",
        "topic read orders --data data --kafka 127.0.0.1:9092",
        "topic list --data data --kafka-set security.protocol=ssl",
        "topic create orders --data data --config retention.ms=-1",
        "topic create orders --kafka 127.0.0.1:9092 --key i64",
        "topic create orders --kafka 127.0.0.1:9092 --config retention.ms",
        "reset orders",
        "topic create orders --data data --partitions 0",
        "topic read orders --data data --key i32",
        "table scan orders --data data --size 0",
        "completions dash",
        "topic list --kafka http://127.0.0.1:9092",
        "run orders.toml --kafka 127.0.0.1:99999",
    ];
    assert_snapshot!(transcript(&Place::new(), &commands), @"
    $ millrace chekc orders.toml
    error: unrecognized subcommand 'chekc'

      tip: a similar subcommand exists: 'check'

    Usage: millrace <COMMAND>

    For more information, try '--help'.
    exit 2

    $ millrace run orders.toml --threads 4
    error: unexpected argument '--threads' found

      tip: a setting of the pipeline is changed with '--set threads=VALUE'

    Usage: millrace run <PIPELINE>...

    For more information, try '--help'.
    exit 2

    $ millrace run orders.toml --commit-interval=1s
    error: unexpected argument '--commit-interval' found

      tip: a setting of the pipeline is changed with '--set commit-interval=VALUE'

    Usage: millrace run <PIPELINE>...

    For more information, try '--help'.
    exit 2

    $ millrace topic list --app x
    error: unexpected argument '--app' found

    Usage: millrace topic list [OPTIONS]

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

    $ millrace topic read orders --kafka-set security.protocol=ssl
    error: the following required arguments were not provided:
      --kafka <BOOTSTRAP>

    Usage: millrace topic read --kafka <BOOTSTRAP> --kafka-set <KEY=VALUE> <TOPIC>

    For more information, try '--help'.
    exit 2

    $ millrace topic create orders --replication-factor 2
    error: the following required arguments were not provided:
      --kafka <BOOTSTRAP>

    Usage: millrace topic create --kafka <BOOTSTRAP> --replication-factor <N> <TOPIC>

    For more information, try '--help'.
    exit 2

    $ millrace topic create orders --kafka 127.0.0.1:9092 --replication-factor 0
    error: invalid value '0' for '--replication-factor <N>': 0 is not in 1..=32767

    For more information, try '--help'.
    exit 2

    $ millrace offsets orders --kafka 127.0.0.1:9092 --to-latest --to-offset 3
    error: the argument '--to-latest' cannot be used with '--to-offset <OFFSET>'

    Usage: millrace offsets --kafka <BOOTSTRAP> --to-latest <APP>

    For more information, try '--help'.
    exit 2

    $ millrace offsets orders --kafka 127.0.0.1:9092 --to-datetime 2026-11-21
    error: invalid value '2026-11-21' for '--to-datetime <TIME>': it is a date without a time of day, as in `T10:00:00Z` behind the date; expected a time from 1970 on with its zone, such as 2026-11-21T17:03:53Z or 2026-11-21T18:03:53+01:00, or milliseconds since the epoch

    For more information, try '--help'.
    exit 2

    $ millrace topic read orders --data data --kafka 127.0.0.1:9092
    error: the argument '--data <DIR>' cannot be used with '--kafka <BOOTSTRAP>'

    Usage: millrace topic read --data <DIR> <TOPIC>

    For more information, try '--help'.
    exit 2

    $ millrace topic list --data data --kafka-set security.protocol=ssl
    error: the argument '--data <DIR>' cannot be used with '--kafka-set <KEY=VALUE>'

    Usage: millrace topic list --data <DIR>

    For more information, try '--help'.
    exit 2

    $ millrace topic create orders --data data --config retention.ms=-1
    error: the argument '--data <DIR>' cannot be used with '--config <KEY=VALUE>'

    Usage: millrace topic create --data <DIR> <TOPIC>

    For more information, try '--help'.
    exit 2

    $ millrace topic create orders --kafka 127.0.0.1:9092 --key i64
    error: the argument '--kafka <BOOTSTRAP>' cannot be used with '--key <CODEC>'

    Usage: millrace topic create --kafka <BOOTSTRAP> <TOPIC>

    For more information, try '--help'.
    exit 2

    $ millrace topic create orders --kafka 127.0.0.1:9092 --config retention.ms
    error: invalid value 'retention.ms' for '--config <KEY=VALUE>': expected KEY=VALUE

    For more information, try '--help'.
    exit 2

    $ millrace reset orders
    error: the following required arguments were not provided:
      --kafka <BOOTSTRAP>

    Usage: millrace reset --kafka <BOOTSTRAP> <APP>

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

    $ millrace topic list --kafka http://127.0.0.1:9092
    error: invalid value 'http://127.0.0.1:9092' for '--kafka <BOOTSTRAP>': a broker has no protocol http://; write HOST:PORT, several with commas, such as 127.0.0.1:9092

    For more information, try '--help'.
    exit 2

    $ millrace run orders.toml --kafka 127.0.0.1:99999
    error: invalid value '127.0.0.1:99999' for '--kafka <BOOTSTRAP>': `99999` is no port: a port is a number from 1 to 65535; write HOST:PORT, several with commas, such as 127.0.0.1:9092

    For more information, try '--help'.
    exit 2
    ");
    let bare = Place::new().millrace("");
    assert_eq!((bare.code, bare.out.as_str()), (Some(2), ""));
    assert!(bare.err.contains("Usage: millrace <COMMAND>"));
}

#[test]
fn a_missing_or_foreign_file_or_folder_ends_with_exit_code_1() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("other/db")).unwrap();
    place.write("other/db/notes.txt", "mine");
    place.write("file", "mine");
    std::fs::create_dir(place.path("foreign")).unwrap();
    place.write("foreign/notes.txt", "mine");
    place.write("records.toml", "{\"topic\":\"orders\",\"key\":1}\n{\"topic\":\"orders\",\"key\":2}\n");
    let commands = [
        "check ordres.toml",
        "check other",
        "check nowhere/orders.toml",
        "check .",
        "run records.toml",
        "replay orders.toml --in ordres.jsonl",
        "replay orders.toml --in other",
        "replay orders.toml --in file",
        "replay orders.toml --out nowhere/out.jsonl",
        "topic list --data nowhere",
        "topic list --data other",
        "topic list --data file",
        "topic write --data data --in ordres.jsonl",
        "topic write --data data --in other",
        "table scan orders --data other",
        "run orders.toml --data other",
        "run orders.toml --data file",
        "run orders.toml --data foreign",
        "run orders.toml --data foreign --kafka 127.0.0.1:1",
        "run orders.toml --data .",
        "topic create orders --data foreign",
        "topic list --kafka 127.0.0.1:1 --kafka-set security.protocl=ssl",
        "reset orders --kafka 127.0.0.1:1 --kafka-set group.id=x",
    ];
    assert_snapshot!(transcript(&place, &commands), @r#"
    $ millrace check ordres.toml
    error: ordres.toml: there is no such file in HERE; did you mean `orders.toml`?
    exit 1

    $ millrace check other
    error: other: it is a folder, and a pipeline is a file
    exit 1

    $ millrace check nowhere/orders.toml
    error: nowhere/orders.toml: there is no such file in HERE/nowhere; that folder doesn't exist
    exit 1

    $ millrace check .
    error: .: it is a folder, and a pipeline is a file; there is `./orders.toml`
    exit 1

    $ millrace run records.toml
    records.toml:1:1: this is JSON, and a pipeline file is TOML
      help: name the pipeline file here; records are read with `--in FILE`
    exit 1

    $ millrace replay orders.toml --in ordres.jsonl
    error: ordres.jsonl: can't be read: No such file or directory (os error 2)
    exit 1

    $ millrace replay orders.toml --in other
    error: other: the folder has no `orders.jsonl`, the file that is named after the pipeline
    exit 1

    $ millrace replay orders.toml --in file
    error: file, line 1: not a JSON object; a line is a record such as {"topic":"orders","key":42,"value":{"id":42},"timestamp":1700000000000}
    exit 1

    $ millrace replay orders.toml --out nowhere/out.jsonl
    error: nowhere/out.jsonl: can't be written: No such file or directory (os error 2)
    exit 1

    $ millrace topic list --data nowhere
    error: nowhere: there is no data of Millrace's here; `millrace run` makes it, with the topics of its pipeline, or `millrace topic create`, with one topic
    exit 1

    $ millrace topic list --data other
    error: other/db: there is no database of Millrace's here
    exit 1

    $ millrace topic list --data file
    error: file: it is a file, where a data folder is needed
    exit 1

    $ millrace topic write --data data --in ordres.jsonl
    error: ordres.jsonl: can't be read: No such file or directory (os error 2)
    exit 1

    $ millrace topic write --data data --in other
    error: other: it is a folder, where a file of records is needed
    exit 1

    $ millrace table scan orders --data other
    error: other/db: there is no database of Millrace's here
    exit 1

    $ millrace run orders.toml --data other
    error: other/db: the folder isn't empty, and what is in it isn't a database of Millrace's
    exit 1

    $ millrace run orders.toml --data file
    error: file: it is a file, where a data folder is needed
    exit 1

    $ millrace run orders.toml --data foreign
    error: foreign: the folder has other files in it, such as `notes.txt`, and no data of Millrace's: name a folder that is empty or not there yet, such as --data foreign/data
    exit 1

    $ millrace run orders.toml --data foreign --kafka 127.0.0.1:1
    error: foreign: the folder has other files in it, such as `notes.txt`, and no data of Millrace's: name a folder that is empty or not there yet, such as --data foreign/data
    exit 1

    $ millrace run orders.toml --data .
    error: .: the folder has other files in it, such as `file`, and no data of Millrace's: name a folder that is empty or not there yet, such as --data ./data
    exit 1

    $ millrace topic create orders --data foreign
    error: foreign: the folder has other files in it, such as `notes.txt`, and no data of Millrace's: name a folder that is empty or not there yet, such as --data foreign/data
    exit 1

    $ millrace topic list --kafka 127.0.0.1:1 --kafka-set security.protocl=ssl
    error: librdkafka has no setting `security.protocl`; did you mean `security.protocol`?
      help: its settings are listed at https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md
    exit 1

    $ millrace reset orders --kafka 127.0.0.1:1 --kafka-set group.id=x
    error: `group.id` can't be set here: the command is in no group
    exit 1
    "#);
    assert!(!place.path("nowhere").exists(), "a command that only reads makes nothing");
    for folder in ["other/db", "foreign"] {
        assert_eq!(std::fs::read_dir(place.path(folder)).unwrap().count(), 1, "what isn't ours stays as it is");
    }
}

#[test]
fn an_unknown_name_or_key_ends_with_exit_code_1() {
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
        "check orders.toml --set plugins.order-status.config.limit=5",
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
    error: there is no table `ordres`; there are `orders`; to keep the records of a step as a table, add a [[table]] with from = "STEP"
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
    error: there is no table `orders`: no pipeline with a [[table]] has run here yet; to keep the records of a step as a table, add a [[table]] with from = "STEP"
    exit 1

    $ millrace run orders.toml --data data --set resolve.withn=1s
    --set resolve.withn: unknown key `withn` in [[join]] `resolve`; did you mean `within`?
      help: it can have `name`, `left`, `right`, `kind`, `within`, `before`, `after`, `grace`, `call`, `on-error`, `on-late`, `on-null-key`, `dlq` and `retry`
    exit 1

    $ millrace run orders.toml --data data --set commit-interval=fast
    --set commit-interval: commit-interval of the app: `fast` is not a duration
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    exit 1

    $ millrace check orders.toml --set plugins.order-status.config.limit=5
    --set plugins.order-status.config.limit: the plugin `order-status`: order_status.wasm: config: the plugin takes no config, but was given {"limit":5}
    exit 1
    "#);
}
