//! An app on a cluster, as messages name both.

/// An app on a cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct App<'a> {
    pub(crate) name: &'a str,
    pub(crate) bootstrap: &'a str,
}

impl App<'_> {
    /// The command that resets the app.
    pub(crate) fn reset(self) -> String {
        let Self { name, bootstrap } = self;
        format!("`millrace reset {name} --kafka {bootstrap}`")
    }

    /// The command that shows its committed offsets.
    pub(crate) fn offsets(self) -> String {
        let Self { name, bootstrap } = self;
        format!("`millrace offsets {name} --kafka {bootstrap}`")
    }
}

/// The advice about a transaction in this topic that may never end.
pub(crate) fn hanging(bootstrap: &str, topic: &str) -> String {
    format!(
        "if this goes on, it is never ended: find it with `kafka-transactions.sh --bootstrap-server {bootstrap} \
         find-hanging --topic {topic}`, a tool in the archive of Apache Kafka (kafka.apache.org)"
    )
}
