//! One group of an aggregate.

use std::borrow::Cow;

use super::aggregate::untouched;
use super::writer::{Mark, Writer};
use crate::aggregate::Aggregate;
use crate::bindings::aggregate::exports::millrace::plugin::aggregate::{Change, Entry, Group, Grouped, Mode};
use crate::bindings::base::millrace::plugin::types::Stored;
use crate::ctx::{Call, Ctx};
use crate::error::Result;
use crate::function::Function;
use crate::host;
use crate::state;
use crate::value::FromValue;

/// What a group is worked on with.
pub(super) struct Task<'a> {
    pub(super) call: &'a Call,
    pub(super) group: &'a Group,
    pub(super) entries: &'a [Entry],
    /// Index of the first entry in the call.
    pub(super) first: usize,
    pub(super) mode: Mode,
    /// The state version to write, where it isn't the newest.
    pub(super) version: Option<u32>,
}

/// A group afterwards.
pub(super) struct Done {
    pub(super) grouped: Grouped,
    /// Indexes, in the call, of the entries after which the state was gone.
    pub(super) deleted: Vec<u32>,
}

impl Task<'_> {
    /// Takes the group's records.
    ///
    /// At first the state is written, and in mode `last` its result taken, once, after all records. If that fails,
    /// some record is to blame: then the group is gone over again, with both after each record.
    #[allow(clippy::panic, reason = "there is no record that could fail")]
    pub(super) fn run<A: Aggregate + Function>(&self, out: &mut Writer) -> Done {
        let mark: Mark = out.mark();
        self.attempt::<A>(false, out).unwrap_or_else(|_| {
            out.rewind(mark);
            self.attempt::<A>(true, out).unwrap_or_else(|error| {
                if self.entries.is_empty() {
                    panic!("`{}` has no result for a state that it has: {error}", A::SPEC.name);
                }
                out.rewind(mark);
                self.entries.iter().for_each(|_| out.end(Err(error.clone())));
                Done { grouped: untouched(self.group, self.call, out), deleted: Vec::new() }
            })
        })
    }

    fn attempt<A: Aggregate>(&self, careful: bool, out: &mut Writer) -> Result<Done> {
        let mut run = Run::<A>::open(self, careful)?;
        for (index, entry) in self.entries.iter().enumerate() {
            let index = self.first.saturating_add(index) as u32;
            host::at(index);
            let result = run.entry(entry, out);
            match result {
                Ok(()) => run.settle(entry, index),
                Err(_) => run.restore()?,
            }
            out.end(result);
        }
        run.close(out)
    }
}

/// The records of a group on their way into its state.
///
/// A record that fails leaves the state as if it had not come. Copying the state before each record would make the
/// good ones pay for it; so the state is restored when a record has failed: from a checkpoint, over which the good
/// records since then are gone once more. What was restored is the next checkpoint, so that each record is gone over
/// at most twice.
struct Run<'a, A: Aggregate> {
    task: &'a Task<'a>,
    careful: bool,
    key: A::Key,
    state: A::State,
    /// Whether the state may have been changed by the record at hand.
    touched: bool,
    /// The state before `since`, and its version; none is that of a new key.
    checkpoint: Option<(u32, Cow<'a, [u8]>)>,
    /// The records that came in well after the checkpoint.
    since: Vec<&'a Entry>,
    /// Whether there is no state to keep: the key is new, or the state wasn't kept after the last good record. The next
    /// one begins with a new state, as it would if it came in a call of its own.
    gone: bool,
    /// Indexes, in the call, of the entries after which the state was gone.
    deleted: Vec<u32>,
}

impl<'a, A: Aggregate> Run<'a, A> {
    fn open(task: &'a Task<'a>, careful: bool) -> Result<Self> {
        let key = task.call.key::<A::Key>(Some(task.group.key))?.0;
        let checkpoint = task.group.state.map(|stored| (stored.version, Cow::Borrowed(task.call.bytes(stored.bytes))));
        let state = Self::read(checkpoint.as_ref(), &key)?;
        let (since, gone, deleted) = (Vec::new(), checkpoint.is_none(), Vec::new());
        Ok(Self { task, careful, key, state, touched: false, checkpoint, since, gone, deleted })
    }

    fn read(checkpoint: Option<&(u32, Cow<'a, [u8]>)>, key: &A::Key) -> Result<A::State> {
        match checkpoint {
            Some((version, bytes)) => state::decode(*version, bytes),
            None => Ok(A::init(key)),
        }
    }

    /// One record, with the result where it is wanted.
    fn entry(&mut self, entry: &'a Entry, out: &mut Writer) -> Result<()> {
        if self.gone {
            self.state = A::init(&self.key);
            self.checkpoint = None;
            self.since.clear();
        }
        // The second time over a group its records have logged and counted already.
        self.apply(entry, self.careful)?;
        let ctx = self.ctx(entry, self.careful);
        if self.task.mode == Mode::Each {
            out.value(A::result(&self.state, &self.key, &ctx)?)?;
        }
        if self.careful {
            if A::keep(&self.state) {
                state::encode(&self.state, self.task.version, &mut Vec::new())?;
            }
            A::result(&self.state, &self.key, &ctx).map(drop)?;
        }
        Ok(())
    }

    fn apply(&mut self, entry: &'a Entry, quiet: bool) -> Result<()> {
        self.touched = false;
        let label = match entry.change {
            Change::Add => "value",
            Change::Subtract => "old value",
        };
        let input = A::Input::from_value(self.task.call.value(&entry.message, label))?;
        let ctx = self.ctx(entry, quiet);
        self.touched = true;
        match entry.change {
            Change::Add => A::add(&mut self.state, &self.key, input, &ctx),
            Change::Subtract => A::subtract(&mut self.state, &self.key, input, &ctx),
        }
    }

    /// A record that came in well: it stands, and so does what it means for the state.
    fn settle(&mut self, entry: &'a Entry, index: u32) {
        self.since.push(entry);
        self.gone = !A::keep(&self.state);
        if self.gone {
            self.deleted.push(index);
        }
    }

    /// Takes back what a failed record did to the state.
    #[cold]
    fn restore(&mut self) -> Result<()> {
        if !self.touched {
            return Ok(());
        }
        self.state = Self::read(self.checkpoint.as_ref(), &self.key)?;
        if self.gone {
            return Ok(());
        }
        for entry in std::mem::take(&mut self.since) {
            self.apply(entry, true)?;
        }
        let mut bytes = Vec::new();
        let version = state::encode(&self.state, None, &mut bytes)?;
        self.checkpoint = Some((version, Cow::Owned(bytes)));
        Ok(())
    }

    fn ctx(&self, entry: &'a Entry, quiet: bool) -> Ctx<'a> {
        Ctx { message: Some(&entry.message), timestamp: entry.message.timestamp, ..self.group_ctx(quiet) }
    }

    /// What is known where there is no record: of the last one only its time.
    fn group_ctx(&self, quiet: bool) -> Ctx<'a> {
        let timestamp = self.task.entries.last().map_or(0, |entry| entry.message.timestamp);
        let window = self.task.group.window.map(Into::into);
        Ctx { call: self.task.call, message: None, right: None, timestamp, window, quiet }
    }

    /// Writes the state, and the result where it is wanted.
    fn close(self, out: &mut Writer) -> Result<Done> {
        let value = match self.task.mode {
            Mode::Each => None,
            Mode::Last => out.content(A::result(&self.state, &self.key, &self.group_ctx(self.careful))?)?,
        };
        let state = if self.gone { None } else { Some(self.stored(out)?) };
        out.settle();
        Ok(Done { grouped: Grouped { state, value }, deleted: self.deleted })
    }

    fn stored(&self, out: &mut Writer) -> Result<Stored> {
        let (version, bytes) = out.build(|bytes| state::encode(&self.state, self.task.version, bytes))?;
        Ok(Stored { version, bytes })
    }
}
