//! Measures the RAM of an executor, and the stack of its worker.
//!
//! Stack: the program paints the words beneath the caller, makes the call, and finds the lowest
//! word without paint. The figure is what the call and its callees use beneath their caller's stack
//! pointer.
#![no_std]
#![no_main]

use core::arch::asm;
use core::cell::Cell;
use core::convert::Infallible;
use core::hint::black_box;
use core::mem::size_of;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{done, tell};
use panic_semihosting as _;
use slotted::{Executor, JoinHandle, Ran, Shutdown, Spawn, SpinHost, Worker};

/// How far down the program paints the stack, in bytes.
const DEPTH: usize = 4096;
const PAINT: u32 = 0x5afe_c0de;

static EXECUTOR: Executor<1, 8, 16, SpinHost> = Executor::new();

#[derive(Default)]
struct Keep(Cell<Option<Worker<'static, SpinHost>>>);

impl Spawn<SpinHost> for Keep {
    type Error = Infallible;

    fn spawn(&self, worker: Worker<'static, SpinHost>) -> Result<(), Infallible> {
        self.0.set(Some(worker));
        Ok(())
    }
}

/// Prints how many bytes of stack a call uses. The compiler does not know the pointer `call`, so it
/// inlines nothing of the call here.
#[inline(never)]
fn tell_stack(name: &str, context: &mut Context, call: fn(&mut Context)) {
    // SAFETY: memory beneath the stack pointer has no owner, and no interrupt is enabled. The board
    // has megabytes of it.
    unsafe {
        asm!(
            "mov {lowest}, sp",
            "sub {lowest}, {lowest}, {depth}",
            "2:",
            "str {paint}, [{lowest}], #4",
            "cmp {lowest}, sp",
            "bne 2b",
            lowest = out(reg) _, depth = in(reg) DEPTH, paint = in(reg) PAINT,
        );
    }
    black_box(call)(context);
    let used: usize;
    // SAFETY: as above; it reads only.
    unsafe {
        asm!(
            "mov {lowest}, sp",
            "sub {lowest}, {lowest}, {depth}",
            "2:",
            "ldr {word}, [{lowest}], #4",
            "cmp {word}, {paint}",
            "beq 2b",
            "subs {lowest}, {lowest}, #4",
            "mov {word}, sp",
            "subs {used}, {word}, {lowest}",
            lowest = out(reg) _, word = out(reg) _, used = out(reg) used,
            depth = in(reg) DEPTH, paint = in(reg) PAINT,
        );
    }
    assert!(used > 0 && used < DEPTH, "{name}: it used all of the paint");
    tell(name, used as u64, "bytes");
}

#[derive(Default)]
struct Context {
    worker: Option<Worker<'static, SpinHost>>,
    handle: Option<JoinHandle<'static, (), SpinHost>>,
}

fn ram() {
    const SMALL: usize = size_of::<Executor<0, 8, 16, SpinHost>>();
    const SLOT: usize = (size_of::<Executor<0, 16, 16, SpinHost>>() - SMALL) / 8;
    const LARGER: usize = (size_of::<Executor<0, 16, 64, SpinHost>>()
        - size_of::<Executor<0, 8, 64, SpinHost>>())
        / 8;
    const WORKER: usize =
        size_of::<Executor<2, 8, 16, SpinHost>>() - size_of::<Executor<1, 8, 16, SpinHost>>();
    tell(
        "an executor without its slots",
        (SMALL - 8 * SLOT) as u64,
        "bytes",
    );
    tell("a slot of 16 bytes", SLOT as u64, "bytes");
    tell("a slot of 64 bytes", LARGER as u64, "bytes");
    tell("a worker", WORKER as u64, "bytes");
    tell(
        "a handle",
        size_of::<JoinHandle<'static, u32, SpinHost>>() as u64,
        "bytes",
    );
}

#[entry]
fn main() -> ! {
    ram();

    let keep = Keep::default();
    let mut context = Context::default();
    let started = EXECUTOR.start(&keep);
    assert!(started.is_ok());
    context.worker = keep.0.take();
    tell_stack("stack of submit", &mut context, |context| {
        context.handle = EXECUTOR.submit(|| ()).ok()
    });
    tell_stack(
        "stack of Worker::run_one with an empty task",
        &mut context,
        |context| {
            assert!(context.worker.as_mut().map(Worker::run_one) == Some(Ran::Task));
        },
    );
    tell_stack("stack of result", &mut context, |context| {
        assert!(
            context
                .handle
                .take()
                .is_some_and(|handle| handle.result().is_ok())
        );
    });
    context.handle = EXECUTOR.submit(|| ()).ok();
    EXECUTOR.begin_shutdown(Shutdown::Drain);
    tell_stack(
        "stack of Worker::run with an empty task, to the end",
        &mut context,
        |context| {
            context.worker.take().into_iter().for_each(Worker::run);
        },
    );
    assert!(context.handle.is_some_and(|handle| handle.done()));
    done();
}
