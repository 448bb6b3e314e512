//! The first answer of a cluster, or why there is none, in the same words for an instance, which waits for it, and for
//! a command, which gives up.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::client::context::{ConnectionTrouble, TroubleContext, trouble};
use crate::error::Error;

/// How long to wait at a time: so soon are a refusal and a stop of the process noticed.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// How long a cluster may take before it counts as silent, where librdkafka knows a reason: one of several brokers may
/// be away.
const SILENT_AFTER_WITH_REASON: Duration = Duration::from_secs(1);

/// The same where nothing is known, as with a firewall that drops packets.
const SILENT_AFTER: Duration = Duration::from_secs(3);

/// The cluster's id. While there is none, `wait` gets the reason, again and again, and says whether to wait on; before
/// the cluster counts as silent, it gets none.
///
/// # Errors
/// [`Error::Setup`]: a broker refuses the client, or the client the broker's certificate. Waiting doesn't help then.
pub(crate) fn cluster_id(
    client: &BaseConsumer<TroubleContext>,
    bootstrap: &str,
    wait: &mut dyn FnMut(Option<Error>) -> bool,
) -> Result<Option<String>, Error> {
    let began = Instant::now();
    loop {
        let asked = Instant::now();
        if let Some(id) = client.client().fetch_cluster_id(POLL_WAIT) {
            return Ok(Some(id));
        }
        // A cluster that has answered without an id is asked no quicker.
        std::thread::park_timeout(POLL_WAIT.saturating_sub(asked.elapsed()));
        let text = match trouble(client) {
            Some(ConnectionTrouble { text, refusal: true }) if began.elapsed() >= SILENT_AFTER_WITH_REASON => {
                return Err(Error::Setup(refusal(bootstrap, &text)));
            }
            Some(ConnectionTrouble { text, .. }) => Some(text).filter(|_| began.elapsed() >= SILENT_AFTER_WITH_REASON),
            None => Some("it hasn't said anything yet".to_owned()).filter(|_| began.elapsed() >= SILENT_AFTER),
        };
        let silence = text.map(|text| Error::Unreachable(format!("no broker answers at {bootstrap}: {text}")));
        if !wait(silence) {
            return Ok(None);
        }
    }
}

fn refusal(bootstrap: &str, text: &str) -> String {
    // librdkafka names only untrusted authorities, and OpenSSL has one text for both.
    let other_host = match text.contains("certificate verify failed") {
        true => "; or the certificate is for another host than this address",
        false => "",
    };
    format!("no connection to Kafka at {bootstrap} is possible: {text}{other_host}")
}
