//! A cluster that is reached over TLS, with a password.

use millrace_broker::{Options, Secure};

use crate::harness::{App, Process, Settings, Shape, options, own_broker, until};
use crate::support::Place;

/// Starts a process with this password, which trusts the broker's certificate or not.
fn start(app: &App, secure: &Secure, data: &str, password: &str, trusting: bool) -> Process {
    let Secure { bootstrap, certificate, user, .. } = secure;
    let mut words = format!(
        "run pipeline.toml --kafka {bootstrap} --data {data} --set kafka.security.protocol=SASL_SSL \
         --set kafka.sasl.mechanism=SCRAM-SHA-512 --set kafka.sasl.username={user} --set kafka.sasl.password={password}"
    );
    if trusting {
        words += &format!(" --set kafka.ssl.ca.location={}", certificate.display());
    }
    Process::start(app.command(&words), &app.path(&format!("{data}.log")))
}

/// Checks that the process ends by itself with this message.
fn is_refused(mut process: Process, words: &str) {
    assert_eq!(process.wait().code(), Some(1));
    assert!(process.says(words), "{:?}", process.entries());
}

#[test]
fn a_pipeline_runs_over_tls_with_a_password_and_says_why_if_the_broker_refuses_it() {
    let Some(cluster) = own_broker(Options { secure: true, ..options() }) else { return };
    let secure = cluster.secure().expect("a secure listener");
    let app =
        App::new(&cluster.bootstrap(), "secured", Shape { seed: 40, orders: 1_000, giants: None }, Settings::default());
    app.feed_all();
    is_refused(start(&app, secure, "wrong", "looking-glass", true), "no connection to Kafka at ");
    is_refused(start(&app, secure, "strange", secure.password, false), "certificate");
    let process = start(&app, secure, "data", secure.password, true);
    app.finish(process, "data");
}

/// The messages of a command and of a run that can't reach the cluster, without their common beginning.
fn told(place: &Place, bootstrap: &str, settings: &[&str]) -> [String; 2] {
    let with = |option: &str| settings.iter().map(|set| format!(" {option}{set}")).collect::<String>();
    let list = place.millrace(&format!("topic list --kafka {bootstrap}{}", with("--kafka-set ")));
    let run = format!("run pass.toml --kafka {bootstrap} --data data{}", with("--set kafka."));
    let mut process = Process::start(place.command(&run), &place.path("log"));
    let mut said = String::new();
    until("it says why it doesn't go on", || {
        let entries = process.entries();
        let reason =
            |entry: &serde_json::Value| entry["reason"].as_str().or(entry["error"].as_str()).map(str::to_owned);
        said = entries.iter().find_map(reason).unwrap_or_default();
        !said.is_empty()
    });
    // The process waits and ends when told to, or has ended.
    if said.starts_with("no broker answers") {
        assert_eq!(list.code, Some(75), "{list:?}");
        process.signal(nix::sys::signal::Signal::SIGTERM);
        assert_eq!(process.wait().code(), Some(0), "{said}");
    } else {
        assert_eq!((list.code, process.wait().code()), (Some(1), Some(1)), "{said}");
    }
    [&list.err, &said].map(|text| text.trim().trim_start_matches("error: ").to_owned())
}

#[test]
fn a_command_and_a_run_give_the_same_reason_for_a_failed_connection() {
    let Some(cluster) = own_broker(Options { secure: true, ..options() }) else { return };
    let secure = cluster.secure().expect("a secure listener");
    let place = Place::new();
    place.write(
        "pass.toml",
        "app = \"pass\"\n[[source]]\nname = \"in\"\ntopic = \"in\"\n[[sink]]\nfrom = \"in\"\ntopic = \"out\"\n",
    );
    let trusted = format!("ssl.ca.location={}", secure.certificate.display());
    let (user, password) = (format!("sasl.username={}", secure.user), format!("sasl.password={}", secure.password));
    let by_password = ["security.protocol=SASL_SSL", user.as_str(), password.as_str(), trusted.as_str()];
    let with = |mechanism| [&by_password[..], &[mechanism]].concat();
    let by_name = secure.bootstrap.replace("127.0.0.1", "localhost");
    for (bootstrap, settings, cause) in [
        (secure.bootstrap.as_str(), vec![], "is this a TLS listener"),
        (&cluster.bootstrap(), vec!["security.protocol=ssl"], "is this a listener without TLS"),
        (&secure.bootstrap, with("sasl.mechanism=PLAIN"), "SCRAM-SHA-512"),
        (&by_name, with("sasl.mechanism=SCRAM-SHA-512"), "certificate"),
        ("127.0.0.1:1", vec![], "Connection refused"),
        ("nobody.invalid:9092", vec![], "Failed to resolve 'nobody.invalid:9092'"),
    ] {
        let [list, run] = told(&place, bootstrap, &settings);
        assert!(list.contains(cause), "{bootstrap} {settings:?}: {list}");
        assert_eq!(list, run, "{bootstrap} {settings:?}");
    }
}
