//! Operations, through the service, over an engine in memory.

mod attributes;
mod create;
mod data;
mod remove;
mod rename;
