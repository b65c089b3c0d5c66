//! The Chrome trace, read back.
#![cfg(feature = "std")]

mod stage;

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;

use serde_json::Value;
use slotted::{Executor, Shutdown, Timetable};
use slotted_trace::Recorder;
use slotted_trace::chrome::Chrome;
use slotted_trace::timeline::{Stop, Timeline, Track};

use self::stage::{Desktop, Keep, Stage, pass, watch};

fn written(chrome: Chrome<'_>, timeline: &Timeline) -> Vec<Value> {
    let mut json = Vec::new();
    chrome.write(timeline, &mut json).unwrap();
    serde_json::from_slice(&json).expect("an array of JSON")
}

/// The microseconds of a slice, in whole nanoseconds.
fn span(slice: &Value) -> (u64, u64) {
    let nanoseconds = |key: &str| slice[key].as_f64().expect(key) * 1e3;
    let (begin, duration) = (nanoseconds("ts"), nanoseconds("dur"));
    (begin.round() as u64, (begin + duration).round() as u64)
}

/// Checks that the slices of each thread lie in each other or side by side.
fn check_nesting(trace: &[Value]) -> usize {
    let mut tracks = BTreeMap::<(u64, u64), Vec<(u64, u64)>>::new();
    for slice in trace.iter().filter(|event| event["ph"] == "X") {
        let key = |name: &str| slice[name].as_u64().expect(name);
        tracks
            .entry((key("pid"), key("tid")))
            .or_default()
            .push(span(slice));
    }
    for (track, mut spans) in tracks.clone() {
        spans.sort_by_key(|&(begin, end)| (begin, core::cmp::Reverse(end)));
        let mut open = Vec::<(u64, u64)>::new();
        for (begin, end) in spans {
            open.retain(|&(_, other)| other > begin);
            if let Some(&outer) = open.last() {
                assert!(
                    end <= outer.1,
                    "{begin} to {end} leaves {outer:?} on {track:?}"
                );
            }
            open.push((begin, end));
        }
    }
    tracks.len()
}

#[test]
fn each_span_of_a_task_is_in_the_trace() {
    static POOL: Executor<0, 4, 128, Stage> = Executor::new();
    static TIMES: Timetable<1, Stage> = Timetable::new();
    static RECORDER: Recorder<256> = Recorder::new();
    watch(&POOL, &|tick, step| RECORDER.note(tick, step));
    let outer = POOL.submit(|| {
        pass(10);
        POOL.submit(|| pass(5)).unwrap().result().unwrap();
        pass(10);
    });
    let cancelled = POOL.submit(|| ()).unwrap();
    let dated = TIMES.on(&POOL).submit_at(100, || pass(7)).unwrap();
    pass(20);
    cancelled.cancel();
    POOL.run_until_idle();
    pass(1000);
    TIMES.advance();
    pass(3);
    POOL.run_until_idle();
    let permits = [(); 2].map(|()| POOL.reserve());
    drop((outer, permits));

    let timeline = Timeline::of(RECORDER.reader());
    let spans: Vec<_> = { timeline.slices.iter() }
        .map(|slice| (slice.track, slice.begin, slice.end, slice.queued))
        .collect();
    let other = Track::Other(0);
    assert_eq!(
        spans,
        [
            (other, 20, 45, Some(20)),
            (other, 30, 35, Some(0)),
            (other, 1048, 1055, Some(3)),
        ]
    );
    let trace = written(
        Chrome::new(1_000_000).name_executors(&|_| "pool".into()),
        &timeline,
    );
    let of_phase = |phase: &'static str| trace.iter().filter(move |event| event["ph"] == phase);
    let names: Vec<_> = of_phase("M").map(|event| &event["args"]["name"]).collect();
    assert_eq!(names, ["pool", "other threads"]);
    let slices: Vec<_> = of_phase("X").map(span).collect();
    assert_eq!(
        slices,
        [(20_000, 45_000), (30_000, 35_000), (1_048_000, 1_055_000)]
    );
    let queued: Vec<_> = of_phase("X")
        .map(|slice| &slice["args"]["queued_us"])
        .collect();
    assert_eq!(queued, [20.0, 0.0, 3.0]);
    let instants: Vec<_> = of_phase("i")
        .map(|event| {
            (
                event["name"].as_str().unwrap(),
                event["ts"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        instants,
        [
            ("cancelled", 20.0),
            ("due", 1045.0),
            ("refused: Full", 1055.0)
        ]
    );
    // The two ends of each wait have one number.
    let ends = |phase| -> BTreeMap<u64, f64> {
        of_phase(phase)
            .map(|event| (event["id"].as_u64().unwrap(), event["ts"].as_f64().unwrap()))
            .collect()
    };
    let (begins, ends) = (ends("b"), ends("e"));
    let waits: Vec<_> = begins
        .iter()
        .map(|(id, begin)| (*begin, ends[id]))
        .collect();
    assert_eq!(
        waits,
        [(0.0, 20.0), (0.0, 20.0), (30.0, 30.0), (1045.0, 1048.0)]
    );
    assert_eq!(check_nesting(&trace), 1);
    drop((cancelled, dated));
}

#[test]
fn a_task_that_still_runs_ends_with_the_last_event() {
    static POOL: Executor<0, 4, 128, Stage> = Executor::new();
    static RECORDER: Recorder<256> = Recorder::new();
    watch(&POOL, &|tick, step| RECORDER.note(tick, step));
    let task = POOL.submit(|| {
        pass(5);
        POOL.submit(|| ()).unwrap().detach();
        pass(5);
        Timeline::of(RECORDER.reader())
    });
    let timeline = task.unwrap().result().unwrap();
    let slice = timeline.slices[0];
    assert_eq!(
        (slice.begin, slice.end, slice.stop),
        (0, 5, Stop::Unfinished)
    );
    assert_eq!((timeline.waits[1].begin, timeline.waits[1].end), (5, 5));
}

#[test]
fn what_is_lost_costs_only_what_it_belongs_to() {
    static POOL: Executor<0, 4, 128, Stage> = Executor::new();
    static RECORDER: Recorder<256> = Recorder::new();
    watch(&POOL, &|tick, step| RECORDER.note(tick, step));
    for _ in 0..2 {
        POOL.submit(|| pass(5)).unwrap().result().unwrap();
    }
    let events: Vec<_> = RECORDER.reader().collect();
    // Submitted, started, ended; twice.
    let slices = |lost: usize| {
        let timeline = Timeline::of(events[lost..].iter().copied());
        let known = timeline
            .slices
            .iter()
            .filter(|slice| slice.queued.is_some());
        (timeline.slices.len(), known.count(), timeline.waits.len())
    };
    assert_eq!(slices(0), (2, 2, 2));
    assert_eq!(slices(1), (2, 1, 1));
    assert_eq!(slices(2), (1, 1, 1));
    assert_eq!(slices(5), (0, 0, 0));
}

/// Threads that are no workers, and are not told apart: what overlaps has rows of its own.
#[test]
fn what_overlaps_on_other_threads_lies_on_several_tracks() {
    static POOL: Executor<0, 4, 128, Desktop> = Executor::new();
    static RECORDER: Recorder<256> = Recorder::new();
    watch(&POOL, &|tick, step| RECORDER.note(tick, step));
    let (first_starts, first_started) = mpsc::channel();
    let (second_starts, second_started) = mpsc::channel();
    let (first_ends, first_ended) = mpsc::channel();
    let first = POOL.submit(move || {
        first_starts.send(()).unwrap();
        second_started.recv().unwrap();
    });
    let second = POOL.submit(move || {
        second_starts.send(()).unwrap();
        first_ended.recv().unwrap();
    });
    thread::scope(|threads| {
        threads.spawn(move || {
            assert!(POOL.run_one());
            first_ends.send(()).unwrap();
        });
        first_started.recv().unwrap();
        assert!(POOL.run_one());
    });
    // Behind both, on the first track again.
    POOL.submit(|| ()).unwrap().result().unwrap();
    let timeline = Timeline::of(RECORDER.reader());
    let slices = timeline.slices.iter();
    let slots: Vec<_> = slices.map(|slice| (slice.track, slice.task.slot)).collect();
    let (track, next) = (Track::Other(0), Track::Other(1));
    assert_eq!(slots, [(track, 0), (track, 2), (next, 1)]);
    let trace = written(Chrome::new(1_000_000_000), &timeline);
    assert_eq!(check_nesting(&trace), 2);
    drop((first, second));
}

#[test]
fn workers_have_tracks_of_slices_that_lie_in_each_other() {
    static POOL: Executor<3, 16, 128, Desktop> = Executor::new();
    // Miri looks at all of it for each event.
    const EVENTS: usize = if cfg!(miri) { 256 } else { 16384 };
    static RECORDER: Recorder<EVENTS> = Recorder::new();
    const ROUNDS: usize = if cfg!(miri) { 4 } else { 500 };
    watch(&POOL, &|tick, step| RECORDER.note(tick, step));
    thread::scope(|threads| {
        for worker in Keep::start(&POOL) {
            threads.spawn(|| worker.run());
        }
        let submitters = [(); 2].map(|()| {
            threads.spawn(|| {
                for round in 0..ROUNDS {
                    // A worker runs it in place, if no other is faster.
                    let nested = move || POOL.submit(move || round).map(|task| task.result());
                    let task = POOL.submit(nested);
                    let _ = task.map(|task| task.result_inline());
                }
            })
        });
        for submitter in submitters {
            submitter.join().unwrap();
        }
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
    assert_eq!(RECORDER.lost(), 0);
    let timeline = Timeline::of(RECORDER.reader());
    assert_eq!(timeline.slices.len(), timeline.waits.len());
    assert_eq!(timeline.slices.len(), POOL.stats().completed);
    let trace = written(Chrome::new(1_000_000_000), &timeline);
    let tracks = check_nesting(&trace);
    let named = trace.iter().filter(|event| event["name"] == "thread_name");
    assert_eq!(named.count(), tracks);
    assert!(tracks >= 2, "workers, and the threads that submit");
}
