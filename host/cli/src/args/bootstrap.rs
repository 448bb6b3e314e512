//! `--kafka`: where the brokers are.

/// Protocols that librdkafka accepts before a broker.
const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

/// Checks a list of brokers as librdkafka reads it: `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`, separated by commas.
/// Returns it unchanged.
///
/// # Errors
/// It isn't such a list: librdkafka would try to connect for ever.
pub(crate) fn bootstrap(text: &str) -> Result<String, String> {
    let mut brokers = text.split(',').map(str::trim).filter(|broker| !broker.is_empty()).peekable();
    if brokers.peek().is_none() {
        return Err("no broker is named; write HOST:PORT, several with commas, such as 127.0.0.1:9092".to_owned());
    }
    for broker in brokers {
        check(broker).map_err(|why| format!("{why}; write HOST:PORT, several with commas, such as 127.0.0.1:9092"))?;
    }
    Ok(text.to_owned())
}

fn check(broker: &str) -> Result<(), String> {
    let address = match broker.split_once("://") {
        Some((protocol, address)) if PROTOCOLS.contains(&protocol.to_lowercase().as_str()) => address,
        Some((protocol, _)) => return Err(format!("a broker has no protocol {protocol}://")),
        None => broker,
    };
    let (host, port) = match address.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((host, ""))) => (host, None),
        Some(Some((host, rest))) => (host, Some(rest.strip_prefix(':').unwrap_or(""))),
        Some(None) => return Err(format!("`{address}` has no `]`")),
        None if address.matches(':').count() > 1 => {
            return Err(format!("`{address}` looks like an IPv6 address: put it in brackets, as in [::1]:9092"));
        }
        None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() || host.contains(|other: char| other.is_whitespace() || other == '/') {
        return Err(format!("`{address}` names no host"));
    }
    match port {
        Some(port) if !port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Err(format!("`{port}` is no port: a port is a number from 1 to 65535"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::bootstrap;

    #[test]
    fn a_list_of_brokers_has_hosts_with_ports() {
        let good = [
            "127.0.0.1:9092",
            "a:1,b:65535",
            "kafka",
            "[::1]:9092",
            "[::1]",
            "SASL_SSL://b.example:9093",
            "a:1, b:2",
            "a:1,",
        ];
        for text in good {
            assert_eq!(bootstrap(text).as_deref(), Ok(text));
        }
        for (text, why) in [
            ("", "no broker is named"),
            (" , ", "no broker is named"),
            ("http://a:9092", "a broker has no protocol http://"),
            ("127.0.0.1:99999", "`99999` is no port"),
            ("a:0", "`0` is no port"),
            ("a:x", "`x` is no port"),
            (":9092", "`:9092` names no host"),
            ("a:9092/", "`9092/` is no port"),
            ("a b:9092", "`a b:9092` names no host"),
            ("[::1:9092", "`[::1:9092` has no `]`"),
            ("[::1]9092", "`` is no port"),
            ("a:", "`` is no port"),
            ("::1", "put it in brackets"),
            ("fe80::1", "put it in brackets"),
        ] {
            let error = bootstrap(text).err();
            assert!(error.as_deref().is_some_and(|error| error.contains(why)), "{text}: {error:?}");
        }
    }
}
