//! What the measured programs share.
//!
//! Each program of `src/bin` measures one thing, so that no figure depends on what else is measured: the optimizer treats
//! a function that is called once differently from one that is called twice. They are built and run by `../budgets`.
#![no_std]

pub mod meter;
pub mod rounds;
