//! Deletes access rules. The rdkafka crate can't, so this request is written by hand.

use std::io::{Read, Write};
use std::net::TcpStream;

const DELETE_ACLS: i16 = 31;
const VERSION: i16 = 1;
const TOPIC: u8 = 2;
const GROUP: u8 = 3;
const ANY: u8 = 1;
/// A null string: any principal, any host.
const NULL: [u8; 2] = (-1_i16).to_be_bytes();

/// Deletes all rules for a topic. New requests see this soon after.
pub fn allow(bootstrap: &str, topic: &str) {
    delete(bootstrap, TOPIC, topic);
}

/// The same for a consumer group.
pub fn allow_group(bootstrap: &str, group: &str) {
    delete(bootstrap, GROUP, group);
}

fn delete(bootstrap: &str, resource: u8, name: &str) {
    let mut body = Vec::new();
    for number in [DELETE_ACLS, VERSION, 0, 7] {
        body.extend(number.to_be_bytes());
    }
    body.extend(NULL); // no client id
    body.extend(1_i32.to_be_bytes());
    body.push(resource);
    body.extend((name.len() as i16).to_be_bytes());
    body.extend(name.as_bytes());
    body.push(ANY);
    body.extend(NULL);
    body.extend(NULL);
    body.extend([ANY, ANY]);

    let mut stream = TcpStream::connect(bootstrap).unwrap();
    stream.write_all(&(body.len() as i32).to_be_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; i32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).unwrap();
    // The request's number, how long it was throttled for, and a result with its error.
    assert_eq!(answer[8..12], 1_i32.to_be_bytes(), "one filter, one result");
    assert_eq!(answer[12..14], [0, 0], "the broker refuses to delete rules");
}
