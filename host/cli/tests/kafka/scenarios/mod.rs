//! One scenario a file.

mod brokers;
mod copies;
mod full_disk;
mod idling;
mod kills;
mod leaving;
mod points;
mod promptness;
mod restoring;
mod scaling;
mod secured;
mod slow;
mod topics;
mod undisturbed;
mod zombies;
