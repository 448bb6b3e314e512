//! One scenario a file.

mod brokers;
mod copies;
mod kills;
mod leaving;
mod points;
mod restoring;
mod scaling;
mod secured;
mod topics;
mod undisturbed;
mod zombies;
