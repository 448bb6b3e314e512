//! One group of an aggregate.

use super::aggregate::{AggregateFunction, untouched};
use super::writer::{Mark, Writer};
use crate::bindings::aggregate::exports::millrace::plugin::aggregate::{Change, Entry, Group, Grouped, Mode};
use crate::bindings::base::millrace::plugin::types::{Span, Stored};
use crate::ctx::{Call, Ctx};
use crate::error::Result;
use crate::host;
use crate::state;
use crate::value::Written;

/// The work on one group.
pub(super) struct Task<'a> {
    pub(super) call: &'a Call,
    pub(super) group: &'a Group,
    /// States of the sessions that are merged.
    pub(super) absorbed: &'a [Stored],
    pub(super) entries: &'a [Entry],
    /// Index of the first entry in the call.
    pub(super) first: usize,
    pub(super) mode: Mode,
    /// The state version to write, if it isn't the newest.
    pub(super) version: Option<u32>,
}

/// The results of a group.
pub(super) struct Done {
    pub(super) grouped: Grouped,
    /// Indexes, in the call, of the entries that deleted the state.
    pub(super) deleted: Vec<u32>,
}

impl<'a> Task<'a> {
    /// Applies the group's records to its state.
    ///
    /// The first attempt writes the state once, after all records, and in mode `last` it then takes the result. If that
    /// fails, some record is the cause: then the second attempt does both after each record.
    #[allow(clippy::panic, reason = "there is no record that could fail")]
    pub(super) fn run<A: AggregateFunction>(&self, out: &mut Writer) -> Done {
        let mark: Mark = out.mark();
        // The work before the first record, such as merging, belongs to this record.
        let mut announced = 0;
        self.announce(0, &mut announced);
        self.attempt::<A>(false, &mut announced, out).unwrap_or_else(|_| {
            out.rewind(mark);
            self.attempt::<A>(true, &mut announced, out).unwrap_or_else(|error| {
                if self.entries.is_empty() {
                    panic!("`{}` has no result for a state that it has: {error}", A::SPEC.name);
                }
                out.rewind(mark);
                self.entries.iter().for_each(|_| out.end(Err(error.clone())));
                Done { grouped: untouched(self.group, self.call, out), deleted: Vec::new() }
            })
        })
    }

    /// Tells the host which of the group's records is next. Each record is announced once, over both attempts: its
    /// budget is renewed once.
    fn announce(&self, index: usize, announced: &mut usize) {
        if index == *announced && index < self.entries.len() {
            host::at(self.index(index));
            *announced = index.saturating_add(1);
        }
    }

    /// The index in the call of an entry of this group.
    fn index(&self, entry: usize) -> u32 {
        self.first.saturating_add(entry) as u32
    }

    fn attempt<A: AggregateFunction>(&self, careful: bool, announced: &mut usize, out: &mut Writer) -> Result<Done> {
        let mut run = Run::<A>::open(self, careful)?;
        for (index, entry) in self.entries.iter().enumerate() {
            self.announce(index, announced);
            let result = run.entry(entry, out);
            match result {
                Ok(()) => run.settle(entry, self.index(index)),
                Err(_) => run.restore()?,
            }
            out.end(result);
        }
        run.close(out)
    }

    fn new_state<A: AggregateFunction>(&self, key: &A::Key) -> Result<A::State> {
        let absorb = |state, absorbed: &Stored| A::merge(state, self.read(*absorbed)?, key);
        self.absorbed.iter().try_fold(A::init(key), absorb)
    }

    fn read<S: state::State>(&self, stored: Stored) -> Result<S> {
        state::decode(stored.version, self.call.bytes(stored.bytes))
    }
}

/// One attempt to apply a group's records to its state.
///
/// A record that fails must leave the state unchanged. To copy the state before each record would cost the good
/// records. So the state is restored after a failure: the good records since the last checkpoint are applied to it
/// again. The restored state is the next checkpoint, so that each record is applied at most twice.
struct Run<'a, A: AggregateFunction> {
    task: &'a Task<'a>,
    careful: bool,
    key: A::Key,
    state: A::State,
    /// Whether the current record may have changed the state.
    touched: bool,
    /// The state before `since`.
    checkpoint: Checkpoint,
    /// The records that were applied since the checkpoint.
    since: Vec<&'a Entry>,
    /// Whether there is no state: the key is new, or the last good record deleted the state. The next record begins
    /// with a new state, as in a call of its own.
    gone: bool,
    /// Indexes, in the call, of the entries that deleted the state.
    deleted: Vec<u32>,
}

/// A state that can be restored.
enum Checkpoint {
    /// The state at the beginning: the group's own, or the merged sessions.
    Group,
    /// The state of a new key.
    New,
    /// A restored state, written: its version and bytes.
    Written(u32, Vec<u8>),
}

impl<'a, A: AggregateFunction> Run<'a, A> {
    fn open(task: &'a Task<'a>, careful: bool) -> Result<Self> {
        let key = task.call.key::<A::Key>(Some(task.group.key))?.0;
        let state = Self::read(task, &Checkpoint::Group, &key)?;
        let gone = task.group.state.is_none() && task.absorbed.is_empty();
        let (checkpoint, since, deleted) = (Checkpoint::Group, Vec::new(), Vec::new());
        Ok(Self { task, careful, key, state, touched: false, checkpoint, since, gone, deleted })
    }

    fn read(task: &Task<'_>, checkpoint: &Checkpoint, key: &A::Key) -> Result<A::State> {
        match (checkpoint, task.group.state) {
            (Checkpoint::Group, Some(stored)) => task.read(stored),
            (Checkpoint::Group, None) => task.new_state::<A>(key),
            (Checkpoint::New, _) => Ok(A::init(key)),
            (Checkpoint::Written(version, bytes), _) => state::decode(*version, bytes),
        }
    }

    /// Applies one record, and puts out the result if the host wants one.
    fn entry(&mut self, entry: &'a Entry, out: &mut Writer) -> Result<()> {
        if self.gone {
            self.state = A::init(&self.key);
            self.checkpoint = Checkpoint::New;
            self.since.clear();
        }
        // In the second attempt the records have already logged and counted.
        self.apply(entry, self.careful)?;
        let ctx = self.ctx(entry, self.careful);
        if self.task.mode == Mode::Each {
            let result = A::result(&self.state, &self.key, &ctx)?;
            out.written(|bytes| A::output(result, bytes))?;
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
        let input = A::input(self.task.call.value(&entry.message, label))?;
        let ctx = self.ctx(entry, quiet);
        self.touched = true;
        match entry.change {
            Change::Add => A::add(&mut self.state, &self.key, input, &ctx),
            Change::Subtract => A::subtract(&mut self.state, &self.key, input, &ctx),
        }
    }

    /// Keeps a good record's change of the state, or deletes the state.
    fn settle(&mut self, entry: &'a Entry, index: u32) {
        self.since.push(entry);
        self.gone = !A::keep(&self.state);
        if self.gone {
            self.deleted.push(index);
        }
    }

    /// Undoes a failed record's changes of the state.
    #[cold]
    fn restore(&mut self) -> Result<()> {
        if !self.touched {
            return Ok(());
        }
        self.state = Self::read(self.task, &self.checkpoint, &self.key)?;
        if self.gone {
            return Ok(());
        }
        for entry in std::mem::take(&mut self.since) {
            self.apply(entry, true)?;
        }
        let mut bytes = Vec::new();
        let version = state::encode(&self.state, None, &mut bytes)?;
        self.checkpoint = Checkpoint::Written(version, bytes);
        Ok(())
    }

    fn ctx(&self, entry: &'a Entry, quiet: bool) -> Ctx<'a> {
        Ctx { message: Some(&entry.message), timestamp: entry.message.timestamp, ..self.group_ctx(quiet) }
    }

    /// The context without a record, with the time of the group's last one.
    fn group_ctx(&self, quiet: bool) -> Ctx<'a> {
        let timestamp = self.task.entries.last().map_or(0, |entry| entry.message.timestamp);
        let window = self.task.group.window.map(Into::into);
        Ctx { call: self.task.call, message: None, right: None, timestamp, window, quiet }
    }

    /// Writes the state, and the result if the host wants one.
    fn close(self, out: &mut Writer) -> Result<Done> {
        let value = match self.task.mode {
            Mode::Each => None,
            Mode::Last => self.value(out)?,
        };
        let only_asked = self.task.entries.is_empty() && self.task.absorbed.is_empty();
        let state = match (only_asked, self.gone) {
            (true, _) => untouched(self.task.group, self.task.call, out).state,
            (false, true) => None,
            (false, false) => Some(self.stored(out)?),
        };
        out.settle();
        Ok(Done { grouped: Grouped { state, value }, deleted: self.deleted })
    }

    fn value(&self, out: &mut Writer) -> Result<Option<Span>> {
        let result = A::result(&self.state, &self.key, &self.group_ctx(self.careful))?;
        let (written, span) = out.build(|bytes| A::output(result, bytes))?;
        Ok((written == Written::Bytes).then_some(span))
    }

    fn stored(&self, out: &mut Writer) -> Result<Stored> {
        let (version, bytes) = out.build(|bytes| state::encode(&self.state, self.task.version, bytes))?;
        Ok(Stored { version, bytes })
    }
}
