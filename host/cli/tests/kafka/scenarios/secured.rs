//! A cluster that is reached over TLS, with a password.

use millrace_broker::{Options, Secure};

use crate::harness::{App, Process, Settings, Shape, options, own_broker};

/// Starts a process that comes with this password, and trusts the broker's certificate or doesn't.
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

/// Ends by itself, and says this.
fn is_refused(mut process: Process, words: &str) {
    assert_eq!(process.wait().code(), Some(1));
    assert!(process.says(words), "{:?}", process.entries());
}

#[test]
fn a_pipeline_runs_over_tls_with_a_password_and_ends_with_words_where_it_is_refused() {
    let Some(cluster) = own_broker(Options { secure: true, ..options() }) else { return };
    let secure = cluster.secure().expect("a secure listener");
    let app =
        App::new(&cluster.bootstrap(), "secured", Shape { seed: 40, orders: 1_000, giants: None }, Settings::default());
    app.feed_all();
    is_refused(start(&app, secure, "wrong", "looking-glass", true), "no connection to Kafka is possible");
    is_refused(start(&app, secure, "strange", secure.password, false), "certificate");
    let process = start(&app, secure, "data", secure.password, true);
    app.finish(process, "data");
}
