//! One scenario a file.

mod brokers;
mod copies;
mod headers;
mod idling;
mod kills;
mod leaving;
mod pausing;
mod points;
mod promptness;
mod restoring;
mod scaling;
mod secured;
mod topics;
mod undisturbed;
mod zombies;
