//! Groups of letters: those with the same failure at the same step.

use std::collections::{BTreeMap, BTreeSet};

use millrace_engine::record::Timestamp;
use sha2::{Digest, Sha256};

use crate::letter::{Letter, LetterId};
use crate::pattern::pattern;

/// Letters of a group whose ids it keeps.
pub const SAMPLES: usize = 3;

/// Most groups. Letters that would begin another one are in a last group, without an id.
const MOST_GROUPS: usize = 10_000;

/// Most digests that a group keeps.
const MOST_DIGESTS: usize = 20;

/// Hex digits of a group's id: among the most groups, no two have the same one.
const ID_DIGITS: usize = 12;

/// Bytes of a text that a group is known by, and that a sample shows.
const PATTERN_BYTES: usize = 1_000;
const SAMPLE_BYTES: usize = 300;

/// What the letters of a group have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Failure {
    step: String,
    class: String,
    code: String,
    pattern: String,
}

/// Letters with the same failure at the same step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id: the same for the same failure, in every run and topic. Empty for the last group, whose letters have nothing in
    /// common.
    pub id: String,
    /// The step.
    pub step: String,
    /// The class of the failure.
    pub class: String,
    /// The code of the failure.
    pub code: String,
    /// The text, without what differs from record to record.
    pub pattern: String,
    /// Number of letters.
    pub letters: u64,
    /// When the first one failed.
    pub first: Timestamp,
    /// When the last one failed.
    pub last: Timestamp,
    /// Digests of the components that failed.
    pub digests: BTreeSet<String>,
    /// The first letters, each with its text.
    pub samples: Vec<(LetterId, String)>,
}

/// The groups of letters.
#[derive(Clone, Debug, Default)]
pub struct Groups(BTreeMap<Failure, Group>);

impl Groups {
    /// Adds a letter to its group.
    pub fn add(&mut self, letter: &Letter) {
        let mut failure = Failure::of(letter);
        if self.0.len() >= MOST_GROUPS && !self.0.contains_key(&failure) {
            failure = Failure::default();
        }
        let begin = |failure: &Failure| Group {
            id: if *failure == Failure::default() { String::new() } else { failure.id() },
            step: failure.step.clone(),
            class: failure.class.clone(),
            code: failure.code.clone(),
            pattern: failure.pattern.clone(),
            letters: 0,
            first: letter.failed_at,
            last: letter.failed_at,
            digests: BTreeSet::new(),
            samples: Vec::new(),
        };
        let new = begin(&failure);
        self.0.entry(failure).or_insert(new).add(letter);
    }

    /// All groups, the largest first.
    pub fn all(&self) -> impl Iterator<Item = &Group> {
        let mut all: Vec<_> = self.0.values().collect();
        all.sort_by_key(|group| (std::cmp::Reverse(group.letters), group.first));
        all.into_iter()
    }
}

impl Group {
    /// The id of the group that a letter is in.
    pub fn id_of(letter: &Letter) -> String {
        Failure::of(letter).id()
    }

    fn add(&mut self, letter: &Letter) {
        self.letters += 1;
        self.first = self.first.min(letter.failed_at);
        self.last = self.last.max(letter.failed_at);
        if !letter.digest.is_empty() && self.digests.len() < MOST_DIGESTS && !self.digests.contains(&letter.digest) {
            self.digests.insert(letter.digest.clone());
        }
        if self.samples.len() < SAMPLES {
            self.samples.push((letter.id.clone(), beginning(&letter.text, SAMPLE_BYTES).to_owned()));
        }
    }
}

impl Failure {
    fn of(letter: &Letter) -> Self {
        let (step, class, code) = (letter.step.clone(), letter.class.clone(), letter.code.clone());
        Self { step, class, code, pattern: pattern(beginning(&letter.text, PATTERN_BYTES)) }
    }

    fn id(&self) -> String {
        let mut digest = Sha256::new();
        for part in [&self.step, &self.class, &self.code, &self.pattern] {
            // With its length, so that no two failures have the same bytes.
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        hex.chars().take(ID_DIGITS).collect()
    }
}

/// The first bytes of a text.
fn beginning(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn letter(offset: i64, step: &str, code: &str, text: &str) -> Letter {
        let id = LetterId { topic: "dlq".into(), partition: 0, offset };
        let (step, code, text, digest) = (step.into(), code.into(), text.into(), format!("d{}", offset % 2));
        Letter { id, step, code, text, digest, failed_at: 100 - offset, ..Letter::default() }
    }

    #[test]
    fn letters_with_the_same_failure_are_a_group_however_they_come() {
        let letters: Vec<_> = (0..100)
            .map(|n| match n % 10 {
                0 => letter(n, "price", "bad-price", &format!("price {n}: it is null")),
                1 | 2 => letter(n, "total", "bad-price", &format!("price {n} is too low")),
                _ => letter(n, "price", "bad-price", &format!("price {n} is too low")),
            })
            .collect();
        let groups = |letters: &mut dyn Iterator<Item = &Letter>| {
            let mut groups = Groups::default();
            letters.for_each(|letter| groups.add(letter));
            groups.all().map(|group| (group.id.clone(), group.letters, group.first, group.last)).collect::<Vec<_>>()
        };
        let there = groups(&mut letters.iter());
        assert_eq!(there.iter().map(|group| group.1).collect::<Vec<_>>(), [70, 20, 10]);
        assert_eq!(groups(&mut letters.iter().rev()), there);
        assert_eq!(there.first().map(|group| (group.2, group.3)), Some((1, 97)));
        assert_eq!(Group::id_of(letters.get(3).unwrap()), there.first().unwrap().0);
    }

    #[test]
    fn a_group_has_its_digests_and_its_first_letters() {
        let mut groups = Groups::default();
        (0..10).for_each(|n| groups.add(&letter(n, "price", "bad", &format!("price {n}"))));
        let group = groups.all().next().unwrap();
        assert_eq!(group.digests.iter().collect::<Vec<_>>(), ["d0", "d1"]);
        let samples: Vec<_> = group.samples.iter().map(|(id, text)| format!("{id} {text}")).collect();
        assert_eq!(samples, ["dlq:0:0 price 0", "dlq:0:1 price 1", "dlq:0:2 price 2"]);
        assert_eq!(group.pattern, "price #");
    }

    #[test]
    fn the_number_of_groups_is_bounded_whatever_texts_rules_write() {
        let mut groups = Groups::default();
        let word = |n: u64| n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect::<String>();
        (0..20_000).for_each(|n| groups.add(&letter(1, "price", "bad", &word(n))));
        assert_eq!(groups.all().count(), MOST_GROUPS + 1);
        let rest = groups.all().next().unwrap();
        assert_eq!((rest.id.as_str(), rest.code.as_str(), rest.letters), ("", "", 10_000));
        (0..20_000).for_each(|n| groups.add(&letter(1, &word(n), &word(n), "long".repeat(10_000).as_str())));
        assert_eq!(groups.all().count(), MOST_GROUPS + 1, "nor whatever steps and codes other systems write");
        assert!(groups.all().all(|group| group.samples.iter().all(|(_, text)| text.len() <= SAMPLE_BYTES)));
    }
}
