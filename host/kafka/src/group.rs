//! The app's consumer group: this process's member of it, the tasks that follow from its assignment, and the mailboxes
//! through which workers are told their tasks.
//!
//! Uses [`cluster`](crate::cluster), [`client`](crate::client), [`tasks`](crate::tasks) and [`error`](crate::error).

mod announce;
mod mailbox;
mod membership;
mod refusal;
mod silence;
mod unread;

pub(crate) use mailbox::{Command, Generation, Mailbox, MailboxSender};
pub(crate) use membership::{Member, Membership};
pub(crate) use refusal::JoinRefusal;
