//! A link and a worker on a line: order, room, cancelling, new lives, dates and wakes.

use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Wake;

use slotted::error::{Refusal, RemoteError, TaskError};
use slotted::{Executor, Shutdown, as_completed};
use slotted_remote::{Link, Timing, frame_bytes};

use super::ends::{BYTES, RESEND, TestLink, Worker, answer, open_link, poll, send, talk};
use super::table::{Count, forget, ran};

#[test]
fn a_worker_with_fewer_lanes_gets_all_calls_one_after_another() {
    let (link, mut worker) = (open_link(), Worker::<1, BYTES>::new(2));
    let mut calls = [1, 2, 3, 4].map(|number| link.call(Count(number)).unwrap());
    talk(&link, &mut worker, 0);
    let numbers = [1, 2, 3, 4]
        .map(Count::output)
        .map(|output| Poll::Ready(Ok(output)));
    assert_eq!(calls.each_mut().map(poll), numbers);
}

#[test]
fn calls_run_in_the_order_in_which_they_began() {
    forget();
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    // The slot of the first call is free again when the last ones begin.
    let first = link.call(Count(0)).unwrap();
    let second = link.call(Count(1)).unwrap();
    drop(first);
    let calls = [2, 3, 4].map(|number| link.call(Count(number)).unwrap());
    send(&link, &mut worker, 0);
    answer(&link, &mut worker, 0);
    send(&link, &mut worker, 0);
    for number in 1..=4 {
        assert_eq!(ran(number), 0);
        assert!(worker.run_one());
        assert_eq!(ran(number), 1);
    }
    drop((second, calls));
}

#[test]
fn a_full_link_refuses_a_call_and_the_task_comes_back() {
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    let mut calls = [1, 2, 3, 4].map(|number| link.call(Count(number)).unwrap());
    let refused = link.call(Count(5)).unwrap_err();
    assert_eq!(refused.reason(), Refusal::Full);
    assert_eq!(refused.into_inner(), Count(5));
    talk(&link, &mut worker, 0);
    assert!(
        link.call(Count(5)).is_err(),
        "an outcome keeps its slot until it is taken"
    );
    assert!(poll(&mut calls[0]).is_ready());
    assert!(link.call(Count(5)).is_ok());
}

#[test]
fn a_call_waits_for_the_link_to_open() {
    let link: TestLink = Link::new();
    let mut worker = Worker::<4, BYTES>::new(2);
    let mut call = link.call(Count(1)).unwrap();
    talk(&link, &mut worker, 0);
    assert!(poll(&mut call).is_pending());
    assert_eq!(link.next_at(), None);
    link.open(1, Timing::resend_after(RESEND));
    talk(&link, &mut worker, 0);
    assert_eq!(poll(&mut call), Poll::Ready(Ok(Count::output(1))));
}

#[test]
fn a_call_that_is_dropped_before_it_was_sent_does_not_run() {
    forget();
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    drop(link.call(Count(1)).unwrap());
    talk(&link, &mut worker, 0);
    assert_eq!(ran(1), 0);
    assert_eq!(link.next_at(), None, "nothing is left to do");
}

#[test]
fn a_call_that_is_dropped_before_it_began_does_not_run_and_frees_its_slot() {
    forget();
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    let calls = [1, 2, 3, 4].map(|number| link.call(Count(number)).unwrap());
    send(&link, &mut worker, 0);
    answer(&link, &mut worker, 0);
    assert_eq!(send(&link, &mut worker, 0), 4);
    drop(calls);
    assert!(
        link.call(Count(5)).is_err(),
        "the other end has not said that it will not run"
    );
    talk(&link, &mut worker, 0);
    assert_eq!([1, 2, 3, 4].map(ran), [0; 4]);
    assert!(link.call(Count(5)).is_ok());
}

#[test]
fn a_restart_of_the_worker_ends_the_calls_it_had_and_the_next_ones_run() {
    forget();
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    let mut had = link.call(Count(1)).unwrap();
    send(&link, &mut worker, 0);
    answer(&link, &mut worker, 0);
    send(&link, &mut worker, 0);
    let mut worker = Worker::<4, BYTES>::new(3);
    let mut next = link.call(Count(2)).unwrap();
    talk(&link, &mut worker, 0);
    assert_eq!(
        poll(&mut had),
        Poll::Ready(Err(TaskError::Remote(RemoteError::Restarted)))
    );
    talk(&link, &mut worker, 1000);
    // The call that was on its way is lost with the session; it is told, not run again.
    assert!(matches!(poll(&mut next), Poll::Ready(_)));
    let mut last = link.call(Count(3)).unwrap();
    talk(&link, &mut worker, 2000);
    assert_eq!(poll(&mut last), Poll::Ready(Ok(Count::output(3))));
    assert_eq!(ran(1), 0);
}

/// The old life's reply comes late.
#[test]
fn a_reply_of_an_earlier_life_is_not_taken_for_one_of_this() {
    let mut worker = Worker::<4, BYTES>::new(2);
    let earlier = open_link();
    let call = earlier.call(Count(1)).unwrap();
    send(&earlier, &mut worker, 0);
    answer(&earlier, &mut worker, 0);
    send(&earlier, &mut worker, 0);
    assert!(worker.run_one());
    let mut late = [0; frame_bytes(BYTES)];
    let len = worker.next(&mut late).unwrap();
    drop(call);

    let link: TestLink = Link::new();
    link.open(7, Timing::resend_after(RESEND));
    let mut call = link.call(Count(2)).unwrap();
    send(&link, &mut worker, 0);
    answer(&link, &mut worker, 0);
    send(&link, &mut worker, 0);
    late[..len].iter().for_each(|&byte| link.push(0, byte));
    assert!(poll(&mut call).is_pending());
    talk(&link, &mut worker, 0);
    assert_eq!(poll(&mut call), Poll::Ready(Ok(Count::output(2))));
}

#[test]
fn a_lost_frame_is_sent_again_at_the_tick_that_next_at_names_and_then_later_and_later() {
    forget();
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    let mut call = link.call(Count(1)).unwrap();
    talk(&link, &mut Worker::<4, BYTES>::new(9), 0);
    assert_eq!(poll(&mut call), Poll::Ready(Ok(Count::output(1))));
    let mut call = link.call(Count(2)).unwrap();
    let mut frame = [0; frame_bytes(BYTES)];
    let (mut now, mut waits) = (0, Vec::new());
    for _ in 0..9 {
        assert!(link.next(now, &mut frame).is_some());
        assert!(link.next(now, &mut frame).is_none());
        let at = link.next_at().unwrap();
        assert!(link.next(at - 1, &mut frame).is_none());
        waits.push((at - now) / RESEND);
        now = at;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    talk(&link, &mut worker, now);
    assert!(poll(&mut call).is_ready());
}

/// A worker answers in the order in which calls come. So a call that was overtaken was lost, or its
/// reply was.
#[test]
fn a_call_that_a_later_one_overtakes_is_sent_again_at_once() {
    forget();
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    let mut warm_up = link.call(Count(0)).unwrap();
    talk(&link, &mut worker, 0);
    assert!(poll(&mut warm_up).is_ready());

    let mut first = link.call(Count(1)).unwrap();
    let mut frame = [0; frame_bytes(BYTES)];
    assert!(link.next(0, &mut frame).is_some(), "it is lost");
    assert!(link.next(0, &mut frame).is_none());
    let mut second = link.call(Count(2)).unwrap();
    talk(&link, &mut worker, 0);
    assert_eq!(poll(&mut second), Poll::Ready(Ok(Count::output(2))));
    assert_eq!(poll(&mut first), Poll::Ready(Ok(Count::output(1))));
    assert_eq!((ran(1), ran(2)), (1, 1));
}

#[test]
fn calls_that_are_answered_in_order_are_sent_once() {
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    let mut calls = [0, 1, 2, 3].map(|number| link.call(Count(number)).unwrap());
    let mut frames = 0;
    for round in 0..40 {
        frames += send(&link, &mut worker, 0);
        worker.run_one();
        answer(&link, &mut worker, 0);
        for call in &mut calls {
            if poll(call).is_ready() {
                *call = link.call(Count(round + 4)).unwrap();
            }
        }
    }
    assert_eq!(
        frames,
        1 + 4 + 38,
        "a greeting, the first calls, and one for each round but the first and the last"
    );
}

#[test]
fn a_silent_worker_is_lost_after_the_limit_and_not_before() {
    let link: TestLink = Link::new();
    link.open(1, Timing::resend_after(RESEND).lost_after(100));
    let mut frame = [0; frame_bytes(BYTES)];
    let mut unheard = link.call(Count(1)).unwrap();
    while link.next(5000, &mut frame).is_some() {}
    while link.next(5099, &mut frame).is_some() {}
    assert!(poll(&mut unheard).is_pending());
    assert!(link.next_at().unwrap() <= 5100);
    while link.next(5100, &mut frame).is_some() {}
    let lost = || Poll::Ready(Err(TaskError::Remote(RemoteError::Lost)));
    assert_eq!(poll(&mut unheard), lost());

    // Heard once, then silent. The idle time between does not count.
    let mut worker = Worker::<4, BYTES>::new(2);
    let mut heard = link.call(Count(2)).unwrap();
    talk(&link, &mut worker, 6000);
    assert_eq!(poll(&mut heard), Poll::Ready(Ok(Count::output(2))));
    let mut silent = link.call(Count(3)).unwrap();
    while link.next(9000, &mut frame).is_some() {}
    assert!(poll(&mut silent).is_pending());
    while link.next(9100, &mut frame).is_some() {}
    assert_eq!(poll(&mut silent), lost());
}

/// Counts its wakes.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_reply_wakes_the_task_that_polled_last_and_only_that_one() {
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    let mut call = link.call(Count(1)).unwrap();
    let mut other = link.call(Count(2)).unwrap();
    let wakes = [(); 3].map(|()| Arc::new(Wakes::default()));
    for (number, call) in [(0, &mut call), (1, &mut other)] {
        let waker = Waker::from(wakes[number].clone());
        assert!(
            pin!(call)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    let waker = Waker::from(wakes[2].clone());
    assert!(
        pin!(&mut call)
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    send(&link, &mut worker, 0);
    answer(&link, &mut worker, 0);
    send(&link, &mut worker, 0);
    assert!(worker.run_one());
    answer(&link, &mut worker, 0);
    let count = |wakes: &Arc<Wakes>| wakes.0.load(Ordering::Relaxed);
    assert_eq!(wakes.each_ref().map(count), [0, 0, 1]);
    assert!(poll(&mut call).is_ready());
    assert_eq!(
        Arc::strong_count(&wakes[2]),
        2,
        "the link keeps no waker of a call that ended"
    );
    drop(waker);
}

#[test]
fn a_call_that_begins_wakes_what_sends_the_frames() {
    let link = open_link();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut frame = [0; frame_bytes(BYTES)];
    let mut poll_next = || link.poll_next(&mut Context::from_waker(&waker), 0, &mut frame);
    assert!(poll_next().is_pending());
    let call = link.call(Count(1)).unwrap();
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    assert!(poll_next().is_ready());
    assert!(poll_next().is_pending());
    drop(call);
    assert_eq!(
        wakes.0.load(Ordering::Relaxed),
        2,
        "a call that is dropped, too"
    );
}

#[test]
fn handles_of_calls_are_waited_for_cancelled_and_mixed_with_those_of_local_tasks() {
    static LINK: TestLink = Link::new();
    static CALLS: Executor<0, 8> = Executor::new();
    LINK.open(1, Timing::resend_after(RESEND));
    let mut worker = Worker::<4, BYTES>::new(2);
    let cancelled = LINK.submit(CALLS.submitter(), Count(1)).unwrap();
    assert!(cancelled.cancel());
    let near = CALLS.submit(|| 5).unwrap();
    let far = LINK.submit(CALLS.submitter(), Count(2)).unwrap();
    let called = Arc::new(AtomicUsize::new(0));
    let callback = called.clone();
    far.add_done_callback(move |outcome| {
        assert_eq!(outcome, Ok(&Count::output(2)));
        callback.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    talk(&LINK, &mut worker, 0);
    let mut outputs: Vec<u64> = as_completed([near, far])
        .map(|handle| handle.result().unwrap())
        .collect();
    outputs.sort_unstable();
    assert_eq!(outputs, [5, Count::output(2)]);
    assert_eq!(called.load(Ordering::Relaxed), 1);
    CALLS.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(CALLS.stats().slots_in_use, 1, "of the handle that is left");
    drop(cancelled);
}

#[test]
fn a_submit_that_the_executor_or_the_link_refuses_gives_the_task_back() {
    static LINK: TestLink = Link::new();
    static CALLS: Executor<0, 5> = Executor::new();
    let handles = [0, 1, 2, 3].map(|n| LINK.submit(CALLS.submitter(), Count(n)).unwrap());
    let refused = LINK.submit(CALLS.submitter(), Count(4)).unwrap_err();
    assert_eq!(
        (refused.reason(), refused.into_inner()),
        (Refusal::Full, Count(4))
    );
    drop(handles);
    CALLS.begin_shutdown(Shutdown::Cancel);
    let refused = LINK.submit(CALLS.submitter(), Count(5)).unwrap_err();
    assert_eq!(
        (refused.reason(), refused.into_inner()),
        (Refusal::ShutDown, Count(5))
    );
}

/// A byte takes 33 ticks, as at 300 baud with ticks of a millisecond. A frame takes far longer than
/// the time after which it is sent again.
#[test]
fn calls_get_through_a_line_that_is_slower_than_the_time_after_which_frames_are_sent_again() {
    forget();
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    let mut calls = [1, 2, 3, 4].map(|number| Some(link.call(Count(number)).unwrap()));
    let mut frame = [0; frame_bytes(BYTES)];
    let (mut out, mut back) = (VecDeque::new(), VecDeque::new());
    let (mut frames, mut now) = (0, 0);
    while calls.iter().any(Option::is_some) {
        assert!(now < 100_000, "the calls end");
        now += 33;
        // A sender gives the line the next frame when the last one is through.
        if out.is_empty() {
            if let Some(len) = link.next(now, &mut frame) {
                out.extend(&frame[..len]);
                frames += 1;
            }
        }
        if back.is_empty() {
            let len = worker.next(&mut frame).unwrap_or(0);
            back.extend(&frame[..len]);
        }
        out.pop_front()
            .into_iter()
            .for_each(|byte| worker.push(byte));
        back.pop_front()
            .into_iter()
            .for_each(|byte| link.push(now, byte));
        worker.run_one();
        for (number, call) in (1..).zip(&mut calls) {
            if let Some(Poll::Ready(outcome)) = call.as_mut().map(poll) {
                assert_eq!(outcome, Ok(Count::output(number)));
                *call = None;
            }
        }
    }
    assert_eq!([1, 2, 3, 4].map(ran), [1; 4]);
    assert!(frames <= 40, "{frames} frames");
}

/// The lane of the first call has been used again since.
#[test]
fn a_late_copy_of_a_call_does_not_run_again() {
    forget();
    let (link, mut worker) = (open_link(), Worker::<1, BYTES>::new(2));
    let mut frame = [0; frame_bytes(BYTES)];
    let mut first = link.call(Count(1)).unwrap();
    send(&link, &mut worker, 0);
    answer(&link, &mut worker, 0);
    let len = link.next(0, &mut frame).unwrap();
    let late = frame;
    frame[..len].iter().for_each(|&byte| worker.push(byte));
    talk(&link, &mut worker, 0);
    assert_eq!(poll(&mut first), Poll::Ready(Ok(Count::output(1))));
    let mut second = link.call(Count(2)).unwrap();
    talk(&link, &mut worker, 0);
    assert_eq!(poll(&mut second), Poll::Ready(Ok(Count::output(2))));
    late[..len].iter().for_each(|&byte| worker.push(byte));
    assert!(!worker.run_one());
    assert_eq!(worker.next(&mut frame), None);
    assert_eq!([ran(1), ran(2)], [1, 1]);
}

#[test]
fn a_call_that_waits_at_the_worker_is_not_run_once_its_submitter_has_begun_anew() {
    forget();
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    let mut waits = link.call(Count(1)).unwrap();
    send(&link, &mut worker, 0);
    answer(&link, &mut worker, 0);
    send(&link, &mut worker, 0);
    link.open(9, Timing::resend_after(RESEND));
    assert_eq!(
        poll(&mut waits),
        Poll::Ready(Err(TaskError::Remote(RemoteError::Lost)))
    );
    let mut next = link.call(Count(2)).unwrap();
    send(&link, &mut worker, 0);
    answer(&link, &mut worker, 0);
    send(&link, &mut worker, 0);
    assert!(worker.run_one());
    assert!(!worker.run_one());
    answer(&link, &mut worker, 0);
    assert_eq!(poll(&mut next), Poll::Ready(Ok(Count::output(2))));
    assert_eq!([ran(1), ran(2)], [0, 1]);
}

#[test]
fn a_call_that_was_lost_on_the_way_and_is_dropped_never_runs_and_frees_its_slot() {
    forget();
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    let mut frame = [0; frame_bytes(BYTES)];
    let call = link.call(Count(1)).unwrap();
    send(&link, &mut worker, 0);
    answer(&link, &mut worker, 0);
    assert!(
        link.next(0, &mut frame).is_some(),
        "the call, which the line loses"
    );
    drop(call);
    talk(&link, &mut worker, 0);
    assert_eq!(
        link.next_at(),
        None,
        "the worker has said that it will not run"
    );
    let mut calls = [2, 3, 4, 5].map(|number| link.call(Count(number)).unwrap());
    talk(&link, &mut worker, 0);
    assert!(calls.iter_mut().all(|call| poll(call).is_ready()));
    assert_eq!(ran(1), 0);
}
