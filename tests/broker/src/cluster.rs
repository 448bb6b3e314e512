//! A cluster: its nodes, and what can be done to them.

use std::io;
use std::path::Path;
use std::time::Instant;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::error::Error;
use crate::java::LIGHTLY_COMPILED;
use crate::node::{Node, PATIENCE};
use crate::policy;
use crate::ports;
use crate::secure::Secure;
use crate::settings::{Address, properties, voters};
use crate::wire::{self, Operation, Resource, Verdict};

/// What a cluster is to be like.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many nodes: 1, or 3 with three replicas of everything, of which two must have a record.
    pub nodes: usize,
    /// Port of the first node; the others follow. Otherwise free ones are chosen.
    pub port: Option<u16>,
    /// Heap of each node, as in `-Xmx`.
    pub heap: String,
    /// Whether the brokers are to start with half the CPU time (2 s instead of 4 s each), and to be slower once they
    /// are warm: their code is compiled only lightly. Not for benchmarks.
    pub short_lived: bool,
    /// Whether operations can be forbidden, see [`Cluster::forbid`]. For one node only.
    pub acls: bool,
    /// Whether clients can also come over TLS with a password, see [`Cluster::secure`]. For one node only.
    pub secure: bool,
    /// Whether topics are only made for records of up to 8 MiB (`max.message.bytes`), as on many hosted clusters.
    pub record_cap: bool,
    /// More settings of the brokers, which override those made here.
    pub settings: Vec<(String, String)>,
}

impl Default for Options {
    /// One node on a free port, small enough for a test.
    fn default() -> Self {
        Self {
            nodes: 1,
            port: None,
            heap: "512m".into(),
            short_lived: true,
            acls: false,
            secure: false,
            record_cap: false,
            settings: Vec::new(),
        }
    }
}

/// A running cluster. When it is dropped, so are its processes and its data.
#[derive(Debug)]
pub struct Cluster {
    // Before the folder: who drops them in this order doesn't remove files from under a broker.
    nodes: Vec<Node>,
    jvm: Vec<String>,
    id: String,
    secure: Option<Secure>,
    folder: TempDir,
}

impl Cluster {
    /// Starts a cluster and returns when all of its nodes answer.
    ///
    /// # Errors
    /// [`Error::Missing`] where Kafka can't run; otherwise what failed, with the end of the log.
    pub fn start(options: Options) -> Result<Self, Error> {
        let addresses = addresses(&options)?;
        let folder = TempDir::with_prefix("millrace-kafka-").map_err(Error::io("a temporary folder"))?;
        let secure = secure(&options, folder.path())?;
        let mut nodes = Vec::new();
        for &address in &addresses {
            let of_node = folder.path().join(format!("node-{}", address.id));
            let more = secure.iter().flat_map(|secure| secure.settings(address.port, address.controller_port));
            let policy = options.record_cap.then(policy::settings).unwrap_or_default();
            let settings: Vec<_> = more.chain(policy).chain(options.settings.iter().cloned()).collect();
            let properties = properties(address, &addresses, &Node::data(&of_node), options.acls, &settings);
            nodes.push(Node::new(address, of_node.clone(), &properties)?);
            if options.record_cap {
                policy::install(&of_node)?;
            }
        }
        // Any 22 characters of URL-safe Base64 are a name, if the last of them is one of four.
        let id = format!("{:016x}{:05x}A", ports::random(), ports::random() & 0xf_ffff);
        let mut jvm = vec![format!("-Xmx{}", options.heap)];
        jvm.extend(options.short_lived.then(|| LIGHTLY_COMPILED.into()));
        let mut cluster = Self { nodes, jvm, id, secure, folder };
        cluster.format(&voters(&addresses))?;
        for node in &mut cluster.nodes {
            node.begin(&cluster.jvm)?;
        }
        let all: Vec<_> = (0..cluster.nodes.len()).collect();
        for &node in &all {
            cluster.wait_until_ready(node, &all)?;
        }
        Ok(cluster)
    }

    fn format(&mut self, voters: &str) -> Result<(), Error> {
        let more = self.secure.as_ref().map(Secure::format_arguments).unwrap_or_default();
        for node in &mut self.nodes {
            node.begin_format(&self.id, voters, &more)?;
        }
        for node in &mut self.nodes {
            let status = node.wait()?;
            if !status.success() {
                return Err(node.has_ended(status));
            }
        }
        Ok(())
    }

    /// How many nodes it has, running or not.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// What a client calls `bootstrap.servers`: all nodes, whether they run or not.
    pub fn bootstrap(&self) -> String {
        let servers = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.address.port));
        servers.collect::<Vec<_>>().join(",")
    }

    /// How clients come over TLS, if it was started with [`Options::secure`].
    pub fn secure(&self) -> Option<&Secure> {
        self.secure.as_ref()
    }

    /// Where its data, settings and logs are, in a folder for each node.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills a node with SIGKILL: as a machine that loses its power, except for what the system still writes to disk.
    ///
    /// # Errors
    /// When there is no such node or it doesn't run.
    pub fn kill(&mut self, node: usize) -> Result<(), Error> {
        self.node(node)?.kill()
    }

    /// Stops a node with SIGTERM: it hands over what it leads. Returns when it has ended.
    ///
    /// # Errors
    /// When there is no such node, it doesn't run, or it doesn't end.
    pub fn stop(&mut self, node: usize) -> Result<(), Error> {
        let node = self.node(node)?;
        node.signal(Signal::SIGTERM)?;
        node.wait().map(|_| ())
    }

    /// Starts a node that was killed or stopped, with its data and on its port. Returns when it answers and its
    /// partitions may have leaders again.
    ///
    /// With three nodes, at least one other must run: a node alone is no majority of controllers.
    ///
    /// # Errors
    /// When there is no such node, it runs already, it ends, or it doesn't answer.
    pub fn start_node(&mut self, node: usize) -> Result<(), Error> {
        let jvm = self.jvm.clone();
        self.node(node)?.begin(&jvm)?;
        self.wait_until_ready(node, &[node])
    }

    /// Halts a node with SIGSTOP: its connections stay open, and nothing answers.
    ///
    /// # Errors
    /// When there is no such node or it doesn't run.
    pub fn pause(&mut self, node: usize) -> Result<(), Error> {
        self.node(node)?.halt()
    }

    /// Lets a paused node go on (SIGCONT).
    ///
    /// # Errors
    /// When there is no such node or it doesn't run.
    pub fn resume(&mut self, node: usize) -> Result<(), Error> {
        self.node(node)?.signal(Signal::SIGCONT)
    }

    /// The number of a node's process, if it is running.
    ///
    /// # Errors
    /// When there is no such node, it was killed or stopped, or it has ended by itself: with the end of its log.
    pub fn check(&mut self, node: usize) -> Result<u32, Error> {
        self.node(node)?.check()
    }

    /// Creates a topic with settings such as `("cleanup.policy", "compact")`. Returns when every running node knows
    /// the leaders of its partitions.
    ///
    /// # Errors
    /// When the broker refuses it, or a node doesn't learn of it.
    pub fn create_topic(&mut self, name: &str, partitions: u16, settings: &[(&str, &str)]) -> Result<(), Error> {
        let replicas = if self.nodes.len() < 3 { 1 } else { 3 };
        let create = |port| wire::create_topic(port, name, partitions.into(), replicas, settings, PATIENCE);
        self.ask(&format!("create the topic {name}"), create)?;
        let what = format!("has not learned of the topic {name}");
        self.wait_for_all(&what, |port| Ok(wire::metadata(port, Some(name))?.led))
    }

    /// Forbids an operation on a topic to everyone. Returns when every running node has the rule. The cluster must
    /// have been started with [`Options::acls`].
    ///
    /// All clients are `User:ANONYMOUS` and may do whatever no rule speaks of, make such rules included. So there is
    /// neither a second listener nor a super user. What else the topic is used for stays allowed.
    ///
    /// # Errors
    /// When the broker refuses it, or a node doesn't learn of it.
    pub fn forbid(&mut self, topic: &str, operation: Operation) -> Result<(), Error> {
        self.rule_out((Resource::Topic, topic), operation)
    }

    /// The same on a group of consumers.
    ///
    /// # Errors
    /// When the broker refuses it, or a node doesn't learn of it.
    pub fn forbid_group(&mut self, group: &str, operation: Operation) -> Result<(), Error> {
        self.rule_out((Resource::Group, group), operation)
    }

    fn rule_out(&mut self, on: (Resource, &str), operation: Operation) -> Result<(), Error> {
        let what = format!("forbid {operation:?} on {}", on.1);
        self.ask(&what, |port| wire::forbid(port, on, operation, PATIENCE))?;
        self.wait_for_all("has not learned of a rule", |port| wire::has_rules(port, on))
    }

    fn node(&mut self, node: usize) -> Result<&mut Node, Error> {
        self.nodes.get_mut(node).ok_or(Error::Node { node, state: "is not in this cluster" })
    }

    /// Sends a request to a running node.
    fn ask(&self, what: &str, request: impl FnOnce(u16) -> io::Result<Verdict>) -> Result<(), Error> {
        let running = self.nodes.iter().find(|node| node.is_running());
        let node = running.ok_or(Error::Node { node: 0, state: "doesn't run, nor does any other" })?;
        match request(node.address.port).map_err(Error::io(what))? {
            (0, _) => Ok(()),
            (code, message) => {
                let message = if message.is_empty() { message } else { format!(": {message}") };
                Err(Error::Refused { what: what.into(), code, message })
            }
        }
    }

    /// Waits until a node says that these brokers are up.
    fn wait_until_ready(&mut self, node: usize, brokers: &[usize]) -> Result<(), Error> {
        let id = self.id.clone();
        let ready = |port| {
            // Our own cluster, and not someone who took the port.
            let metadata = wire::metadata(port, None)?;
            let up = |broker: &usize| metadata.brokers.iter().any(|up| usize::try_from(*up) == Ok(*broker));
            Ok(metadata.cluster == id && brokers.iter().all(up))
        };
        wait_for(self.node(node)?, "has not become ready", ready)
    }

    fn wait_for_all(&mut self, what: &str, mut done: impl FnMut(u16) -> io::Result<bool>) -> Result<(), Error> {
        self.nodes.iter_mut().filter(|node| node.is_running()).try_for_each(|node| wait_for(node, what, &mut done))
    }
}

/// Asks a node until the answer is yes. One that doesn't answer is asked again; one that has ended is an error.
fn wait_for(node: &mut Node, what: &str, mut done: impl FnMut(u16) -> io::Result<bool>) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    while !done(node.address.port).unwrap_or(false) {
        node.check()?;
        node.pause_before(deadline, what)?;
    }
    Ok(())
}

fn secure(options: &Options, folder: &Path) -> Result<Option<Secure>, Error> {
    if !options.secure {
        return Ok(None);
    }
    let port = ports::free(0..0, 1)?.first().copied().unwrap_or_default();
    let secure = Secure::new(port, folder);
    secure.make_certificate()?;
    Ok(Some(secure))
}

fn addresses(options: &Options) -> Result<Vec<Address>, Error> {
    let nodes = options.nodes;
    if nodes == 0 {
        return Err(Error::Options("a cluster of no nodes"));
    }
    if options.acls && nodes > 1 {
        // Controllers ask the authorizer before they let each other read the log that its rules are in.
        return Err(Error::Options("rules need a cluster of one node: without super users, no quorum comes to be"));
    }
    if options.secure && nodes > 1 {
        return Err(Error::Options("a cluster with a secure listener has one node"));
    }
    let first = options.port.unwrap_or(0);
    let count = u16::try_from(nodes).ok().filter(|count| first.checked_add(*count).is_some());
    let count = count.ok_or(Error::Options("the ports of a cluster must be below 65535"))?;
    let fixed = if options.port.is_some() { first..first + count } else { 0..0 };
    let ports = ports::free(fixed.clone(), nodes * 2 - fixed.len())?;
    let (clients, controllers) = ports.split_at(nodes);
    let pairs = clients.iter().zip(controllers).enumerate();
    Ok(pairs.map(|(id, (&port, &controller_port))| Address { id, port, controller_port }).collect())
}
