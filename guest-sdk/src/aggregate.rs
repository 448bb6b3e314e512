//! The trait of aggregates.

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::key::KeyType;
use crate::state::State;

/// A state for each key (and window), and records that change it. Put `#[aggregate]` on the `impl`. The function's name
/// in the manifest is the type's name in snake case.
///
/// All functions are pure. [`Ctx`] has the event time, the window and the config. A record that fails or is skipped
/// leaves the state unchanged: the SDK undoes the changes that the rule made before the error.
///
/// ```
/// use millrace_sdk::prelude::*;
///
/// struct Spending;
///
/// #[aggregate]
/// impl Aggregate for Spending {
///     type Key = String;
///     type Input = Doc;
///     type State = Total;
///     type Output = Total;
///
///     fn init(_customer: &String) -> Total {
///         Total::default()
///     }
///
///     fn add(total: &mut Total, _customer: &String, payment: Doc, _ctx: &Ctx) -> Result<()> {
///         total.payments += 1;
///         total.amount += payment.f64("amount")?;
///         Ok(())
///     }
///
///     fn result(total: &Total, _customer: &String, _ctx: &Ctx) -> Result<Total> {
///         Ok(total.clone())
///     }
/// }
///
/// #[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
/// struct Total {
///     payments: u64,
///     amount: f64,
/// }
///
/// impl State for Total {
///     const VERSION: u32 = 1;
/// }
///
/// plugin! { name: "spending", functions: [Spending] }
/// # fn main() {}
/// ```
pub trait Aggregate {
    /// The key that records are grouped by.
    type Key: KeyType;
    /// The value of a record: any type of argument of the other roles that borrows nothing. `Option<Doc>` takes null
    /// values too.
    type Input;
    /// The state that is kept.
    type State: State;
    /// The value of outputs: a type of value, or an `Option` of one, whose `None` is a null value.
    type Output;

    /// The state of a key that has none yet.
    fn init(key: &Self::Key) -> Self::State;

    /// Adds a record.
    ///
    /// # Errors
    /// Why the record isn't processed.
    fn add(state: &mut Self::State, key: &Self::Key, input: Self::Input, ctx: &Ctx<'_>) -> Result<()>;

    /// Takes a record back: the old row of a table that changed. If the key has no state, because the rule has refused
    /// that row or hasn't kept the state, it begins with a new one. The manifest says whether the aggregate has this
    /// function. A pipeline that aggregates over a table needs it.
    ///
    /// # Errors
    /// Why the record isn't processed. The default always fails.
    fn subtract(_state: &mut Self::State, _key: &Self::Key, _input: Self::Input, _ctx: &Ctx<'_>) -> Result<()> {
        Err(Error::bad_value("this aggregate can't take records back: `subtract` isn't written"))
    }

    /// Merges two states, those of sessions that a record has connected: `earlier` begins as a [new one](Self::init).
    /// The sessions are merged into it one by one, the earliest first, and then the record is added. The manifest says
    /// whether the aggregate has this function. A pipeline that aggregates over sessions needs it.
    ///
    /// # Errors
    /// Why the record isn't processed; the sessions stay unchanged. The default always fails.
    fn merge(_earlier: Self::State, _later: Self::State, _key: &Self::Key) -> Result<Self::State> {
        Err(Error::bad_value("this aggregate can't be used with sessions: `merge` isn't written"))
    }

    /// The output of a state.
    ///
    /// # Errors
    /// Why there is no output: then the record that was added last fails.
    fn result(state: &Self::State, key: &Self::Key, ctx: &Ctx<'_>) -> Result<Self::Output>;

    /// Whether the state is still worth keeping; false deletes it. It is called after each processed record. After a
    /// deletion the next record begins with [`init`](Self::init).
    fn keep(_state: &Self::State) -> bool {
        true
    }
}
