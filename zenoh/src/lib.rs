#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

mod config;
mod error;
mod names;
mod node;
mod nodes;

pub use config::peer;
pub use error::Error;
pub use node::serve;
pub use nodes::start;
pub use zenoh::Config;

#[doc = include_str!("docs/machines.md")]
pub mod machines {}
