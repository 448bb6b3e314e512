//! What became of the lines of a write.

use anyhow::{Result, anyhow};
use millrace_topics::{Receipt, Undelivered};

/// At most this many groups of lines are listed: if a topic takes no records, there are thousands.
const GROUPS_LISTED: usize = 10;

/// The receipt, if all lines are written; otherwise an error that says which lines are in the topics, given why the
/// writing stopped.
pub(super) fn judge(receipt: Receipt, stopped: Result<()>) -> Result<Receipt> {
    if receipt.undelivered.is_empty() {
        return match stopped {
            Ok(()) => Ok(receipt),
            Err(error) if receipt.in_doubt => Err(error),
            Err(error) if receipt.sent == 0 => Err(error.context("nothing was written")),
            Err(error) => {
                let last = receipt.last_line;
                Err(error.context(format!("lines up to {last} were written, and none after it")))
            }
        };
    }
    let mut text = match receipt.undelivered.len() as u64 == receipt.sent {
        true => "nothing is known to be written".to_owned(),
        false => format!("lines up to {} were written but for these, and none after it", receipt.last_line),
    };
    let groups = groups(&receipt.undelivered);
    for Group { first, last, undelivered } in groups.iter().take(GROUPS_LISTED) {
        let lines = if first == last { format!("line {first}") } else { format!("lines {first} to {last}") };
        let unknown = if undelivered.unknown { ", and may be in the topic or not" } else { "" };
        text += &format!("\n  {lines}: {}{unknown}", undelivered.reason);
    }
    if groups.len() > GROUPS_LISTED {
        text += &format!("\n  and {} more groups of lines", groups.len() - GROUPS_LISTED);
    }
    Err(stopped.err().map_or_else(|| anyhow!("{text}"), |error| anyhow!("{text}\n{error:#}")))
}

/// Successive lines that have the same reason.
fn groups(undelivered: &[Undelivered]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for undelivered in undelivered {
        let line = undelivered.line;
        match groups.last_mut() {
            Some(group) if group.continues_with(undelivered) => group.last = line,
            _ => groups.push(Group { first: line, last: line, undelivered }),
        }
    }
    groups
}

/// Lines with the same fate.
struct Group<'a> {
    first: u64,
    last: u64,
    undelivered: &'a Undelivered,
}

impl Group<'_> {
    fn continues_with(&self, next: &Undelivered) -> bool {
        next.line == self.last + 1 && next.reason == self.undelivered.reason && next.unknown == self.undelivered.unknown
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn told(sent: u64, last_line: u64, undelivered: &[(u64, &str, bool)], stopped: Option<&str>) -> String {
        let undelivered = undelivered.iter().map(|(line, reason, unknown)| {
            let reason = (*reason).to_owned();
            Undelivered { line: *line, reason, unknown: *unknown }
        });
        let receipt = Receipt { sent, last_line, undelivered: undelivered.collect(), ..Receipt::default() };
        let stopped = stopped.map_or(Ok(()), |reason| Err(anyhow!("{reason}")));
        judge(receipt, stopped).map_or_else(|error| format!("{error:#}"), |receipt| format!("{} written", receipt.sent))
    }

    #[test]
    fn the_error_says_of_every_line_whether_it_is_in_the_topic() {
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
