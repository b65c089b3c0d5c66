//! The shared parts of the measuring programs.
//!
//! Each program of `src/bin` measures one thing, so no figure depends on another measurement. The
//! optimizer treats a function with one call differently from a function with two. `../budgets`
//! builds and runs the programs.
#![no_std]

pub mod meter;
pub mod rounds;
#[cfg(feature = "timed-sections")]
pub mod timed;

#[doc(hidden)]
pub use cortex_m_rt::entry;

/// Makes a program that counts the instructions of a round of [`rounds`]:
/// `round_program!("what it does", module)`.
#[macro_export]
macro_rules! round_program {
    ($name:literal, $module:ident) => {
        $crate::round_program!($name, at $crate::rounds::$module);
    };
    // A round that lies in the program itself.
    ($name:literal, at $($module:tt)+) => {
        use panic_semihosting as _;

        #[$crate::entry]
        fn main() -> ! {
            let meter = $crate::meter::Meter::new();
            meter.measure($name, $($module)+::start(), |number| {
                Some($crate::rounds::work(number))
            });
            $crate::meter::done();
        }
    };
}

/// Makes a program that only repeats a round of [`rounds`], to show its size:
/// `flash_program!(module)`.
#[macro_export]
macro_rules! flash_program {
    ($module:ident) => {
        $crate::flash_program!(at $crate::rounds::$module);
    };
    // A round that lies in the program itself.
    (at $($module:tt)+) => {
        use cortex_m as _;
        use panic_halt as _;

        #[$crate::entry]
        fn main() -> ! {
            let mut round = $($module)+::start();
            loop {
                core::hint::black_box(round(core::hint::black_box(7)));
            }
        }
    };
}
