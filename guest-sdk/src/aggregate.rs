//! What a plugin implements to aggregate.

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::key::KeyType;
use crate::state::State;

/// A state for each key (and window), and records that change it. `#[aggregate]` belongs on the `impl`; the function's
/// name in the manifest is the type's in snake case.
///
/// All functions are pure: what they get besides is in [`Ctx`]. A record that fails, or is skipped, leaves the state as
/// if it had not come, whatever was done to it before the error: the SDK sees to that.
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
    /// The value of a record: what the other roles can take as one, as long as it borrows nothing. `Option<Doc>` takes
    /// null values too.
    type Input;
    /// What is kept.
    type State: State;
    /// What is put out: a type of value, or an `Option` of one, of which `None` is a null value.
    type Output;

    /// The state of a key that has none yet.
    fn init(key: &Self::Key) -> Self::State;

    /// Adds a record.
    ///
    /// # Errors
    /// Why the record isn't processed.
    fn add(state: &mut Self::State, key: &Self::Key, input: Self::Input, ctx: &Ctx<'_>) -> Result<()>;

    /// Takes a record back: the old row of a table that changed. A key without a state begins with a new one, as when the
    /// rule has refused that row, or doesn't keep its state. The manifest says whether this is written, and a
    /// pipeline that aggregates over a table is refused where it isn't.
    ///
    /// # Errors
    /// Why the record isn't processed. Unless written otherwise, always.
    fn subtract(_state: &mut Self::State, _key: &Self::Key, _input: Self::Input, _ctx: &Ctx<'_>) -> Result<()> {
        Err(Error::bad_value("this aggregate can't take records back: `subtract` isn't written"))
    }

    /// Makes one of two states, as of sessions that a record has brought together: `earlier` begins as a
    /// [new one](Self::init), and then the sessions are merged into it one by one, the earliest first, before the record
    /// is added. The manifest says whether it is written, and a pipeline that aggregates over sessions is refused where
    /// it isn't.
    ///
    /// # Errors
    /// Why the record isn't processed; the sessions stay as they were. Unless written otherwise, always.
    fn merge(_earlier: Self::State, _later: Self::State, _key: &Self::Key) -> Result<Self::State> {
        Err(Error::bad_value("this aggregate can't be used with sessions: `merge` isn't written"))
    }

    /// What the state amounts to.
    ///
    /// # Errors
    /// Then the record that was added last fails.
    fn result(state: &Self::State, key: &Self::Key, ctx: &Ctx<'_>) -> Result<Self::Output>;

    /// Whether the state is still worth keeping; false deletes it. Asked after each record that was processed: the next
    /// one begins with [`init`](Self::init).
    fn keep(_state: &Self::State) -> bool {
        true
    }
}
