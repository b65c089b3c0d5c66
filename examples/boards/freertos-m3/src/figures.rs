//! Measures instructions per round trip between tasks, on one Cortex-M3 with FreeRTOS:
//! `cargo figures`.
//!
//! Other figures, for comparison, are those of programs without an executor: a task for each piece
//! of work, and a queue of closures. Each figure is the average of a thousand rounds, in
//! instructions, not cycles. The tick is off meanwhile.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use core::ffi::c_void;
use core::fmt::{self, Write};
use core::ptr::{self, with_exposed_provenance_mut};

use cortex_m::peripheral::SYST;
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hio};
use freertos_host::{FreeRtosHost, FreeRtosTasks};
use freertos_next::{
    CurrentTask, Duration, FreeRtosAllocator, FreeRtosMutVoidPtr, FreeRtosTaskHandle,
    FreeRtosUtils, Queue, Task, TaskNotification, TaskPriority, freertos_rs_delete_task,
    freertos_rs_get_current_task, freertos_rs_spawn_task,
};
use panic_semihosting as _;
use slotted::{Executor, Shutdown};

#[global_allocator]
static HEAP: FreeRtosAllocator = FreeRtosAllocator;

const ROUNDS: u32 = 1000;
/// The main task's priority.
const PRIORITY: u8 = 2;
const STACK_SIZE: usize = 1024;

#[entry]
fn main() -> ! {
    Task::new()
        .name("main")
        .stack_size_bytes(16 * 1024)
        .priority(TaskPriority(PRIORITY))
        .start(|_| {
            let mut out = hio::hstdout().expect("the emulator has a console");
            debug::exit(if print(&mut out).is_ok() {
                debug::EXIT_SUCCESS
            } else {
                debug::EXIT_FAILURE
            });
        })
        .expect("there is room for the main task");
    FreeRtosUtils::start_scheduler()
}

fn print(out: &mut impl Write) -> fmt::Result {
    const PRIORITIES: [(&str, u8); 3] = [
        ("more urgent", PRIORITY + 1),
        ("as urgent", PRIORITY),
        ("less urgent", PRIORITY - 1),
    ];
    writeln!(out, "nothing: {}", average(|_| {}))?;
    for (worker, priority) in PRIORITIES {
        writeln!(
            out,
            "slotted, submit and result, worker {worker}: {}",
            submit_and_result(priority)
        )?;
    }
    for (worker, priority) in PRIORITIES {
        writeln!(
            out,
            "boxed closure through a queue, notification back, worker {worker}: {}",
            queue(priority)
        )?;
    }
    writeln!(
        out,
        "task created, run, notification back, deleted: {}",
        create(PRIORITY + 1)
    )?;
    writeln!(
        out,
        "the same with a closure, deleted by the idle task later: {}",
        start()
    )
}

/// The board's timer. It counts down at 25 MHz. With `-icount shift=8` an instruction takes 256 ns.
const TIMER: usize = 0x4000_0000;

#[inline(never)]
fn begin() -> u32 {
    // Counts through all 32 bits, and starts.
    for (register, value) in [(0x8, u32::MAX), (0x0, 1)] {
        // SAFETY: registers of the timer, which are not memory to Rust.
        unsafe { with_exposed_provenance_mut::<u32>(TIMER + register).write_volatile(value) };
    }
    read()
}

#[inline(never)]
fn read() -> u32 {
    // SAFETY: the value register, which is not memory to Rust.
    unsafe { with_exposed_provenance_mut::<u32>(TIMER + 0x4).read_volatile() }
}

/// Instructions per call.
#[inline(never)]
fn average(mut round: impl FnMut(u32)) -> u64 {
    // The first rounds include work that happens only once.
    (0..10).for_each(&mut round);
    tick(false);
    let began = begin();
    (0..ROUNDS).for_each(&mut round);
    let ticks = began.wrapping_sub(read());
    tick(true);
    let instructions = (u64::from(ticks) * 40 + 128) >> 8;
    instructions / u64::from(ROUNDS)
}

/// Turns the interrupt of the kernel's tick on or off.
fn tick(on: bool) {
    // SAFETY: the kernel sets the timer up once; after that only this task uses it.
    let timer = unsafe { &*SYST::PTR };
    const INTERRUPT: u32 = 1 << 1;
    // SAFETY: it changes only the bit of the interrupt.
    unsafe {
        timer.csr.modify(|control| {
            if on {
                control | INTERRUPT
            } else {
                control & !INTERRUPT
            }
        })
    };
}

fn submit_and_result(priority: u8) -> u64 {
    static POOL: Executor<1, 8, 64, FreeRtosHost> = Executor::new();
    POOL.start(&FreeRtosTasks::new().priority(priority))
        .expect("there is room for a worker");
    let instructions = average(|number| {
        let result = POOL
            .submit(move || number * 2)
            .ok()
            .and_then(|handle| handle.result().ok());
        assert_eq!(result, Some(number * 2));
    });
    POOL.shutdown(Shutdown::Drain)
        .expect("the main task is no worker");
    instructions
}

type Work = Box<dyn FnOnce() -> bool + Send>;

/// A worker takes boxed closures from a queue. Each closure notifies the main task of its result.
fn queue(priority: u8) -> u64 {
    let queue: &'static Queue<Work> =
        Box::leak(Box::new(Queue::new(8).expect("there is room for a queue")));
    let mut worker = Task::new();
    worker
        .name("worker")
        .stack_size_bytes(STACK_SIZE)
        .priority(TaskPriority(priority));
    let worker =
        worker.start(|_| while queue.receive(Duration::infinite()).is_ok_and(|work| work()) {});
    assert!(worker.is_ok());
    let main = Task::current().expect("a task runs");
    let instructions = average(|number| {
        let caller = main.clone();
        let work: Work = Box::new(move || {
            caller.notify(TaskNotification::OverwriteValue(number * 2));
            true
        });
        assert!(queue.send(work, Duration::infinite()).is_ok());
        assert_eq!(
            main.wait_for_notification(0, u32::MAX, Duration::infinite()),
            Ok(number * 2)
        );
    });
    assert!(queue.send(Box::new(|| false), Duration::infinite()).is_ok());
    // Meanwhile the idle task frees the worker.
    CurrentTask::delay(Duration::ticks(2));
    instructions
}

/// Creates a task for each piece of work. The task notifies the main task, which deletes it.
fn create(priority: u8) -> u64 {
    extern "C" fn work(main: FreeRtosMutVoidPtr) -> FreeRtosMutVoidPtr {
        // SAFETY: it is the main task's handle.
        let main = unsafe { Task::from_raw_handle(main) };
        main.notify(TaskNotification::OverwriteValue(1));
        loop {
            // Waits until the main task deletes it.
            CurrentTask::take_notification(true, Duration::infinite());
        }
    }
    // SAFETY: it reads a variable of the kernel.
    let main: *mut c_void = unsafe { freertos_rs_get_current_task() }.cast_mut();
    average(|_| {
        let mut task: FreeRtosTaskHandle = ptr::null();
        let (name, words) = ("work", (STACK_SIZE / 4) as u16);
        // SAFETY: name and handle are valid during the call.
        let refused = unsafe {
            freertos_rs_spawn_task(
                work,
                main,
                name.as_ptr(),
                4,
                words,
                priority.into(),
                &mut task,
            )
        };
        assert_eq!(refused, 0);
        assert_eq!(
            CurrentTask::take_notification(true, Duration::infinite()),
            1
        );
        // SAFETY: the task waits without end, and lends nothing on its stack.
        unsafe { freertos_rs_delete_task(task) };
    })
}

/// The same with closures, each of which ends its task. The idle task frees the tasks after a few
/// rounds.
fn start() -> u64 {
    let main = Task::current().expect("a task runs");
    let mut work = Task::new();
    work.name("work")
        .stack_size_bytes(STACK_SIZE)
        .priority(TaskPriority(PRIORITY + 1));
    let mut sum = 0;
    for _ in 0..ROUNDS / 50 {
        let instructions = |rounds: u32| {
            let began = begin();
            for _ in 0..rounds {
                let caller = main.clone();
                assert!(
                    work.start(move |_| caller.notify(TaskNotification::OverwriteValue(1)))
                        .is_ok()
                );
                assert_eq!(
                    CurrentTask::take_notification(true, Duration::infinite()),
                    1
                );
            }
            u64::from(began.wrapping_sub(read()))
        };
        tick(false);
        sum += instructions(50);
        tick(true);
        CurrentTask::delay(Duration::ticks(10));
    }
    ((sum * 40 + 128) >> 8) / u64::from(ROUNDS)
}
