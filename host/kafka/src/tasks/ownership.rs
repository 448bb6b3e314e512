//! Each task has one owner, however many members and partitions there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use millrace_engine::topology::Topology;
use millrace_pipeline::{self as pipeline, SourceFile};
use proptest::prelude::*;

use super::{TaskId, cut, inputs_of, reads, task_count, tasks_of, whole_tasks_of};

type Places = BTreeSet<(String, u32)>;

/// Sub-topologies with one, two and three inputs; two of them keep state of one of their inputs.
const PIPELINE: &str = r#"
app = "a"

[[source]]
name = "one"
topic = "one"
[[sink]]
from = "one"
topic = "out"

[[source]]
name = "two"
topic = "two"
[[source]]
name = "three"
topic = "three"
[[merge]]
name = "both"
from = ["two", "three"]
[[sink]]
from = "both"
topic = "out"

[[source]]
name = "four"
topic = "four"
key = "string"
[[dedup]]
name = "once"
from = "four"
within = "1m"
by = ["field:id"]
[[source]]
name = "five"
topic = "five"
key = "string"
[[table]]
name = "six"
topic = "six"
key = "string"
[[merge]]
name = "all"
from = ["once", "five", "six"]
[[sink]]
from = "all"
topic = "out"
"#;

const INPUTS: [&str; 6] = ["one", "two", "three", "four", "five", "six"];

fn topology() -> Topology {
    built(PIPELINE)
}

/// The same app in a later version: some inputs are merged that weren't, others no longer, and `three` comes first.
fn next() -> Topology {
    built(
        r#"
app = "a"

[[source]]
name = "three"
topic = "three"
[[source]]
name = "one"
topic = "one"
[[merge]]
name = "both"
from = ["three", "one"]
[[sink]]
from = "both"
topic = "out"

[[source]]
name = "two"
topic = "two"
[[sink]]
from = "two"
topic = "out"

[[source]]
name = "six"
topic = "six"
key = "string"
[[source]]
name = "four"
topic = "four"
key = "string"
[[merge]]
name = "all"
from = ["six", "four"]
[[sink]]
from = "all"
topic = "out"
"#,
    )
}

fn built(pipeline: &str) -> Topology {
    let file = SourceFile { path: PathBuf::from("a.toml"), text: pipeline.into() };
    let pipeline = pipeline::parse(&[file], &Default::default()).unwrap();
    pipeline::build(&pipeline, &BTreeMap::new()).unwrap()
}

/// Numbers of partitions of the topics, given those of the inputs.
fn partitions(topology: &Topology, counts: &[u32]) -> Vec<u32> {
    let known =
        |name: &str| INPUTS.iter().position(|input| *input == name).and_then(|input| counts.get(input).copied());
    millrace_engine::topology::partitions(topology, &known).unwrap()
}

/// What Kafka's range assignor gives to each member (`rdkafka_range_assignor.c`, without racks): of each topic a range,
/// the first members one partition more.
fn range(counts: &[u32], members: u32) -> Vec<Places> {
    let mut assigned = vec![Places::new(); members as usize];
    for (topic, count) in INPUTS.iter().zip(counts) {
        let (each, more) = (count / members, count % members);
        for (member, places) in (0..).zip(&mut assigned) {
            let first = each * member + more.min(member);
            let own = each + u32::from(member < more);
            places.extend((first..first + own).map(|partition| ((*topic).to_owned(), partition)));
        }
    }
    assigned
}

/// Checks that every task has one owner, and every partition one reader in each sub-topology that reads its topic.
fn check(topology: &Topology, partitions: &[u32], assigned: &[Places]) {
    let mut owners: BTreeMap<TaskId, usize> = BTreeMap::new();
    for places in assigned {
        for task in tasks_of(topology, partitions, places) {
            *owners.entry(task).or_default() += 1;
        }
    }
    for (subtopology, part) in topology.subtopologies.iter().enumerate() {
        let read = |partition| inputs_of(topology, part, partitions, partition);
        let all = (0..task_count(part, partitions)).map(|partition| TaskId { subtopology, partition });
        let found: BTreeMap<_, _> = owners.iter().filter(|(task, _)| task.subtopology == subtopology).collect();
        assert_eq!(
            found.into_iter().map(|(task, owners)| (*task, *owners)).collect::<Vec<_>>(),
            all.map(|task| (task, 1)).collect::<Vec<_>>()
        );
        let places: Vec<_> = owners
            .keys()
            .filter(|task| task.subtopology == subtopology)
            .flat_map(|task| read(task.partition))
            .collect();
        let wanted: Places = part
            .inputs
            .iter()
            .flat_map(|topic| {
                let name = &topology.topics[topic.0].name;
                (0..partitions[topic.0]).map(move |partition| (name.clone(), partition))
            })
            .collect();
        assert_eq!(places.len(), wanted.len());
        assert_eq!(places.into_iter().collect::<Places>(), wanted);
    }
}

/// The members' places, by which members have the later version. Only those of its inputs are assigned to a member.
fn read_by(members: &[(bool, Places)], counts: &[u32]) -> BTreeMap<(String, u32), Vec<usize>> {
    let mut readers: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (number, (later, places)) in members.iter().enumerate() {
        let topology = if *later { next() } else { topology() };
        let partitions = partitions(&topology, counts);
        for task in whole_tasks_of(&topology, &partitions, places) {
            for place in reads(&topology, &partitions, task) {
                readers.entry(place).or_default().push(number);
            }
        }
    }
    readers
}

proptest! {
    /// During a rolling upgrade.
    #[test]
    fn members_with_different_pipelines_never_read_the_same_partition(
        counts in prop::collection::vec(1_u32..9, INPUTS.len()),
        later in prop::collection::vec(any::<bool>(), 1..8),
        choices in prop::collection::vec(any::<prop::sample::Index>(), INPUTS.len() * 8),
    ) {
        let mut members: Vec<_> = later.iter().map(|later| (*later, Places::new())).collect();
        let mut choices = choices.iter();
        for (topic, count) in INPUTS.iter().zip(&counts) {
            let of_it: Vec<_> = (0..later.len()).filter(|member| !later[*member] || *topic != "five").collect();
            for partition in (0..*count).filter(|_| !of_it.is_empty()) {
                let member = of_it[choices.next().unwrap().index(of_it.len())];
                members[member].1.insert(((*topic).to_owned(), partition));
            }
        }
        for (place, readers) in read_by(&members, &counts) {
            prop_assert_eq!(readers.len(), 1, "{:?}", place);
            prop_assert!(members[readers[0]].1.contains(&place));
        }
    }

    #[test]
    fn every_task_has_one_owner_for_the_range_assignor(
        counts in prop::collection::vec(1_u32..9, INPUTS.len()),
        members in 1_u32..8,
    ) {
        let topology = topology();
        check(&topology, &partitions(&topology, &counts), &range(&counts, members));
    }

    #[test]
    fn every_task_has_one_owner_for_any_assignor(
        counts in prop::collection::vec(1_u32..9, INPUTS.len()),
        members in 1_usize..8,
        choices in prop::collection::vec(any::<prop::sample::Index>(), INPUTS.len() * 8),
    ) {
        let topology = topology();
        let mut assigned = vec![Places::new(); members];
        let mut choices = choices.iter();
        for (topic, count) in INPUTS.iter().zip(&counts) {
            for partition in 0..*count {
                let member = choices.next().unwrap().index(members);
                assigned[member].insert(((*topic).to_owned(), partition));
            }
        }
        check(&topology, &partitions(&topology, &counts), &assigned);
    }
}

/// Four partitions and two, two members: by any rule that looks at all inputs, both would have task 1.
#[test]
fn of_topics_with_unlike_numbers_of_partitions_the_widest_decides() {
    let topology = topology();
    let partitions = partitions(&topology, &[1, 4, 2, 1, 1, 1]);
    let own = range(&[1, 4, 2, 1, 1, 1], 2)
        .iter()
        .map(|places| tasks_of(&topology, &partitions, places))
        .map(|tasks| tasks.iter().filter(|task| task.subtopology == 1).map(|task| task.partition).collect::<Vec<_>>())
        .collect::<Vec<_>>();
    assert_eq!(own, [[0, 1], [2, 3]]);
}

/// One file has `b` above `a`: of two that are equally wide, the first in the file decides.
#[test]
fn pipelines_that_divide_inputs_in_different_ways_are_told_apart() {
    let counts = [1, 4, 2, 1, 1, 1];
    let of = |topology: &Topology, counts: &[u32]| cut(topology, &partitions(topology, counts));
    assert_eq!(of(&topology(), &counts), of(&topology(), &counts));
    assert_ne!(of(&topology(), &counts), of(&next(), &counts));
    assert_ne!(of(&topology(), &counts), of(&topology(), &[1, 4, 3, 1, 1, 1]), "another number of partitions");
    let merge = |first: &str, second: &str| {
        built(&format!(
            "app = \"a\"\n[[source]]\nname = \"{first}\"\ntopic = \"{first}\"\n[[source]]\nname = \"{second}\"\n\
             topic = \"{second}\"\n[[merge]]\nname = \"both\"\nfrom = [\"one\", \"two\"]\n[[sink]]\nfrom = \"both\"\n\
             topic = \"out\"\n"
        ))
    };
    let (one, two) = (merge("one", "two"), merge("two", "one"));
    assert_ne!(of(&one, &[3, 3]), of(&two, &[3, 3]));
    assert_eq!(of(&one, &[3, 2]), of(&two, &[3, 2]), "the wider one decides in both");
}
