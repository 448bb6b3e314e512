//! Settings of pipeline files that no operator implements yet.

use super::*;

#[test]
fn the_diagnostic_of_a_missing_feature_names_an_alternative() {
    let body = r#"
        breaker = { failures = 0.5, calls = 10, pause = "30s" }
        [[source]]
        name = "a"
        topic = "a-in"
        timestamp = "field:at"
        [[source]]
        name = "b"
        topic = "b-in"
        timestamp = "record"
        [[table]]
        name = "t"
        topic = "t-in"
        [[global-table]]
        name = "g"
        topic = "g-in"
        [[join]]
        name = "left"
        left = "a"
        right = "b"
        kind = "left"
        within = "10s"
        call = "p.pair"
        [[join]]
        name = "outer"
        left = "a"
        right = "b"
        kind = "outer"
        within = "10s"
        call = "p.pair"
        [[lookup]]
        name = "found"
        stream = "a"
        table = "t"
        kind = "left"
        call = "p.pair"
        retry = { attempts = 3, delay = "1s", factor = 2 }
        [[lookup]]
        name = "global"
        stream = "a"
        table = "g"
        call = "p.pair"
        [[table-join]]
        name = "tables"
        left = "t"
        right = "t"
        kind = "outer"
        call = "p.pair"
        [[dedup]]
        name = "once"
        from = "a"
        by = ["header:id", "field:id"]
        within = "1d"
        [[aggregate]]
        name = "windowed"
        from = "a"
        call = "p.sum"
        window = { hopping = "5m", every = "1m" }
        grace = "1m"
        emit = "final"
        [[aggregate]]
        name = "rows"
        from = "t"
        call = "p.shown"
        [[process]]
        name = "timed"
        from = "a"
        call = "p.timed"
        [[merge]]
        name = "all"
        from = ["left", "outer", "found", "global", "tables", "once", "windowed", "timed", "rows"]
        [[sink]]
        from = "all"
        topic = "out"
        key = "windowed"
    "#;
    insta::assert_snapshot!(errors(body), @"
    a.toml:3:11: `breaker`: not yet
      help: leave it out: failures are dead-lettered one by one
    a.toml:38:9: `retry` of [[lookup]] `found`: not yet
      help: leave it out: what fails is dead-lettered at once
    ");
}

#[test]
fn a_missing_feature_is_refused_in_every_form() {
    let with = |retry: &str| {
        errors(&format!(
            "\n[[source]]\nname = \"in\"\ntopic = \"in\"\n[[transform]]\nname = \"step\"\nfrom = \"in\"\ncall = \"p.check\"\n\
             retry = {retry}\n[[sink]]\nfrom = \"step\"\ntopic = \"out\"\n"
        ))
    };
    for retry in ["3", "\"3\"", "{ attempts = 3 }"] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(with(retry), @"
            a.toml:10:9: `retry` of [[transform]] `step`: not yet
              help: leave it out: what fails is dead-lettered at once
            ");
        }
    }
}
