//! The log of the command: its filter, on standard error, as text or JSON.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The variable of the environment that has the filter.
const VARIABLE: &str = "MILLRACE_LOG";

/// Starts the log on standard error: as text on a terminal, and as JSON elsewhere.
///
/// # Errors
/// The variable has a text that is no filter: taken as it stands, it would turn off the warnings of losses.
pub fn start() -> Result<(), String> {
    let text = std::env::var_os(VARIABLE).unwrap_or_default();
    let filter = filter(&text.to_string_lossy())?;
    let terminal = io::stderr().is_terminal();
    // The process that reads the log may end; that must not stop the app.
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let builder = builder.log_internal_errors(false);
    if terminal {
        builder.with_ansi(std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())).init();
    } else {
        builder.json().init();
    }
    Ok(())
}

/// The filter of a text such as `info,millrace_kafka=debug`; that of `info` if it is empty.
fn filter(text: &str) -> Result<EnvFilter, String> {
    // Blanks would count as parts of names, and turn off all that is named rightly.
    let parts: Vec<_> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let mut words = parts.iter().filter(|part| !part.contains(['=', '[']));
    // A word that is no level would be the name of a target, and turn off all others.
    if let Some(word) = words.find(|part| part.parse::<LevelFilter>().is_err()) {
        return Err(format!(
            "{VARIABLE}={text}: `{word}` is no level: those are off, error, warn, info, debug and trace; write one, or \
             also TARGET=LEVEL behind a comma, such as info,millrace_kafka=debug"
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
    fn what_is_no_filter_is_refused_and_turns_nothing_off() {
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
