//! The log of the command, on standard error: its filter, and its form as text or JSON.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The environment variable with the filter.
const VARIABLE: &str = "MILLRACE_LOG";

/// Starts the log on standard error: as text on a terminal, and as JSON elsewhere.
///
/// # Errors
/// The variable's text is no filter: taken literally, it would turn off the warnings about losses.
pub fn start() -> Result<(), String> {
    let text = std::env::var_os(VARIABLE).unwrap_or_default();
    let filter = filter(&text.to_string_lossy())?;
    let terminal = io::stderr().is_terminal();
    // The app must go on if the process that reads the log ends.
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let builder = builder.log_internal_errors(false);
    if terminal {
        builder.with_ansi(std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())).init();
    } else {
        builder.json().init();
    }
    Ok(())
}

/// Parses a filter such as `info,millrace_kafka=debug`; empty text means `info`.
fn filter(text: &str) -> Result<EnvFilter, String> {
    // Blanks would count as part of a name, and turn off everything under the right name.
    let parts: Vec<_> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let mut words = parts.iter().filter(|part| !part.contains(['=', '[']));
    // A word that is no level would count as a target, and turn off all others.
    if let Some(word) = words.find(|part| part.parse::<LevelFilter>().is_err()) {
        return Err(format!(
            "{VARIABLE}={text}: `{word}` is no level: levels are off, error, warn, info, debug and trace; TARGET=LEVEL may follow \
             after a comma, such as info,millrace_kafka=debug"
        ));
    }
    let filter = if parts.is_empty() { "info".to_owned() } else { parts.join(",") };
    EnvFilter::builder().parse(filter).map_err(|error| format!("{VARIABLE}={text}: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::filter;

    #[test]
    fn a_wrong_filter_is_refused_and_turns_nothing_off() {
        for (text, shown) in [
            ("", "info"),
            (" ", "info"),
            (",", "info"),
            ("warn ", "warn"),
            (" warn", "warn"),
            ("info, millrace_kafka=debug", "millrace_kafka=debug,info"),
            ("warn", "warn"),
            ("WARN", "warn"),
            ("info,millrace_kafka=debug", "millrace_kafka=debug,info"),
            ("off", "off"),
        ] {
            assert_eq!(filter(text).unwrap().to_string(), shown, "{text:?}");
        }
        for (text, named) in [("warning", "`warning`"), ("inof", "`inof`"), ("info,loud", "`loud`"), ("a=b=c", "a=b=c")]
        {
            let error = filter(text).unwrap_err();
            assert!(error.contains(named) && error.contains("MILLRACE_LOG"), "{error}");
        }
    }
}
