//! The load: the same orders as the yardstick in Kafka Streams gets, about 250 bytes each.

use std::path::Path;
use std::sync::Arc;

use millrace_cli::data;
use millrace_embedded::log::{Log, NewRecord, Tail};
use millrace_engine::partitioner::partition_of;
use millrace_store::{Batch, Database, Durability};

/// A generator of small pseudo-random numbers (Steele, Lea, Flood: SplitMix64): the same load every time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// One decision on an order.
pub(crate) fn order(id: u64, source: &str, random: &mut Random) -> String {
    let status = if random.below(5) == 0 { "REJECT" } else { "ACCEPT" };
    let (customer, product, count) = (id % 10_000, random.below(1000), 1 + random.below(5));
    let (whole, cents) = (random.below(1000), random.below(100));
    let note = "x".repeat(120);
    format!(
        r#"{{"id":{id},"customerId":{customer},"productId":{product},"productCount":{count},"price":{whole}.{cents:02},"status":"{status}","source":"{source}","note":"{note}"}}"#
    )
}

/// Fills a new log.
pub(crate) fn load(folder: &Path, pairs: u64, partitions: u32) {
    let (database, log) = data::open(folder, &[]).unwrap();
    let [payments, stock, _] =
        ["payment-orders", "stock-orders", "orders"].map(|name| log.create_topic(name, partitions).unwrap());
    let mut random = Random(1);
    let mut tail = Tail::new(&log);
    for id in 0..pairs {
        let key = (id as i64).to_be_bytes().to_vec();
        let partition = partition_of(Some(&key), 0, partitions);
        let time = 1_700_000_000_000 + id as i64;
        let payment = NewRecord::new(time, key.clone(), order(id, "PAYMENT", &mut random));
        let later = time + random.below(2000) as i64;
        let answer = NewRecord::new(later, key, order(id, "STOCK", &mut random));
        tail.append(payments, partition, payment).unwrap();
        tail.append(stock, partition, answer).unwrap();
        if tail.bytes() > 8 << 20 {
            write(&database, &log, &mut tail);
        }
    }
    write(&database, &log, &mut tail);
}

pub(crate) fn write(database: &Arc<Database>, log: &Arc<Log>, tail: &mut Tail) {
    let mut batch = Batch::new(database);
    let appended = log.prepare(tail, &mut batch).unwrap();
    database.write(batch, Durability::Buffered).unwrap();
    appended.publish();
}
