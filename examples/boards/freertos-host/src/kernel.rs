//! What the host calls in the FreeRTOS kernel: the only file that knows its functions.

use core::arch::asm;
use core::ffi::c_void;
use core::ptr;

use freertos_next::{
    FreeRtosBaseType, FreeRtosTaskHandle, FreeRtosTickType, FreeRtosUBaseType,
    freertos_rs_delete_task, freertos_rs_get_portTICK_PERIOD_MS, freertos_rs_isr_yield,
    freertos_rs_spawn_task, freertos_rs_vTaskDelay,
};

/// A task's control block. Only ever handed back to the kernel.
pub(crate) type Task = *mut c_void;

/// What the kernel takes for an endless wait; without `INCLUDE_vTaskSuspend` it is merely a long
/// one.
pub(crate) const ENDLESS: FreeRtosTickType = FreeRtosTickType::MAX;

/// `TimeOut_t`.
#[repr(C)]
struct TimeOut {
    overflows: FreeRtosBaseType,
    ticks: FreeRtosTickType,
}

/// `eIncrement` of `eNotifyAction`.
const INCREMENT: u32 = 2;

unsafe extern "C" {
    // `freertos-next` binds the first notification only.
    fn ulTaskGenericNotifyTake(
        index: FreeRtosUBaseType,
        clear: FreeRtosBaseType,
        ticks: FreeRtosTickType,
    ) -> u32;
    fn xTaskGenericNotify(
        task: FreeRtosTaskHandle,
        index: FreeRtosUBaseType,
        value: u32,
        action: u32,
        previous: *mut u32,
    ) -> FreeRtosBaseType;
    fn vTaskGenericNotifyGiveFromISR(
        task: FreeRtosTaskHandle,
        index: FreeRtosUBaseType,
        woken: *mut FreeRtosBaseType,
    );
    fn vTaskInternalSetTimeOutState(now: *mut TimeOut);
    fn xTaskGetCurrentTaskHandle() -> FreeRtosTaskHandle;
}

/// The number of the exception that runs; 0 in a task.
pub(crate) fn exception() -> usize {
    let exception: usize;
    // SAFETY: reads the number of the exception that runs, and touches nothing.
    unsafe { asm!("mrs {}, IPSR", out(reg) exception, options(nomem, nostack, preserves_flags)) };
    exception
}

/// The task that runs, or that is interrupted; before the scheduler runs, possibly null.
pub(crate) fn current_task() -> Task {
    // SAFETY: reads a variable of the kernel.
    unsafe { xTaskGetCurrentTaskHandle() }.cast_mut()
}

/// Whether a task is what runs: tasks have stacks of their own, unlike interrupts and what runs
/// before the scheduler is started.
pub(crate) fn in_task() -> bool {
    /// The bit of `CONTROL` that selects the stack of a process.
    const PROCESS_STACK: usize = 1 << 1;
    let control: usize;
    // SAFETY: reads which stack is in use, and touches nothing.
    unsafe { asm!("mrs {}, CONTROL", out(reg) control, options(nomem, nostack, preserves_flags)) };
    control & PROCESS_STACK != 0
}

/// Ticks since the scheduler was started, in 64 bit: the kernel counts how often its own count
/// overflows.
pub(crate) fn ticks() -> u64 {
    let mut now = TimeOut {
        overflows: 0,
        ticks: 0,
    };
    // SAFETY: `now` is a `TimeOut_t`; the kernel changes what is read here only with the interrupts
    // masked that the critical section masks.
    critical_section::with(|_| unsafe { vTaskInternalSetTimeOutState(&mut now) });
    u64::from(now.overflows.cast_unsigned()) << FreeRtosTickType::BITS | u64::from(now.ticks)
}

/// Milliseconds per tick, rounded down.
pub(crate) fn tick_period() -> u64 {
    // SAFETY: returns a constant.
    u64::from(unsafe { freertos_rs_get_portTICK_PERIOD_MS() })
}

/// Has the calling task wait until it is given the notification, at most so many ticks.
pub(crate) fn take_notification(index: u32, ticks: FreeRtosTickType) {
    // SAFETY: called by a task.
    unsafe { ulTaskGenericNotifyTake(index, 1, ticks) };
}

/// Gives a task the notification, and has it run at once if its priority is higher. From tasks and
/// interrupts.
///
/// # Safety
///
/// - `task` is a task that has not been deleted.
pub(crate) unsafe fn give_notification(task: Task, index: u32) {
    if exception() == 0 {
        // SAFETY: the caller vouches for the task.
        unsafe { xTaskGenericNotify(task, index, 0, INCREMENT, ptr::null_mut()) };
    } else {
        let mut woken = 0;
        // SAFETY: as above; the priority of the interrupt is one at which the kernel may be called.
        unsafe { vTaskGenericNotifyGiveFromISR(task, index, &mut woken) };
        // SAFETY: requests PendSV, which waits for the end of this interrupt.
        unsafe { freertos_rs_isr_yield(woken) };
    }
}

/// Has the calling task sleep.
pub(crate) fn delay(ticks: FreeRtosTickType) {
    // SAFETY: called by a task.
    unsafe { freertos_rs_vTaskDelay(ticks) };
}

/// Creates a task. `false`: the kernel has not enough memory.
pub(crate) fn create_task(
    entry: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
    name: &str,
    stack_words: u16,
    priority: u8,
) -> bool {
    let mut task: FreeRtosTaskHandle = ptr::null();
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    // SAFETY: name and handle are there as long as the call; `entry` is the argument's own and does
    // not return.
    let refused = unsafe {
        freertos_rs_spawn_task(
            entry,
            argument,
            name.as_ptr(),
            length,
            stack_words,
            priority.into(),
            &mut task,
        )
    };
    refused == 0
}

/// Ends the calling task. The idle task frees its memory.
pub(crate) fn delete_current_task() -> ! {
    // SAFETY: null is the calling task.
    unsafe { freertos_rs_delete_task(ptr::null()) };
    unreachable!("a deleted task does not run")
}
