//! One scenario a file.

mod brokers;
mod copies;
mod idling;
mod kills;
mod leaving;
mod points;
mod promptness;
mod refusals;
mod restoring;
mod scaling;
mod secured;
mod topics;
mod undisturbed;
mod zombies;
