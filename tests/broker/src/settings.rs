//! What the brokers are told: `server.properties`.

use std::fmt::Write as _;
use std::path::Path;

/// Where a node listens, and what it is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    /// Number of the node, from 0.
    pub(crate) id: usize,
    /// Where clients and other brokers reach it.
    pub(crate) port: u16,
    /// Where it takes part in the quorum of controllers.
    pub(crate) controller_port: u16,
}

impl Address {
    /// Names the folder of its metadata, in the form of Kafka's UUIDs. The quorum is formatted with these, so they
    /// must be known beforehand.
    fn directory_id(&self) -> String {
        format!("millrace-brokernode-{}A", self.id)
    }
}

/// The voters of the first quorum, as `StorageTool format --initial-controllers` wants them.
pub(crate) fn voters(cluster: &[Address]) -> String {
    let voter = |node: &Address| format!("{}@127.0.0.1:{}:{}", node.id, node.controller_port, node.directory_id());
    cluster.iter().map(voter).collect::<Vec<_>>().join(",")
}

/// The settings of a node. Those of `extra` override ours.
pub(crate) fn properties(
    node: Address,
    cluster: &[Address],
    data: &Path,
    acls: bool,
    extra: &[(String, String)],
) -> String {
    let controllers =
        cluster.iter().map(|node| format!("127.0.0.1:{}", node.controller_port)).collect::<Vec<_>>().join(",");
    let (replicas, in_sync) = if cluster.len() < 3 { (1, 1) } else { (3, 2) };
    let (id, port, controller_port, data) = (node.id, node.port, node.controller_port, data.display());
    let mut text = format!(
        "\
process.roles=broker,controller
node.id={id}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers={controllers}
log.dirs={data}

# A few of everything: a cluster of tests is small, and many of them share a machine.
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=1
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
offsets.topic.replication.factor={replicas}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
default.replication.factor={replicas}
min.insync.replicas={in_sync}

# A topic that nobody made is a mistake, and what is written stays: records of tests have timestamps of any age.
auto.create.topics.enable=false
delete.topic.enable=true
log.retention.ms=-1
log.cleaner.enable=true

# What else would make a test wait: a group for more members, an expired transaction for its end, the others for a
# node that was killed, a stop for those that don't come.
group.initial.rebalance.delay.ms=0
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
"
    );
    if acls {
        // No one is a super user: what no rule names is open to everyone, the making of rules included.
        text += "\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
";
    }
    for (name, value) in extra {
        // The last line of a name is the one that counts.
        _ = writeln!(text, "{name}={value}");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;
    use std::path::Path;

    use super::{Address, properties};

    const COMPOSE: &str = include_str!("../../../compose.yaml");

    #[test]
    fn the_broker_in_a_container_has_the_same_settings() {
        let node = Address { id: 0, port: 19092, controller_port: 19093 };
        let ours = properties(node, &[node], Path::new("/tmp/kafka-data"), false, &[]);
        let (_, ours) = ours.split_once("# A few of everything").unwrap();
        let ours: BTreeMap<String, &str> =
            ours.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value)).collect();

        let (_, theirs) = COMPOSE.split_once("# From here on").unwrap();
        let (theirs, _) = theirs.split_once("healthcheck:").unwrap();
        let theirs = theirs.lines().filter_map(|line| line.trim().strip_prefix("KAFKA_")?.split_once(": "));
        let property = |name: &str| name.to_lowercase().replace('_', ".");
        let theirs = theirs.map(|(name, value)| (property(name), value.trim_matches('"'))).collect();
        assert_eq!(ours, theirs);
    }
}
