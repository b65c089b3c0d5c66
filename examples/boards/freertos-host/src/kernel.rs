//! The functions of the FreeRTOS kernel that the host calls. Only this file knows them.

use core::arch::asm;
use core::ffi::c_void;
use core::ptr;

use freertos_next::{
    FreeRtosBaseType, FreeRtosTaskHandle, FreeRtosTickType, FreeRtosUBaseType,
    freertos_rs_delete_task, freertos_rs_get_portTICK_PERIOD_MS, freertos_rs_isr_yield,
    freertos_rs_spawn_task, freertos_rs_vTaskDelay,
};

/// A task's control block. The host only passes it back to the kernel.
pub(crate) type Task = *mut c_void;

/// The kernel's value for an endless wait. Without `INCLUDE_vTaskSuspend` the wait is merely long.
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

/// The number of the running exception; 0 in a task.
pub(crate) fn exception() -> usize {
    let exception: usize;
    // SAFETY: it reads the number of the running exception, and touches nothing.
    unsafe { asm!("mrs {}, IPSR", out(reg) exception, options(nomem, nostack, preserves_flags)) };
    exception
}

/// The running or interrupted task. Before the scheduler runs it may be null.
pub(crate) fn current_task() -> Task {
    // SAFETY: it reads a variable of the kernel.
    unsafe { xTaskGetCurrentTaskHandle() }.cast_mut()
}

/// Returns true in a task. Only tasks use the process stack; interrupts and the code before the
/// scheduler use the main stack.
pub(crate) fn in_task() -> bool {
    /// The bit of `CONTROL` that selects the process stack.
    const PROCESS_STACK: usize = 1 << 1;
    let control: usize;
    // SAFETY: it reads which stack is in use, and touches nothing.
    unsafe { asm!("mrs {}, CONTROL", out(reg) control, options(nomem, nostack, preserves_flags)) };
    control & PROCESS_STACK != 0
}

/// Ticks since the start of the scheduler, in 64 bits: the kernel counts how often its own count
/// overflows.
pub(crate) fn ticks() -> u64 {
    let mut now = TimeOut {
        overflows: 0,
        ticks: 0,
    };
    // SAFETY: `now` is a `TimeOut_t`. The critical section masks the interrupts in which the kernel
    // changes its count.
    critical_section::with(|_| unsafe { vTaskInternalSetTimeOutState(&mut now) });
    u64::from(now.overflows.cast_unsigned()) << FreeRtosTickType::BITS | u64::from(now.ticks)
}

/// Milliseconds per tick, rounded down.
pub(crate) fn tick_period() -> u64 {
    // SAFETY: it returns a constant.
    u64::from(unsafe { freertos_rs_get_portTICK_PERIOD_MS() })
}

/// Makes the calling task wait for its notification, for at most `ticks`.
pub(crate) fn take_notification(index: u32, ticks: FreeRtosTickType) {
    // SAFETY: a task calls it.
    unsafe { ulTaskGenericNotifyTake(index, 1, ticks) };
}

/// Gives a task the notification. If the task's priority is higher, it runs at once. Tasks and
/// interrupts may call it.
///
/// # Safety
///
/// - `task` is a task that still exists.
pub(crate) unsafe fn give_notification(task: Task, index: u32) {
    if exception() == 0 {
        // SAFETY: the caller promises that the task exists.
        unsafe { xTaskGenericNotify(task, index, 0, INCREMENT, ptr::null_mut()) };
    } else {
        let mut woken = 0;
        // SAFETY: as above; the kernel permits calls at the priority of this interrupt.
        unsafe { vTaskGenericNotifyGiveFromISR(task, index, &mut woken) };
        // SAFETY: it requests PendSV, which waits for the end of this interrupt.
        unsafe { freertos_rs_isr_yield(woken) };
    }
}

/// Makes the calling task sleep.
pub(crate) fn delay(ticks: FreeRtosTickType) {
    // SAFETY: a task calls it.
    unsafe { freertos_rs_vTaskDelay(ticks) };
}

/// Creates a task. Returns false if the kernel has too little memory.
pub(crate) fn create_task(
    entry: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
    name: &str,
    stack_words: u16,
    priority: u8,
) -> bool {
    let mut task: FreeRtosTaskHandle = ptr::null();
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    // SAFETY: name and handle are valid during the call. `entry` fits the argument and does not
    // return.
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
    // SAFETY: null means the calling task.
    unsafe { freertos_rs_delete_task(ptr::null()) };
    unreachable!("a deleted task does not run")
}
