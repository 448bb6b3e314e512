//! A jump of time that closes many windows: how many results a pass has, and how many entries a commit.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::ports::{DeploymentId, StoreChanges};
use millrace_engine::record::{Headers, InputRecord, TimestampType};
use millrace_engine::task::{Deployed, Task, TaskOptions};
use millrace_engine::topology::Topology;
use support::{Disk, Rules, topology};

/// A task that counts events by product and minute.
struct Views {
    topology: Arc<Topology>,
    disk: Disk,
    task: Task,
    offset: i64,
}

impl Views {
    fn new(emit: &str) -> Self {
        let topology = topology(&format!(
            "[[source]]\nname = \"in\"\ntopic = \"in\"\nvalue = \"bytes\"\n[[aggregate]]\nname = \"views\"\nfrom = \"in\"\n\
             call = \"t.append\"\nwindow = {{ tumbling = \"1m\" }}\nemit = \"{emit}\"\n[[sink]]\nfrom = \"views\"\ntopic = \"out\"\n"
        ));
        let disk = Disk::default();
        let deployed = [Deployed::new(DeploymentId(0), 1, "d")];
        let partitions = topology.topics.iter().map(|_| 1).collect();
        let options = TaskOptions { batch: 500, ..TaskOptions::new(0, 0, partitions, deployed.into()) };
        let task = Task::open(topology.clone(), options, disk.partition(0)).unwrap();
        Self { topology, disk, task, offset: 0 }
    }

    /// An event of a product. Returns the number of outputs of each pass, and what each commit writes, where a commit
    /// follows each pass.
    fn see(&mut self, product: usize, timestamp: i64) -> (Vec<usize>, Vec<Vec<StoreChanges>>) {
        self.offer(product, timestamp);
        let mut rules = Rules::new(&self.topology);
        let (mut outputs, mut commits) = (Vec::new(), Vec::new());
        while self.task.ready() {
            outputs.push(self.task.run(&mut rules, usize::MAX).unwrap().len());
            let prepared = self.task.prepare();
            self.disk.commit(0, &prepared.changes);
            commits.push(prepared.changes);
        }
        (outputs, commits)
    }

    fn offer(&mut self, product: usize, timestamp: i64) {
        let (key, value) = (Some(Bytes::from(format!("product-{product:06}"))), Some(Bytes::from_static(b"v")));
        let (timestamp_type, headers, offset) = (TimestampType::CreateTime, Headers::EMPTY, self.offset);
        self.task.offer(0, InputRecord { offset, timestamp, timestamp_type, key, value, headers, arrived: 0, turn: 0 });
        self.offset += 1;
    }

    /// One event of each product within a second, then one a day later.
    fn jump(emit: &str, products: usize) -> (Vec<usize>, Vec<Vec<StoreChanges>>) {
        let mut views = Self::new(emit);
        for product in 1..products {
            views.offer(product, product as i64 % 1_000);
            if product % 1_000 == 0 {
                views.see(0, 0);
            }
        }
        views.see(0, 0);
        views.see(0, 86_400_000)
    }
}

#[test]
fn a_pass_and_a_commit_have_as_many_final_results_whether_few_or_many_windows_close() {
    let (few, _) = Views::jump("final", 10_000);
    let (many, commits) = Views::jump("final", 60_000);
    assert_eq!((few.iter().sum::<usize>(), many.iter().sum::<usize>()), (10_000, 60_000));
    let most = |passes: &[usize]| passes.iter().max().copied().unwrap();
    assert_eq!(most(&few), most(&many), "results of the largest pass: {few:?}, {many:?}");
    assert!(most(&many) < 10_000 && many.len() > 6, "{many:?}");
    let entries = commits.iter().map(|changes| changes.iter().map(|changes| changes.entries.len()).sum::<usize>());
    assert!(entries.max().unwrap() < most(&many) + 10, "a commit closes the windows of its pass, and keeps the clock");
}

#[test]
fn windows_without_a_final_result_expire_by_one_time_however_many_they_are() {
    let (outputs, commits) = Views::jump("each", 60_000);
    assert_eq!(outputs, [1], "the result of the event that moves time");
    let changes: Vec<&StoreChanges> = commits.iter().flatten().collect();
    assert!(changes.iter().map(|changes| changes.entries.len()).sum::<usize>() < 5, "{changes:?}");
    assert_eq!(changes.iter().filter(|changes| changes.expire_before.is_some()).count(), 1, "{changes:?}");
}
