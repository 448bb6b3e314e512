//! Errors of a task.

use crate::ports::{BackendError, Failure};

/// Why a task can't go on. Its open transaction must not be committed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Committed state can't be read: open the task anew, or stop.
    #[error(transparent)]
    State(#[from] BackendError),
    /// The host can't make guest calls: open the task anew, or stop.
    #[error("step `{step}`: {reason}")]
    Host {
        /// The step that called.
        step: String,
        /// The host's error.
        reason: String,
    },
    /// The [time limit](crate::logic::Logic::limit_time) of a run's guest calls has passed: open the task anew, with
    /// fewer records per run.
    #[error("step `{step}`: the time for its guest calls is over")]
    Overrun {
        /// The step that called.
        step: String,
    },
    /// A record failed at a step with `on-error = "fail"`: stop, and report it.
    #[error(
        "step `{step}` has on-error = \"fail\", and a record failed: {} ({}){record}. Mend the rule or the record, or say \
         on-error = \"dead-letter\" or \"skip\": a run that is started again goes on with it",
        failure.text, failure.code
    )]
    Stopped {
        /// The step.
        step: String,
        /// Why the record failed.
        failure: Failure,
        /// Text with topic, partition and offset of the record's origin; empty if the origin is unknown.
        record: String,
    },
    /// A newer deployment than the active one has written the state: go on with that one.
    #[error("plugin `{plugin}`: the state was written by generation {recorded}, but generation {active} is active")]
    OldDeployment {
        /// The plugin.
        plugin: String,
        /// Generation in the state.
        recorded: u32,
        /// Generation the driver named.
        active: u32,
    },
    /// The last commit interrupted a run, and this pipeline can't go on with it: stop, and report it.
    #[error(
        "the last commit interrupted a run over the topic `{topic}`, and this pipeline can't go on with it: {reason}. Run the \
         pipeline as it was until it is idle (`--until-idle`), then this one; or start anew (`millrace reset` on Kafka, \
         else another `--data` folder)"
    )]
    UnfinishedRun {
        /// The topic under whose name the run is stored: the first that the task read a partition of.
        topic: String,
        /// Why the pipeline can't go on with it.
        reason: String,
    },
}
