//! Settings that librdkafka doesn't know or doesn't take, found without a connection. No value is ever told: it may be
//! a password.

use std::fs::File;
use std::iter::once_with;
use std::time::Duration;

use millrace_engine::secret::{HIDDEN, Secret};
use millrace_pipeline::{nearest, set_by_host};
use rdkafka::ClientConfig;
use rdkafka::bindings::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, ProducerContext};

use super::ClientSettings;
use super::known::Known;
use crate::error::Error;

const LIST: &str =
    "its settings are listed at https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md";

/// Something wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The setting, where it is one alone.
    pub name: Option<String>,
    /// The mistake.
    pub message: String,
    /// The way to mend it.
    pub help: String,
}

/// All mistakes in raw settings: of each setting, or, where each is right, of all of them together, when clients are
/// made with them, which reads the files of certificates and keys.
pub fn mistakes(raw: &[(String, Secret)]) -> Vec<Mistake> {
    if raw.is_empty() {
        return Vec::new();
    }
    let known = Known::load();
    let found: Vec<_> = raw.iter().filter_map(|(name, value)| alone(&known, name, value)).collect();
    match found.is_empty() {
        true => together(&known, raw).into_iter().collect(),
        false => found,
    }
}

/// # Errors
/// [`Error::Setup`] with all [`mistakes`].
pub(crate) fn check(raw: &[(String, Secret)]) -> Result<(), Error> {
    let found = mistakes(raw);
    let told: Vec<_> = found.iter().map(|Mistake { message, help, .. }| format!("{message}\n  help: {help}")).collect();
    if told.is_empty() { Ok(()) } else { Err(Error::Setup(told.join("\n"))) }
}

fn alone(known: &Known, name: &str, value: &Secret) -> Option<Mistake> {
    let result = ClientConfig::new().set(name, value.expose()).create_native_config();
    let (message, help) = match result {
        Ok(_) => return None,
        Err(KafkaError::ClientConfig(RD_KAFKA_CONF_UNKNOWN, ..)) => unknown(known, name),
        // For settings that only the JVM's client has, librdkafka names a replacement.
        Err(KafkaError::ClientConfig(_, reason, ..)) if !known.has(name) => {
            (format!("librdkafka doesn't take the setting `{name}`"), reason)
        }
        Err(_) => (format!("the setting `{name}` can't have this value"), known.takes(name)),
    };
    Some(Mistake { name: Some(name.to_owned()), message, help })
}

/// The mistake of a name that librdkafka doesn't have. A name that would be refused in its turn isn't proposed.
fn unknown(known: &Known, name: &str) -> (String, String) {
    let message = format!("librdkafka has no setting `{name}`");
    match nearest(name, known.names()).map(|near| (near, set_by_host(near))) {
        Some((near, Some(reason))) => (format!("{message}, and `{near}` is the host's to set"), reason.to_owned()),
        Some((near, None)) => (format!("{message}; did you mean `{near}`?"), LIST.to_owned()),
        None => (message, LIST.to_owned()),
    }
}

/// Makes a client of each kind that an instance has, with no cluster to connect to.
fn together(known: &Known, raw: &[(String, Secret)]) -> Option<Mistake> {
    let settings = match ClientSettings::new("check", "check", "", raw, Duration::ZERO) {
        Ok(settings) => settings,
        Err(error) => return Some(Mistake { name: None, message: error.to_string(), help: LIST.to_owned() }),
    };
    let consumers = [settings.admin(), settings.member("check"), settings.fetcher("check")];
    let attempts = consumers.into_iter().map(made::<BaseConsumer<Quiet>>);
    let mut attempts = attempts.chain(once_with(|| made::<BaseProducer<Quiet>>(settings.producer("check"))));
    let reason = hide(known, raw, attempts.find_map(Result::err)?);
    let named = raw.iter().filter(|(name, _)| reason.contains(name.as_str())).max_by_key(|(name, _)| name.len());
    let unreadable = named.and_then(|(name, value)| unreadable(name, value));
    let message = unreadable.unwrap_or_else(|| format!("the Kafka client can't be made: {reason}"));
    let name = named.map(|(name, _)| name.clone());
    let help = match &name {
        Some(name) if name.ends_with(LOCATION) => {
            "give the path of a file or folder that this process can read; it starts at the current folder".to_owned()
        }
        _ => LIST.to_owned(),
    };
    Some(Mistake { name, message, help })
}

/// How the settings end that name a file or folder.
const LOCATION: &str = ".location";

/// The system's error about the file that a setting names, if it can't be read: OpenSSL says only that it failed.
fn unreadable(name: &str, path: &Secret) -> Option<String> {
    let path = Some(path.expose()).filter(|_| name.ends_with(LOCATION))?;
    let found =
        std::fs::metadata(path).and_then(|found| if found.is_dir() { Ok(()) } else { File::open(path).map(drop) });
    found.err().map(|error| format!("`{name}`: {path}: can't be read: {error}"))
}

fn made<T: FromClientConfigAndContext<Quiet>>(mut config: ClientConfig) -> Result<(), String> {
    config.remove("bootstrap.servers");
    match config.create_with_context::<Quiet, T>(Quiet) {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientCreation(reason)) => Err(reason),
        Err(KafkaError::ClientConfig(_, _, name, _)) => Err(format!("it doesn't take the value of `{name}`")),
        Err(error) => Err(error.to_string()),
    }
}

/// A text of librdkafka's without the values that may be secret. Paths and the names of mechanisms aren't.
fn hide(known: &Known, raw: &[(String, Secret)], text: String) -> String {
    let harmless = |name: &str| !known.is_text(name) || name.ends_with(LOCATION) || name.starts_with("sasl.mechanism");
    let secrets = raw.iter().filter(|(name, value)| !harmless(name) && !value.expose().is_empty());
    secrets.fold(text, |text, (_, value)| text.replace(value.expose(), HIDDEN))
}

/// A client that is only made, and hears nothing.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::trace!(?level, facility, "librdkafka: {message}");
    }

    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Quiet {}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(raw: &[(&str, &str)]) -> Vec<(Option<String>, String)> {
        let raw: Vec<_> = raw.iter().map(|(name, value)| ((*name).to_owned(), Secret::from(*value))).collect();
        mistakes(&raw).into_iter().map(|it| (it.name, format!("{}: {}", it.message, it.help))).collect()
    }

    /// What is said of a single setting that is wrong.
    fn said(name: &str, value: &str) -> String {
        let found = found(&[("sasl.username", "alice"), (name, value)]);
        assert_eq!(found.iter().map(|(name, _)| name.as_deref()).collect::<Vec<_>>(), [Some(name)], "{found:?}");
        found.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn settings_that_are_right_are_taken() {
        assert_eq!(found(&[]), []);
        assert_eq!(found(&[("linger.ms", "5"), ("sasl.mechanism", "PLAIN"), ("compression.type", "zstd")]), []);
        let secure = [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", "a"),
            ("sasl.password", "b"),
        ];
        assert_eq!(found(&secure), []);
    }

    #[test]
    fn a_name_that_librdkafka_does_not_know_is_told_with_the_nearest() {
        let text = said("sasl.pasword", "hunter2");
        assert!(
            text.starts_with("librdkafka has no setting `sasl.pasword`; did you mean `sasl.password`?: "),
            "{text}"
        );
        for name in ["bootstrap", "bootstrap.server", "Bootstrap.Servers"] {
            let right =
                "and `bootstrap.servers` is the host's to set: it is given on the command line: --kafka BOOTSTRAP";
            let text = said(name, "one:9092");
            assert_eq!(text, format!("librdkafka has no setting `{name}`, {right}"));
        }
        let text = said("ssl.truststore.location", "hunter2");
        assert!(text.contains("use `ssl.ca.location`"), "{text}");
    }

    #[test]
    fn a_wrong_value_is_reported_with_the_range_of_its_setting_and_without_the_value() {
        for (name, right) in [
            ("security.protocol", "it takes plaintext | ssl | sasl_plaintext | sasl_ssl"),
            ("linger.ms", "it takes numbers from 0 to 900000"),
            ("socket.keepalive.enable", "it takes true | false"),
        ] {
            let text = said(name, "hunter2");
            assert!(text.ends_with(right) && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_mistake_that_only_shows_when_a_client_is_made_is_reported_too() {
        let (name, text) = found(&[("security.protocol", "ssl"), ("ssl.ca.location", "nowhere.pem")]).remove(0);
        assert_eq!(name.as_deref(), Some("ssl.ca.location"));
        let begin = "`ssl.ca.location`: nowhere.pem: can't be read: No such file or directory";
        assert!(text.starts_with(begin) && text.contains("give the path"), "{text}");
        let wrong = [("security.protocol", "sasl_ssl"), ("sasl.mechanism", "GUESS"), ("sasl.password", "SASL")];
        let (_, text) = found(&wrong).remove(0);
        assert!(text.contains("GUESS") && !text.contains("SASL"), "{text}");
    }
}
