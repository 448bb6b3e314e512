//! One node, and what is done to it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use crate::wire::{Answer, Body, call};
use crate::{Cluster, Error, Operation, Options, for_test};

const NOT_LEADER: i16 = 6;
const NOT_AUTHORIZED: i16 = 29;
const TOPIC_ALREADY_EXISTS: i16 = 36;

fn port(cluster: &Cluster) -> u16 {
    cluster.bootstrap().rsplit(':').next().unwrap().parse().unwrap()
}

/// Writes one record to the first partition of a topic; returns the error of the protocol, or 0.
fn produce(port: u16, topic: &str) -> i16 {
    // See <https://kafka.apache.org/documentation/#messageformat>. What the checksum covers begins here.
    let mut rest = Body::default();
    rest.i16(0); // attributes
    rest.i32(0); // offset of the last record
    rest.0.extend([0; 16]); // first and last timestamp
    rest.0.extend([0xff; 8 + 2 + 4]); // producer, its epoch and sequence: none
    rest.list(1);
    rest.0.extend([14, 0, 0, 0, 1, 2, b'x', 0]); // length, attributes, time, offset, no key, a value, no header
    let mut batch = Body(vec![0; 8]); // offset of the first record
    batch.list(rest.0.len() + 9);
    batch.i32(-1); // epoch of the leader
    batch.i8(2); // version of the format
    batch.0.extend(crc32c(&rest.0).to_be_bytes());
    batch.0.extend(rest.0);

    let mut body = Body::default();
    body.i16(-1); // not in a transaction
    body.i16(-1); // acknowledged by all replicas
    body.i32(10_000);
    body.list(1);
    body.string(topic);
    body.list(1);
    body.i32(0);
    body.bytes(&batch.0);
    first_error(&mut Answer(&led(port, (0, 3), &body)))
}

/// The offset that the next record of the first partition will have.
fn end_offset(port: u16, topic: &str) -> i32 {
    let mut body = Body::default();
    body.i32(-1); // a client
    body.list(1);
    body.string(topic);
    body.list(1);
    body.i32(0);
    body.0.extend((-1_i64).to_be_bytes()); // the end
    let answer = led(port, (2, 1), &body);
    let mut answer = Answer(&answer);
    assert_eq!(first_error(&mut answer), 0);
    for _ in 0..3 {
        answer.i32().unwrap(); // timestamp, and the upper half of the offset
    }
    answer.i32().unwrap()
}

/// Asks as clients do: a node tells that it leads a partition a moment before it does, and refuses requests until then.
fn led(port: u16, api: (i16, i16), body: &Body) -> Vec<u8> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = call(port, api, body, Duration::from_secs(10)).unwrap();
        if first_error(&mut Answer(&answer)) != NOT_LEADER || Instant::now() > deadline {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Answers with one topic of one partition begin in the same way.
fn first_error(answer: &mut Answer<'_>) -> i16 {
    let mut read = || -> io::Result<i16> {
        answer.i32()?;
        answer.string()?;
        answer.i32()?;
        answer.i32()?;
        answer.i16()
    };
    read().unwrap()
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[test]
fn records_survive_every_way_to_end_a_node() {
    let Some(mut cluster) = for_test(Options::default()).unwrap() else { return };
    let port = port(&cluster);
    cluster.create_topic("orders", 1, &[]).unwrap();
    assert_eq!(produce(port, "orders"), 0);

    cluster.kill(0).unwrap();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    assert!(matches!(cluster.kill(0), Err(Error::Node { node: 0, .. })));
    cluster.start_node(0).unwrap();
    assert_eq!(end_offset(port, "orders"), 1);
    assert_eq!(produce(port, "orders"), 0);

    cluster.stop(0).unwrap();
    cluster.start_node(0).unwrap();
    assert_eq!(end_offset(port, "orders"), 2);
    assert!(matches!(cluster.start_node(0), Err(Error::Node { node: 0, .. })));

    let folder = cluster.folder().to_owned();
    drop(cluster);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    assert!(!folder.exists());
}

#[test]
fn a_paused_node_is_silent_until_it_goes_on() {
    let Some(mut cluster) = for_test(Options::default()).unwrap() else { return };
    let port = port(&cluster);
    cluster.create_topic("orders", 1, &[]).unwrap();
    cluster.pause(0).unwrap();
    // The system still takes connections in its name.
    let answer = call(port, (18, 0), &Body::default(), Duration::from_millis(200));
    assert!(matches!(answer.unwrap_err().kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
    cluster.resume(0).unwrap();
    assert_eq!(produce(port, "orders"), 0);
}

#[test]
fn a_forbidden_operation_is_refused_and_others_are_not() {
    let Some(mut cluster) = for_test(Options { acls: true, ..Options::default() }).unwrap() else { return };
    let port = port(&cluster);
    cluster.create_topic("open", 1, &[]).unwrap();
    cluster.create_topic("closed", 1, &[]).unwrap();
    cluster.forbid("closed", Operation::Write).unwrap();
    assert_eq!(produce(port, "open"), 0);
    assert_eq!(produce(port, "closed"), NOT_AUTHORIZED);
    assert_eq!(end_offset(port, "closed"), 0);
}

#[test]
fn a_topic_can_not_be_made_twice() {
    let Some(mut cluster) = for_test(Options::default()).unwrap() else { return };
    cluster.create_topic("orders", 1, &[]).unwrap();
    let error = cluster.create_topic("orders", 1, &[]).unwrap_err();
    assert!(matches!(error, Error::Refused { code: TOPIC_ALREADY_EXISTS, .. }), "{error}");
}

#[test]
fn a_broker_that_does_not_start_says_why() {
    let settings = vec![("num.io.threads".to_owned(), "none".to_owned())];
    let error = match for_test(Options { settings, ..Options::default() }) {
        Ok(None) => return,
        Ok(Some(_)) => panic!("it started"),
        Err(error) => error,
    };
    assert!(matches!(error, Error::Ended { .. }));
    assert!(error.to_string().contains("Invalid value none for configuration num.io.threads"), "{error}");
}

#[test]
fn what_can_not_be_is_refused_before_anything_starts() {
    let refused = |options| match Cluster::start(options) {
        Err(Error::Options(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(refused(Options { nodes: 0, ..Options::default() }).contains("no nodes"));
    assert!(refused(Options { nodes: 3, acls: true, ..Options::default() }).contains("one node"));
    assert!(refused(Options { nodes: 3, secure: true, ..Options::default() }).contains("one node"));
    assert!(refused(Options { nodes: 3, port: Some(65_534), ..Options::default() }).contains("65535"));
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Cluster::start(Options { port: Some(port), ..Options::default() }).unwrap_err();
    assert!(matches!(error, Error::PortTaken(taken) if taken == port));
}
