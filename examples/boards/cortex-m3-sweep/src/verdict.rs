//! The verdict. Without the planted bug, the first failure is the end. With it, each part must
//! fail: a failure resets the board, and the sweep goes on with the next part.

use core::mem::MaybeUninit;
use core::ptr::addr_of_mut;

use cortex_m::peripheral::SCB;
use cortex_m_semihosting::debug;

/// How many parts are done, in memory that a reset leaves alone.
#[unsafe(link_section = ".uninit.progress")]
static mut PROGRESS: MaybeUninit<Progress> = MaybeUninit::uninit();

#[derive(Clone, Copy)]
#[repr(C)]
struct Progress {
    /// `MARK` if the rest was written by this program.
    mark: u32,
    done: u32,
    /// Parts that did not notice the planted bug.
    passed: u32,
}

const MARK: u32 = 0x5107_7ed5;
const NONE: Progress = Progress {
    mark: MARK,
    done: 0,
    passed: 0,
};

fn progress() -> Progress {
    // SAFETY: volatile, of memory that is there. Any bits make a `Progress`. Only the thread, and a
    // panic that ends the program, look at it.
    let progress = unsafe { addr_of_mut!(PROGRESS).cast::<Progress>().read_volatile() };
    if progress.mark == MARK {
        progress
    } else {
        NONE
    }
}

fn set_progress(progress: Progress) {
    // SAFETY: as in `progress`.
    unsafe {
        addr_of_mut!(PROGRESS)
            .cast::<Progress>()
            .write_volatile(progress)
    }
}

/// How many parts were done before the last reset.
pub(crate) fn parts_done() -> usize {
    progress().done as usize
}

/// A part has passed.
pub(crate) fn part_passed() {
    let before = progress();
    set_progress(Progress {
        done: before.done + 1,
        passed: before.passed + 1,
        ..before
    });
}

/// A part has failed.
pub(crate) fn part_failed() -> ! {
    let before = progress();
    set_progress(Progress {
        done: before.done + 1,
        ..before
    });
    if cfg!(feature = "planted-bug") {
        SCB::sys_reset();
    }
    exit(debug::EXIT_FAILURE);
}

/// All parts are done.
pub(crate) fn end() -> ! {
    let passed = progress().passed;
    exit(match (cfg!(feature = "planted-bug"), passed) {
        // Each part noticed the planted bug.
        (true, 0) => debug::EXIT_FAILURE,
        _ => debug::EXIT_SUCCESS,
    });
}

fn exit(status: debug::ExitStatus) -> ! {
    loop {
        debug::exit(status);
    }
}
