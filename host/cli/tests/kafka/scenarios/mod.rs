//! The scenarios, one file each.

mod beforehand;
mod brokers;
mod copies;
mod full_disk;
mod headers;
mod holding;
mod idling;
mod kills;
mod leaving;
mod merging;
mod pausing;
mod permissions;
mod points;
mod promptness;
mod refusals;
mod restoring;
mod scaling;
mod secured;
mod slow;
mod spreading;
mod topics;
mod undisturbed;
mod unfinished;
mod zombies;
