//! The pages of the documentation.

#[doc = include_str!("docs/choosing.md")]
pub mod choosing {}

#[doc = include_str!("docs/from_python.md")]
pub mod from_python {}

#[doc = include_str!("docs/trust.md")]
pub mod trust {}

#[doc = include_str!("docs/limits.md")]
pub mod limits {}

#[doc = include_str!("docs/protocol.md")]
pub mod protocol {}

#[doc = include_str!("docs/chips.md")]
pub mod chips {}
