//! Overrides from the command line.

use super::*;

#[test]
fn an_override_is_checked_like_a_file() {
    let body = "
        [[source]]
        name = \"a\"
        topic = \"a-in\"
        [[join]]
        name = \"aa\"
        left = \"a\"
        right = \"a\"
        within = \"10s\"
        call = \"p.pair\"
        [[sink]]
        from = \"aa\"
        topic = \"out.sums\"
    ";
    let overrides = [
        ("thread", "2"),
        ("threads", "many"),
        ("aa.withn", "5s"),
        ("aa.within", "5x"),
        ("aaa.within", "5s"),
        ("plugins.q.config.x", "1"),
        ("plugins.p.confg.x", "1"),
        ("plugins.p", "1"),
        ("a.topic.name", "x"),
        ("sink-out.sums.key", "none"),
        ("kafka.group.id", "mine"),
        ("app..x", "1"),
        ("", ""),
    ];
    insta::assert_snapshot!(errors_in(&[file(body)], &overrides), @r#"
    --set thread: unknown key `thread`; did you mean `threads`?
      help: KEY is an app-wide key (threads), one of a plugin (plugins.NAME.config.KEY) or of a step (STEP.KEY)
    --set threads: threads of the app must be an integer, not a string
      help: it can be from 1 to 1024
    --set aa.withn: unknown key `withn` in [[join]] `aa`; did you mean `within`?
      help: it can have `name`, `left`, `right`, `kind`, `within`, `before`, `after`, `grace`, `call`, `on-error`, `on-late`, `on-null-key`, `dlq` and `retry`
    --set aa.within: within of [[join]] `aa`: `5x` is not a duration: there is no unit `x`
      help: write a whole number and a unit: "250ms", "10s", "5m", "1h" or "1d"
    --set aaa.within: there is no step `aaa`; did you mean `aa`?
      help: KEY is an app-wide key (threads), one of a plugin (plugins.NAME.config.KEY) or of a step (STEP.KEY)
    --set plugins.q.config.x: there is no plugin `q`; did you mean `p`?
      help: KEY is an app-wide key (threads), one of a plugin (plugins.NAME.config.KEY) or of a step (STEP.KEY)
    --set plugins.p.confg.x: unknown key `confg` in [plugins.p]; did you mean `config`?
      help: it can have `component`, `config` and `limits`
    --set plugins.p: `plugins.p` alone can't be set
      help: KEY is an app-wide key (threads), one of a plugin (plugins.NAME.config.KEY) or of a step (STEP.KEY)
    --set a.topic.name: `topic` is a string, so it has no `name`
      help: KEY is an app-wide key (threads), one of a plugin (plugins.NAME.config.KEY) or of a step (STEP.KEY)
    --set sink-out.sums.key: key of [[sink]] to `out.sums`: `none` is not known
      help: it can be `plain` or `windowed`
    --set kafka.group.id: `group.id` of [kafka] is the host's to set
      help: the consumer group is the app's name
    --set app..x: `app..x` is not a key
      help: KEY is an app-wide key (threads), one of a plugin (plugins.NAME.config.KEY) or of a step (STEP.KEY)
    --set : `` is not a key
      help: KEY is an app-wide key (threads), one of a plugin (plugins.NAME.config.KEY) or of a step (STEP.KEY)
    "#);
}

#[test]
fn overrides_change_settings_steps_and_plugins() {
    let body = "
        plugins.p.config = { a = { b = 1 } }
        kafka.fetch.min.bytes = 5
        [[source]]
        name = \"a\"
        topic = \"a-in\"
        [[join]]
        name = \"aa\"
        left = \"a\"
        right = \"a\"
        within = \"10s\"
        call = \"p.pair\"
        [[sink]]
        from = \"aa\"
        topic = \"out.sums\"
    ";
    let overrides = [
        ("threads", "7"),
        ("on-worker-failure", "stop"),
        ("deploy-on-start", "never"),
        ("flood-guard.share", "0.255"),
        ("commit-interval", "250ms"),
        ("dlq", "dead"),
        ("limits.memory", "1MiB"),
        ("plugins.p.limits.outputs", "5"),
        ("plugins.p.component", "other/q.wasm"),
        ("plugins.p.config.a.c", "text"),
        ("plugins.p.config.a.b", "[1, 2.5, true]"),
        ("kafka.ssl.ca.location", "ca.pem"),
        ("aa.within", "1m"),
        ("aa.on-error", "fail"),
        ("sink-out.sums.topic", "elsewhere"),
    ];
    let topology = topology_of(&[file(&format!("\n{body}"))], &overrides);
    let overrides = overridden(&overrides);
    let given = Given { overrides: &overrides, ..Given::default() };
    let pipeline = parse(&[file(&format!("\n{body}"))], &given).unwrap();
    insta::assert_snapshot!(render(&topology, Format::Text), @r"
    app a

    sub-topology 0
      source a: topic a-in; bytes keys, json values
        -> join aa (left)
        -> join aa (right)
      join aa: inner, 1m before to 1m after, grace 0s; calls p.pair
        store aa-window: window, kept 2m
        -> sink sink-elsewhere
      sink sink-elsewhere: topic elsewhere
      dead letters: dead
    ");
    insta::assert_debug_snapshot!(pipeline.plugins().collect::<Vec<_>>(), @r#"
    [
        PluginUse {
            name: "p",
            component: "other/q.wasm",
            config: "{\"a\":{\"b\":[1,2.5,true],\"c\":\"text\"}}",
            limits: GuestLimits {
                deadline: 1s,
                memory: 1048576,
                output_bytes: 8388608,
                outputs: 5,
                state_ops: 100000,
                state_bytes: 67108864,
            },
        },
    ]
    "#);
    insta::assert_debug_snapshot!((topology.settings, topology.kafka), @r#"
    (
        Settings {
            commit_interval: 250ms,
            threads: 7,
            on_worker_failure: Stop,
            deploy_on_start: Never,
            flood_guard: Some(
                FloodLimits {
                    share: 2550,
                    records: 1000,
                },
            ),
        },
        [
            (
                "fetch.min.bytes",
                ***,
            ),
            (
                "ssl.ca.location",
                ***,
            ),
        ],
    )
    "#);
}
