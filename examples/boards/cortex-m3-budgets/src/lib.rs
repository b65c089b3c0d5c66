//! What the measured programs share.
//!
//! Each program of `src/bin` measures one thing, so that no figure depends on what else is
//! measured: the optimizer treats a function that is called once differently from one that is
//! called twice. They are built and run by `../budgets`.
#![no_std]

pub mod meter;
pub mod rounds;

#[doc(hidden)]
pub use cortex_m_rt::entry;

/// A program that counts the instructions of a round of [`rounds`]: `round_program!("what it does",
/// module)`.
#[macro_export]
macro_rules! round_program {
    ($name:literal, $module:ident) => {
        use panic_semihosting as _;

        #[$crate::entry]
        fn main() -> ! {
            let meter = $crate::meter::Meter::new();
            meter.measure($name, $crate::rounds::$module::start(), |number| {
                Some($crate::rounds::work(number))
            });
            $crate::meter::done();
        }
    };
}

/// A program that does nothing but a round of [`rounds`], again and again, to see how large it is:
/// `flash_program!(module)`.
#[macro_export]
macro_rules! flash_program {
    ($module:ident) => {
        use cortex_m as _;
        use panic_halt as _;

        #[$crate::entry]
        fn main() -> ! {
            let mut round = $crate::rounds::$module::start();
            loop {
                core::hint::black_box(round(core::hint::black_box(7)));
            }
        }
    };
}
