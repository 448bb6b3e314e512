//! What may follow what in a store.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use millrace_engine::contents::Contents;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::testing::manifest;
use millrace_pipeline::{self as pipeline, SourceFile};

const SOURCE: &str =
    "app = 'a'\n[plugins.p]\ncomponent = 'p.wasm'\n[[source]]\nname = 'in'\ntopic = 'in'\nkey = 'i64'\n";

fn contents(step: &str) -> BTreeMap<String, Contents> {
    contents_by("p", step)
}

/// The same where the plugin has another name of its own.
fn contents_by(plugin: &str, step: &str) -> BTreeMap<String, Contents> {
    let file = SourceFile { path: "a.toml".into(), text: format!("{SOURCE}{step}") };
    let functions = "aggregate sum merges; aggregate total merges; process steps stores=one,two timers; join pair";
    let manifests = BTreeMap::from([("p".to_owned(), manifest(&format!("{plugin}: {functions}")))]);
    pipeline::build(&pipeline::parse(&[file], &Default::default()).unwrap(), &manifests).unwrap().contents()
}

fn aggregate(rest: &str) -> Contents {
    let step = format!("[[aggregate]]\nname = 'sums'\nfrom = 'in'\n{rest}\n[[sink]]\nfrom = 'sums'\ntopic = 'out'\n");
    contents(&step).remove("sums").unwrap()
}

/// Whether state of the one is refused to the other, and with which words.
fn refused(before: &Contents, now: &Contents) -> Option<String> {
    before.goes_on_as(now, "sums").err().map(|changed| format!("{} | {}", changed.before, changed.now))
}

#[test]
fn another_size_or_kind_of_window_is_refused_and_another_grace_is_not() {
    let minute = aggregate("call = 'p.sum'\nwindow = { tumbling = '1m' }");
    let same = ["window = { tumbling = '60s' }\ngrace = '10m'", "window = { hopping = '1m', every = '1m' }"];
    for window in same {
        assert_eq!(refused(&minute, &aggregate(&format!("call = 'p.sum'\n{window}"))), None, "{window}");
    }
    let others = [
        ("window = { tumbling = '5m' }", "an aggregate by `sum` with tumbling windows of 5m"),
        ("window = { hopping = '1m', every = '10s' }", "an aggregate by `sum` with hopping windows of 1m every 10s"),
        ("window = { session = '1500ms' }", "an aggregate by `sum` with session windows with a gap of 1500ms"),
        ("window = { sliding = '1d' }", "an aggregate by `sum` with sliding windows of 1d"),
        ("", "an aggregate by `sum` without windows"),
        (
            "window = { tumbling = '1m' }\nemit = 'final'",
            "an aggregate by `sum` with tumbling windows of 1m and final results",
        ),
    ];
    for (window, now) in others {
        let said = refused(&minute, &aggregate(&format!("call = 'p.sum'\n{window}")));
        assert_eq!(said, Some(format!("an aggregate by `sum` with tumbling windows of 1m | {now}")));
    }
}

#[test]
fn a_step_that_reads_none_of_the_topics_that_it_has_read_is_refused() {
    let over = |topics: &[&str]| {
        let inputs = topics.iter().map(|topic| (*topic).to_owned()).collect();
        Contents { inputs, ..aggregate("call = 'p.sum'") }
    };
    assert_eq!(aggregate("call = 'p.sum'"), over(&["in"]));
    let (a, b, both) = (over(&["a"]), over(&["b"]), over(&["a", "b"]));
    let said = "an aggregate by `sum` without windows of what is in `a` | an aggregate by `sum` without windows of what is \
                in `b`";
    assert_eq!(refused(&a, &b).as_deref(), Some(said));
    assert_eq!((refused(&a, &both), refused(&both, &b)), (None, None), "the way from the one to the other");
    let unknown = over(&[]);
    assert_eq!((refused(&unknown, &b), refused(&a, &unknown)), (None, None), "noted by an earlier version");
}

#[test]
fn another_function_another_kind_of_step_and_other_keys_are_refused() {
    let sums = aggregate("call = 'p.sum'");
    let total = aggregate("call = 'p.total'");
    let said = "an aggregate by `sum` without windows | an aggregate by `total` without windows";
    assert_eq!(refused(&sums, &total).as_deref(), Some(said));
    let called =
        "[[aggregate]]\nname = 'other'\nfrom = 'in'\ncall = 'p.sum'\n[[sink]]\nfrom = 'other'\ntopic = 'out'\n";
    let table = format!("[[table]]\nname = 'sums'\nfrom = 'in'\n{called}");
    let table = contents(&table).remove("sums").unwrap();
    assert_eq!(refused(&sums, &table).as_deref(), Some("an aggregate by `sum` without windows | a table"));
    let text = Contents { key: KeyCodec::String, ..sums.clone() };
    let said = "an aggregate by `sum` without windows with keys of the type `i64` | an aggregate by `sum` without \
                windows with keys of the type `string`";
    assert_eq!(refused(&sums, &text).as_deref(), Some(said));
    let bytes = Contents { key: KeyCodec::Bytes, ..sums.clone() };
    assert_eq!((refused(&sums, &bytes), refused(&bytes, &text)), (None, None));
}

#[test]
fn keys_that_were_read_as_bytes_meanwhile_keep_their_earlier_type() {
    let numbers = aggregate("call = 'p.sum'");
    let bytes = Contents { key: KeyCodec::Bytes, ..numbers.clone() };
    let text = Contents { key: KeyCodec::String, ..numbers.clone() };
    let meanwhile = numbers.goes_on_as(&bytes, "sums").unwrap();
    assert!(refused(&meanwhile, &text).is_some_and(|said| said.contains("with keys of the type `i64` |")));
    assert_eq!(meanwhile.goes_on_as(&numbers, "sums").unwrap(), numbers);
    assert_eq!(bytes.goes_on_as(&text, "sums").unwrap(), text);
}

#[test]
fn the_function_of_another_plugin_with_the_same_name_is_refused() {
    let step = "[[aggregate]]\nname = 'sums'\nfrom = 'in'\ncall = 'p.sum'\n[[sink]]\nfrom = 'sums'\ntopic = 'out'\n";
    let [sales, visits] = ["sales", "visits"].map(|name| contents_by(name, step).remove("sums").unwrap());
    let said = "an aggregate by `sum` without windows of the plugin `sales` | an aggregate by `sum` without windows of \
                the plugin `visits`";
    assert_eq!(refused(&sales, &visits).as_deref(), Some(said));
    let unknown = Contents { plugin: String::new(), ..sales.clone() };
    assert_eq!(unknown.goes_on_as(&visits, "sums").unwrap(), visits, "older versions didn't note it");
}

/// A join of these two.
fn join(left: &str, right: &str) -> Contents {
    let source = |name: &str| format!("[[source]]\nname = '{name}'\ntopic = '{name}'\nkey = 'i64'\n");
    let step = "name = 'pairs'\nwithin = '1h'\ncall = 'p.pair'\n[[sink]]\nfrom = 'pairs'\ntopic = 'out'\n\
                [[sink]]\nfrom = 'in'\ntopic = 'rest'\n";
    let text = format!("{}{}[[join]]\nleft = '{left}'\nright = '{right}'\n{step}", source(left), source(right));
    contents(&text).remove("pairs-window").unwrap()
}

#[test]
fn a_join_whose_sides_are_swapped_is_refused_and_one_whose_source_is_renamed_is_not() {
    let before = join("payments", "stock");
    let said = "a join of streams, `payments` on the left and `stock` on the right | a join of streams, `stock` on the \
                left and `payments` on the right";
    assert_eq!(refused(&before, &join("stock", "payments")).as_deref(), Some(said));
    assert!(refused(&before, &join("stock", "returns")).is_some(), "one of them has changed its side");
    assert_eq!(refused(&before, &join("charges", "stock")), None);
    let older: Contents = serde_json::from_str(r#"{"step":"pairs","entries":"join","key":"i64"}"#).unwrap();
    assert_eq!(older.goes_on_as(&before, "pairs-window").unwrap(), before, "older versions didn't note them");
}

#[test]
fn the_contents_of_all_stores_of_a_step_survive_serialization() {
    let steps = contents(
        "[[process]]\nname = 'steps'\nfrom = 'in'\ncall = 'p.steps'\n[[sink]]\nfrom = 'steps'\ntopic = 'out'\n\
         [[dedup]]\nname = 'once'\nfrom = 'in'\nwithin = '1m'\nby = ['field:id', 'header:id']\n[[sink]]\nfrom = 'once'\ntopic = 'out'\n\
         [[aggregate]]\nname = 'sums'\nfrom = 'in'\ncall = 'p.sum'\nwindow = { tumbling = '1m' }\nemit = 'final'\n[[sink]]\nfrom = 'sums'\ntopic = 'out'\n",
    );
    let said: Vec<_> = steps.iter().map(|(store, contents)| format!("{store}: {}", contents.entries)).collect();
    assert_eq!(
        said,
        [
            "once: a deduplicating step by field:id, header:id",
            "steps-one: a processor by `steps`",
            "steps-timers: the timers of a processor",
            "steps-two: a processor by `steps`",
            "sums: an aggregate by `sum` with tumbling windows of 1m and final results",
            "sums-open: the open windows of an aggregate with tumbling windows of 1m",
        ]
    );
    let text = serde_json::to_string(steps.get("sums").unwrap()).unwrap();
    let expected = r#"{"step":"sums","entries":{"aggregate":{"function":"sum","windows":{"tumbling":60000},"final":true}},"key":"i64","plugin":"p","inputs":["in"]}"#;
    assert_eq!(text, expected);
    assert_eq!(&serde_json::from_str::<Contents>(&text).unwrap(), steps.get("sums").unwrap());
}
