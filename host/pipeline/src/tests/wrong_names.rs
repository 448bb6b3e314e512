//! Names that don't clash, and names that must be there.

use super::*;

#[test]
fn a_name_that_two_files_of_an_app_have_is_refused() {
    let source = "[[source]]\nname = \"payments\"\ntopic = \"payment-orders\"\n";
    let sink = "[[sink]]\nfrom = \"payments\"\ntopic = \"copy\"\n";
    let merge = "[[merge]]\nname = \"payments\"\nfrom = [\"payments\"]\n";
    let files =
        [raw("one.toml", &format!("app = \"a\"\n{source}{sink}")), raw("two.toml", &format!("app = \"a\"\n{merge}"))];
    insta::assert_snapshot!(errors_in(&files, &[]), @r"
    two.toml:3:8: the name `payments` is taken by the [[source]] at one.toml:3
      help: names must differ in all files of an app
    ");
}

#[test]
fn a_source_that_two_files_say_in_two_ways_is_told() {
    let file = |path: &str, key: &str| {
        let source = format!("[[source]]\nname = \"orders\"\ntopic = \"orders\"\nkey = \"{key}\"\n");
        raw(path, &format!("app = \"a\"\n{source}[[sink]]\nfrom = \"orders\"\ntopic = \"{path}\"\n"))
    };
    insta::assert_snapshot!(errors_in(&[file("one.toml", "i64"), file("two.toml", "string")], &[]), @"
    two.toml:3:8: [[source]] `orders` has another `key` than the one at one.toml:2
      help: make all keys equal, then both are one step; or give this one another name and topic
    ");
}

#[test]
fn a_plugin_that_two_files_name_is_refused() {
    let plugin = "app = \"a\"\n[plugins.p]\ncomponent = \"p.wasm\"\n";
    insta::assert_snapshot!(errors_in(&[raw("one.toml", plugin), raw("two.toml", plugin)], &[]), @r"
    two.toml:2:10: the plugin `p` is there already: one.toml:2
      help: name each plugin in one of the app's files only; every file can call it
    ");
}

#[test]
fn files_of_different_apps_are_refused() {
    let one = raw("one.toml", "app = \"orders\"\nthreads = 2\ndlq = \"dead\"\n");
    let two = raw("two.toml", "app = \"ordres\"\nthreads = 3\ndlq = \"dead\"\n");
    let three = raw("three.toml", "dlq = \"dead\"\n");
    insta::assert_snapshot!(errors_in(&[one, two, three], &[]), @r#"
    two.toml:1:7: `app` differs from one.toml:1
      help: files that are run together are one app; run two apps apart
    two.toml:2:11: `threads` differs from one.toml:2
      help: it counts for the whole app: say it in one file, or the same in all
    three.toml: the file has no `app`
      help: say which app this is part of: app = "orders"
    "#);
}

#[test]
fn a_step_with_the_name_of_an_app_wide_key_is_refused() {
    let body = r#"
        [[source]]
        name = "limits"
        topic = "t"
        [[sink]]
        from = "limits"
        topic = "u"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:4:8: [[source]] `limits`: `limits` is the name of an app-wide key
      help: give the step another name
    ");
}

#[test]
fn the_diagnostic_of_an_unknown_step_names_the_nearest_step() {
    let body = r#"
        [[source]]
        name = "payments"
        topic = "payment-orders"
        [[sink]]
        from = "paymets"
        topic = "one"
        [[sink]]
        from = "payment-orders"
        topic = "two"
        [[lookup]]
        name = "found"
        stream = "payments"
        table = "customers"
        call = "p.pair"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:7:8: [[sink]] to `one` reads from the unknown step `paymets`; did you mean `payments`?
      help: name a source, a table or a step of the app
    a.toml:10:8: [[sink]] to `two` reads from the unknown step `payment-orders`
      help: a topic is named by the step that reads it: `payments`
    a.toml:15:9: [[lookup]] `found` reads from the unknown step `customers`
      help: name a source, a table or a step of the app
    ");
}

#[test]
fn the_diagnostic_of_an_unknown_plugin_names_the_nearest_plugin() {
    let body = r#"
        [[source]]
        name = "payments"
        topic = "payment-orders"
        validate = "p.check"
        [[transform]]
        name = "one"
        from = "payments"
        call = "q.check"
        [[transform]]
        name = "other"
        from = "payments"
        call = "nothing.check"
    "#;
    insta::assert_snapshot!(errors(body), @"
    a.toml:10:8: [[transform]] `one` calls the unknown plugin `q`; did you mean `p`?
      help: call it by that name, or add [plugins.q] with its component
    a.toml:14:8: [[transform]] `other` calls the unknown plugin `nothing`
      help: add [plugins.nothing] with its component
    ");
}

#[test]
fn the_diagnostic_of_an_unknown_function_names_the_nearest_function() {
    let body = r#"
        [[source]]
        name = "payments"
        topic = "payment-orders"
        [[transform]]
        name = "one"
        from = "payments"
        call = "p.chek"
    "#;
    insta::assert_snapshot!(errors(body), @r"
    a.toml:9:8: the plugin `p` has no function `chek`; did you mean `check`?
      help: its transform functions are `check`, `split`, `rekey`, `fan`, `deal` and `texts`
    ");
}

#[test]
fn a_function_of_another_role_is_refused() {
    let body = r#"
        [[source]]
        name = "payments"
        topic = "payment-orders"
        validate = "p.sum"
        [[transform]]
        name = "one"
        from = "payments"
        call = "p.pair"
        [[join]]
        name = "two"
        left = "payments"
        right = "payments"
        within = "10s"
        call = "p.check"
        [[aggregate]]
        name = "three"
        from = "payments"
        call = "p.track"
        [[process]]
        name = "four"
        from = "payments"
        call = "p.sum"
    "#;
    insta::assert_snapshot!(errors(body), @"
    a.toml:6:12: [[source]] `payments` needs a transform function, and `p.sum` is an aggregate function
      help: its transform functions are `check`, `split`, `rekey`, `fan`, `deal` and `texts`; [[aggregate]] calls this one
    a.toml:10:8: [[transform]] `one` needs a transform function, and `p.pair` is a join function
      help: its transform functions are `check`, `split`, `rekey`, `fan`, `deal` and `texts`; [[join]] calls this one
    a.toml:16:8: [[join]] `two` needs a join function, and `p.check` is a transform function
      help: its join functions are `pair`, `resolve` and `moved`; [[transform]] calls this one
    a.toml:20:8: [[aggregate]] `three` needs an aggregate function, and `p.track` is a process function
      help: its aggregate functions are `sum`, `shown` and `text`; [[process]] calls this one
    a.toml:24:8: [[process]] `four` needs a process function, and `p.sum` is an aggregate function
      help: its process functions are `track`, `plain` and `timed`; [[aggregate]] calls this one
    ");
}

#[test]
fn the_diagnostic_of_an_unknown_port_lists_the_ports() {
    let body = r#"
        [[source]]
        name = "payments"
        topic = "payment-orders"
        [[transform]]
        name = "sizes"
        from = "payments"
        call = "p.split"
        [[sink]]
        from = "sizes.hihg"
        topic = "one"
        [[sink]]
        from = "payments.out"
        topic = "two"
        [[aggregate]]
        name = "sums"
        from = "sizes.low"
        call = "p.sum"
        [[sink]]
        from = "sums.late"
        topic = "three"
        [[dedup]]
        name = "once"
        from = "payments"
        by = ["header:id"]
        within = "1d"
        [[sink]]
        from = "once.lat"
        topic = "four"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:11:8: [[transform]] `sizes` has no port `hihg`; did you mean `high`?
      help: its ports are `high` and `low`
    a.toml:14:8: [[source]] `payments` has no ports, so there is no `payments.out`
      help: write "payments"
    a.toml:21:8: [[aggregate]] `sums` has no port `late`
      help: its port is `out`
    a.toml:29:8: [[dedup]] `once` has no port `lat`; did you mean `late`?
      help: its port is `late`
    "#);
}

#[test]
fn a_stream_in_place_of_a_table_is_refused_and_the_reverse() {
    let body = r#"
        [[source]]
        name = "payments"
        topic = "payment-orders"
        [[table]]
        name = "customers"
        topic = "customers"
        [[global-table]]
        name = "rates"
        topic = "rates"
        [[join]]
        name = "one"
        left = "payments"
        right = "customers"
        within = "10s"
        call = "p.pair"
        [[lookup]]
        name = "two"
        stream = "customers"
        table = "payments"
        call = "p.pair"
        [[table-join]]
        name = "three"
        left = "customers"
        right = "payments"
        call = "p.pair"
        [[sink]]
        from = "payments"
        topic = "copy"
        [[sink]]
        from = "sink-copy"
        topic = "copy"
        [[sink]]
        from = "rates"
        topic = "rates-copy"
        [[lookup]]
        name = "four"
        stream = "payments"
        table = "customers.out"
        call = "p.pair"
    "#;
    insta::assert_snapshot!(errors(body), @r#"
    a.toml:15:9: [[join]] `one` needs a stream here, and `customers` is a table
      help: a stream and a table meet in a [[lookup]], two tables in a [[table-join]]
    a.toml:20:10: [[lookup]] `two` needs a stream here, and `customers` is a table
      help: a stream and a table meet in a [[lookup]], two tables in a [[table-join]]
    a.toml:21:9: [[lookup]] `two` needs a table, and `payments` is a [[source]]
      help: make a table of it: [[table]] with from = "payments"
    a.toml:26:9: [[table-join]] `three` needs a table here, and `payments` is a [[source]]
      help: two streams meet in a [[join]]; [[table]] with `from` makes a table of a stream
    a.toml:32:8: `sink-copy` is a sink: nothing comes out of it
      help: name the step before it
    a.toml:35:8: `rates` is a global table: it is looked up, not read
      help: use [[lookup]], or read the topic with a [[source]]
    a.toml:40:9: [[table]] `customers` has no ports, so there is no `customers.out`
      help: write "customers"
    "#);
}

#[test]
fn a_plugin_that_did_not_load_hides_no_other_mistake() {
    let body = "
        [[source]]
        name = \"payments\"
        topic = \"payment-orders\"
        [[transform]]
        name = \"one\"
        from = \"payment\"
        call = \"p.check\"
        thing = 1
    ";
    let manifests = [("p".to_owned(), Err(PluginLoadError::Component("no such file: p.wasm".to_owned())))].into();
    let wrong = crate::check(&read(&[file(body)], &Default::default()), &manifests).unwrap_err();
    insta::assert_snapshot!(show(&wrong), @"
    a.toml:2:23: the plugin `p`: no such file: p.wasm
    a.toml:8:8: [[transform]] `one` reads from the unknown step `payment`; did you mean `payments`?
      help: name a source, a table or a step of the app
    a.toml:10:1: unknown key `thing` in [[transform]] `one`
      help: it can have `name`, `from`, `call`, `on-error`, `on-null-key`, `dlq` and `retry`
    ");
}

#[test]
fn a_refused_config_is_reported_at_the_key_that_the_plugin_names() {
    let body = "
        [plugins.p.config]
        low = 1
        high = 2
        [plugins.p.config.tags]
        prefix = \"x\"
        [[source]]
        name = \"payments\"
        topic = \"payment-orders\"
        [[transform]]
        name = \"one\"
        from = \"payments\"
        call = \"p.check\"
        [[sink]]
        from = \"one\"
        topic = \"out\"
    ";
    let told = |reason: &str, overrides: &[(&str, &str)]| {
        let manifests = [("p".to_owned(), Err(PluginLoadError::Config(reason.to_owned())))].into();
        let overrides = overridden(overrides);
        let pipeline = read(&[file(body)], &Given { overrides: &overrides, ..Given::default() });
        show(&crate::check(&pipeline, &manifests).unwrap_err())
    };
    let high = [("plugins.p.config.high", "0"), ("plugins.p.config.low", "1")];
    insta::assert_snapshot!(told("`high`: must be over `low`", &[]), @"a.toml:5:1: the plugin `p`: `high`: must be over `low`");
    insta::assert_snapshot!(told("`prefix`: invalid type", &[]), @"a.toml:7:1: the plugin `p`: `prefix`: invalid type");
    insta::assert_snapshot!(told("it is all wrong", &[]), @"a.toml:3:12: the plugin `p`: it is all wrong");
    insta::assert_snapshot!(told("`high`: must be over 0", &high), @"--set plugins.p.config.high: the plugin `p`: `high`: must be over 0");
    insta::assert_snapshot!(told("it is all wrong", &high[..1]), @"--set plugins.p.config.high: the plugin `p`: it is all wrong");
    insta::assert_snapshot!(told("`prefix`: invalid type", &high), @"a.toml:7:1: the plugin `p`: `prefix`: invalid type");
}

#[test]
fn the_keys_after_a_plugin_that_did_not_load_are_unknown() {
    let body = "
        [[source]]
        name = \"payments\"
        topic = \"payment-orders\"
        key = \"i64\"
        [[table]]
        name = \"customers\"
        topic = \"customers\"
        key = \"string\"
        [[transform]]
        name = \"by-customer\"
        from = \"payments\"
        call = \"p.rekey\"
        [[lookup]]
        name = \"with-customer\"
        stream = \"by-customer\"
        table = \"customers\"
        call = \"p.pair\"
        [[sink]]
        from = \"with-customer\"
        topic = \"out\"
    ";
    let manifests = [("p".to_owned(), Err(PluginLoadError::Component("no such file: p.wasm".to_owned())))].into();
    let wrong = crate::check(&read(&[file(body)], &Default::default()), &manifests).unwrap_err();
    insta::assert_snapshot!(show(&wrong), @"a.toml:2:23: the plugin `p`: no such file: p.wasm");
}

#[test]
fn a_config_for_a_plugin_that_takes_none_is_refused() {
    let mut manifest = manifest(PLUGIN);
    manifest.config_schema.clear();
    let body = "
        plugins.p.config = { x = 1 }
        [[source]]
        name = \"payments\"
        topic = \"payment-orders\"
        [[transform]]
        name = \"one\"
        from = \"payments\"
        call = \"p.check\"
        [[sink]]
        from = \"one\"
        topic = \"out\"
    ";
    let pipeline = parse(&[file(&format!("\n{body}"))], &Default::default()).unwrap();
    let wrong = build(&pipeline, &[("p".to_owned(), manifest)].into()).unwrap_err();
    insta::assert_snapshot!(show(&wrong), @r"
    a.toml:4:11: the plugin `p` takes no config
      help: leave `config` out
    ");
}
