//! What became of the lines of a write.

use anyhow::{Result, anyhow};
use millrace_kafka::records::Undelivered;

/// So many groups of lines are told; a topic that is closed would have thousands.
const TOLD: usize = 10;

/// What was sent, and what of it didn't arrive.
#[derive(Default)]
pub(super) struct Outcome {
    /// How many records were sent.
    pub(super) sent: u64,
    /// The last line that was.
    pub(super) last_line: usize,
    /// Those that weren't acknowledged, by line.
    pub(super) undelivered: Vec<Undelivered>,
}

impl Outcome {
    /// How many records are written, if all are; otherwise which lines are in the topics, given why it stopped.
    pub(super) fn tell(self, stopped: Result<()>) -> Result<u64> {
        if self.undelivered.is_empty() {
            return match (stopped, self.sent) {
                (Ok(()), sent) => Ok(sent),
                (Err(error), 0) => Err(error.context("nothing was written")),
                (Err(error), _) => {
                    let last = self.last_line;
                    Err(error.context(format!("lines up to {last} were written, and none after it")))
                }
            };
        }
        let mut text = match self.undelivered.len() as u64 == self.sent {
            true => "nothing is known to be written".to_owned(),
            false => format!("lines up to {} were written but for these, and none after it", self.last_line),
        };
        let groups = self.groups();
        for Group { first, last, undelivered } in groups.iter().take(TOLD) {
            let lines = if first == last { format!("line {first}") } else { format!("lines {first} to {last}") };
            let unknown = if undelivered.unknown { ", and may be in the topic or not" } else { "" };
            text += &format!("\n  {lines}: {}{unknown}", undelivered.reason);
        }
        if groups.len() > TOLD {
            text += &format!("\n  and {} more groups of lines", groups.len() - TOLD);
        }
        Err(stopped.err().map_or_else(|| anyhow!("{text}"), |error| anyhow!("{text}\n{error:#}")))
    }

    /// Lines one after the other with the same reason, together.
    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for undelivered in &self.undelivered {
            let line = undelivered.tag;
            match groups.last_mut() {
                Some(group) if group.goes_on_with(undelivered) => group.last = line,
                _ => groups.push(Group { first: line, last: line, undelivered }),
            }
        }
        groups
    }
}

/// Lines with the same fate.
struct Group<'a> {
    first: usize,
    last: usize,
    undelivered: &'a Undelivered,
}

impl Group<'_> {
    fn goes_on_with(&self, next: &Undelivered) -> bool {
        next.tag == self.last + 1 && next.reason == self.undelivered.reason && next.unknown == self.undelivered.unknown
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn told(sent: u64, last_line: usize, undelivered: &[(usize, &str, bool)], stopped: Option<&str>) -> String {
        let undelivered = undelivered.iter().map(|(tag, reason, unknown)| {
            let reason = (*reason).to_owned();
            Undelivered { tag: *tag, reason, unknown: *unknown }
        });
        let outcome = Outcome { sent, last_line, undelivered: undelivered.collect() };
        let stopped = stopped.map_or(Ok(()), |reason| Err(anyhow!("{reason}")));
        outcome.tell(stopped).map_or_else(|error| format!("{error:#}"), |sent| format!("{sent} written"))
    }

    #[test]
    fn every_line_is_told_to_be_in_the_topic_or_not() {
        assert_snapshot!(told(7, 9, &[], None), @"7 written");
        assert_snapshot!(told(0, 0, &[], Some("line 1: bad")), @"nothing was written: line 1: bad");
        assert_snapshot!(told(7, 9, &[], Some("line 10: bad")), @"lines up to 9 were written, and none after it: line 10: bad");
        let mixed = [(2, "too large", false), (3, "too large", false), (5, "too large", false), (6, "late", true)];
        assert_snapshot!(told(7, 9, &mixed, None), @"
        lines up to 9 were written but for these, and none after it
          lines 2 to 3: too large
          line 5: too large
          line 6: late, and may be in the topic or not
        ");
        assert_snapshot!(told(1, 1, &[(1, "closed", false)], Some("line 2: bad")), @"
        nothing is known to be written
          line 1: closed
        line 2: bad
        ");
    }
}
