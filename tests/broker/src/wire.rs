//! The few requests of Kafka's protocol that a cluster of tests is asked, written by hand: a client would bring
//! librdkafka, and who only wants a broker shouldn't compile that.
//!
//! All are of versions with plain (not "flexible") encoding, see <https://kafka.apache.org/protocol>.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

const METADATA: (i16, i16) = (3, 2);
const CREATE_TOPICS: (i16, i16) = (19, 2);
const DESCRIBE_ACLS: (i16, i16) = (29, 1);
const CREATE_ACLS: (i16, i16) = (30, 1);

const NULL_STRING: i16 = -1;
const LITERAL: i8 = 3;
const ANY: i8 = 1;
const ALL_OPERATIONS: i8 = 2;
const DENY: i8 = 2;
const ALLOW: i8 = 3;

/// What rules are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Topic = 2,
    Group = 3,
}

/// What may be forbidden on a topic or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Fetching its records; being a member.
    Read = 3,
    /// Producing to it.
    Write = 4,
    /// Seeing that it is there.
    Describe = 8,
    /// Seeing its settings.
    DescribeConfigs = 10,
}

/// What a broker knows of its cluster.
#[derive(Debug)]
pub(crate) struct Metadata {
    /// The brokers that are up, by number. One that has just started is among them once it may lead partitions.
    pub(crate) brokers: Vec<i32>,
    /// Name of the cluster.
    pub(crate) cluster: String,
    /// Whether the topic that was asked for is there, with a leader for each partition.
    pub(crate) led: bool,
}

/// What the broker says of a request: 0 or an error of the protocol, and its message.
pub(crate) type Verdict = (i16, String);

pub(crate) fn metadata(port: u16, topic: Option<&str>) -> io::Result<Metadata> {
    let mut body = Body::default();
    body.list(usize::from(topic.is_some()));
    if let Some(topic) = topic {
        body.string(topic);
    }
    let answer = call(port, METADATA, &body, Duration::from_secs(5))?;
    let mut answer = Answer(&answer);
    let brokers = answer.list(|broker| {
        let id = broker.i32()?;
        broker.string()?;
        broker.i32()?;
        broker.string()?;
        Ok(id)
    })?;
    let cluster = answer.string()?;
    answer.i32()?; // a controller
    let led = answer.list(|topic| {
        let error = topic.i16()?;
        topic.string()?;
        topic.i8()?;
        let partitions = topic.list(|partition| {
            let error = partition.i16()?;
            partition.i32()?;
            partition.i32()?;
            partition.list(Answer::i32)?;
            partition.list(Answer::i32)?;
            Ok(error == 0)
        })?;
        Ok(error == 0 && partitions.into_iter().all(|led| led))
    })?;
    Ok(Metadata { brokers, cluster, led: !led.is_empty() && led.into_iter().all(|led| led) })
}

/// Creates a topic with as many replicas as the broker's default.
pub(crate) fn create_topic(
    port: u16,
    name: &str,
    partitions: i32,
    replicas: i16,
    settings: &[(&str, &str)],
    timeout: Duration,
) -> io::Result<Verdict> {
    let mut body = Body::default();
    body.list(1);
    body.string(name);
    body.i32(partitions);
    body.i16(replicas);
    body.list(0); // no assignment by hand
    body.list(settings.len());
    for (name, value) in settings {
        body.string(name);
        body.string(value);
    }
    body.i32(i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX));
    body.i8(0); // not only to see whether it would do
    let answer = call(port, CREATE_TOPICS, &body, timeout)?;
    let mut answer = Answer(&answer);
    answer.i32()?; // throttled for
    let verdicts = answer.list(|topic| {
        topic.string()?;
        topic.verdict()
    })?;
    Ok(worst(verdicts))
}

/// Forbids an operation on something to everyone, and allows all others: what any rule names, no rule leaves open.
pub(crate) fn forbid(
    port: u16,
    (resource, name): (Resource, &str),
    operation: Operation,
    timeout: Duration,
) -> io::Result<Verdict> {
    let mut body = Body::default();
    body.list(2);
    for (operation, permission) in [(operation as i8, DENY), (ALL_OPERATIONS, ALLOW)] {
        body.i8(resource as i8);
        body.string(name);
        body.i8(LITERAL);
        body.string("User:*");
        body.string("*"); // from every host
        body.i8(operation);
        body.i8(permission);
    }
    let answer = call(port, CREATE_ACLS, &body, timeout)?;
    let mut answer = Answer(&answer);
    answer.i32()?; // throttled for
    Ok(worst(answer.list(Answer::verdict)?))
}

/// Whether a broker knows of a rule on something.
pub(crate) fn has_rules(port: u16, (resource, name): (Resource, &str)) -> io::Result<bool> {
    let mut body = Body::default();
    body.i8(resource as i8);
    body.string(name);
    body.i8(LITERAL);
    body.i16(NULL_STRING); // whose ever
    body.i16(NULL_STRING); // from where ever
    body.i8(ANY);
    body.i8(ANY);
    let answer = call(port, DESCRIBE_ACLS, &body, Duration::from_secs(5))?;
    let mut answer = Answer(&answer);
    answer.i32()?; // throttled for
    answer.verdict()?;
    Ok(answer.i32()? > 0)
}

fn worst(verdicts: Vec<Verdict>) -> Verdict {
    verdicts.into_iter().find(|(code, _)| *code != 0).unwrap_or_default()
}

/// Sends one request on a connection of its own and returns the body of the answer.
pub(crate) fn call(port: u16, api: (i16, i16), body: &Body, timeout: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let mut request = Body::default();
    request.i16(api.0);
    request.i16(api.1);
    request.i32(0); // the number that comes back with the answer
    request.string("millrace-broker");
    request.0.extend_from_slice(&body.0);
    let mut framed = Body::default();
    framed.bytes(&request.0);
    stream.write_all(&framed.0)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?];
    stream.read_exact(&mut answer)?;
    Ok(answer.split_off(4)) // after the number of the request
}

/// A request as it is written.
#[derive(Debug, Default)]
pub(crate) struct Body(pub(crate) Vec<u8>);

impl Body {
    pub(crate) fn i8(&mut self, value: i8) {
        self.0.extend(value.to_be_bytes());
    }

    pub(crate) fn i16(&mut self, value: i16) {
        self.0.extend(value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.0.extend(value.to_be_bytes());
    }

    /// The head of a list; its items follow.
    pub(crate) fn list(&mut self, items: usize) {
        self.i32(i32::try_from(items).unwrap_or(i32::MAX));
    }

    pub(crate) fn string(&mut self, value: &str) {
        self.i16(i16::try_from(value.len()).unwrap_or(i16::MAX));
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.list(value.len());
        self.0.extend_from_slice(value);
    }
}

/// What is left to read of an answer.
#[derive(Debug)]
pub(crate) struct Answer<'a>(pub(crate) &'a [u8]);

impl<'a> Answer<'a> {
    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.take(N)?.try_into().map_err(io::Error::other)
    }

    pub(crate) fn i8(&mut self) -> io::Result<i8> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub(crate) fn i16(&mut self) -> io::Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> io::Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// A string; one that is null reads as empty.
    pub(crate) fn string(&mut self) -> io::Result<String> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    pub(crate) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        (0..self.i32()?).map(|_| item(self)).collect()
    }

    fn verdict(&mut self) -> io::Result<Verdict> {
        Ok((self.i16()?, self.string()?))
    }
}
