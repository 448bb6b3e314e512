use millrace_sdk::prelude::*;
use millrace_sdk::testing::{Bench, Record};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(default)]
struct Settings {
    /// Smaller values aren't reviewed.
    minimum: f64,
    tags: Tags,
}

#[derive(Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(default)]
struct Tags {
    prefix: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { minimum: 10.0, tags: Tags::default() }
    }
}

impl Config for Settings {
    fn validate(&self) -> Result<(), String> {
        if self.minimum < 0.0 { Err("minimum: must not be below 0".into()) } else { Ok(()) }
    }
}

#[transform]
fn tag(amount: f64, ctx: Ctx) -> Option<String> {
    let settings: &Settings = ctx.config();
    (amount >= settings.minimum).then(|| format!("{}{amount}", settings.tags.prefix))
}

plugin! { name: "tag", config: Settings, functions: [tag] }

fn refused(json: &str) -> String {
    Bench::with_config(&PLUGIN, json).err().unwrap()
}

#[test]
fn an_empty_config_gives_the_defaults() {
    let outcomes = Bench::new(&PLUGIN).transform("tag", &[Record::new("", "9"), Record::new("", "10")]);
    assert_eq!((outcomes[0].texts().len(), outcomes[1].texts()), (0, vec!["10".into()]));
}

#[test]
fn a_config_reaches_the_rule() {
    let mut bench = Bench::with_config(&PLUGIN, r#"{"minimum":1,"tags":{"prefix":"n="}}"#).unwrap();
    assert_eq!(bench.transform("tag", &[Record::new("", "2")])[0].texts(), ["n=2"]);
}

#[test]
fn what_the_config_does_not_know_or_allow_is_refused() {
    assert_eq!(
        refused(r#"{"minimun":1,"tags":{"x":2}}"#),
        "unknown field `minimun`, `tags.x`; the fields are `minimum`, `tags`"
    );
    assert_eq!(refused(r#"{"tags":{"x":2}}"#), "unknown field `tags.x`; the fields are `prefix`");
    assert_eq!(refused(r#"{"minimum":-1}"#), "minimum: must not be below 0");
    assert_eq!(refused(r#"{"minimum":"a"}"#), "`minimum`: invalid type: string \"a\", expected f64");
    assert_eq!(
        refused(r#"{"minimum":3,"tags":{"prefix":7}}"#),
        "`tags.prefix`: invalid type: integer `7`, expected a string"
    );
    assert_eq!(
        refused(r#"{"tags":{"prefix":"x\":y"},"minimum":"\":"}"#),
        r#"`minimum`: invalid type: string "\":", expected f64"#
    );
    assert_eq!(refused(r#"{"tags":true,"minimum":3}"#), "`tags`: invalid type: boolean `true`, expected struct Tags");
}

#[test]
fn a_field_that_the_config_must_have_is_named() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[allow(dead_code, reason = "it is only read")]
    struct Strict {
        minimum: f64,
        tags: Tags,
    }

    impl Config for Strict {}

    let read = |json| millrace_sdk::__private::read::<Strict>(json).unwrap_err();
    assert_eq!(read(r#"{"tags":{}}"#), "missing field `minimum`");
}

#[test]
fn the_manifest_has_the_schema_of_the_config() {
    let schema: serde_json::Value = serde_json::from_str(&Bench::new(&PLUGIN).manifest().config_schema).unwrap();
    assert_eq!(schema["properties"]["minimum"]["default"], 10.0);
    assert_eq!(schema["properties"]["minimum"]["description"], "Smaller values aren't reviewed.");
}
