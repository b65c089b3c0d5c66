//! What becomes of calls whose process is ended, at moments that no test of processes can choose.

use super::*;

type TestState = State<1, 4, 64>;

const LIMIT: Duration = Duration::from_millis(10);

/// A state whose only process has two calls: the first with a time limit, which is over.
fn with_a_late_call() -> (TestState, [u16; 2], Late) {
    let mut state = TestState::new();
    state.life = Life::Running;
    state.command = Some(Arc::new(Command::current_exe()));
    let began = Instant::now();
    let process = &mut state.processes[0];
    (process.stage, process.began, process.next) = (Stage::Serving, Some(began), 2);
    let calls = [(0, Some(LIMIT)), (1, None)].map(|(number, limit)| {
        let (index, _) = state.entries.take().unwrap();
        state.entries.get(index).phase = Phase::Sent { place: 0 };
        let entry = Some(index);
        let ahead = Ahead {
            entry,
            number,
            limit,
            kill: false,
        };
        assert!(state.processes[0].ahead.push_back(ahead).is_ok());
        index
    });
    assert_eq!(state.is_late(0, began), None);
    let late = state.is_late(0, began + LIMIT).unwrap();
    (state, calls, late)
}

fn end(state: &mut TestState, late: Late, trusted: bool) {
    let killed = RemoteError::Crashed { signal: 9 };
    assert!(state.end(0, killed, Some(late), trusted, &mut Vec::new()));
}

fn failed(error: RemoteError) -> Phase {
    Phase::Ended(Outcome::Failed(error))
}

#[test]
fn a_late_call_ends_as_late_and_the_call_behind_it_waits_again() {
    let (mut state, [first, second], late) = with_a_late_call();
    end(&mut state, late, true);
    assert_eq!(
        state.entries.get(first).phase,
        failed(RemoteError::TimeLimit)
    );
    assert_eq!(state.entries.get(second).phase, Phase::Queued);
}

/// The answer was on its way when the process was killed. The next call may have begun, and is not
/// late.
#[test]
fn a_late_call_that_is_answered_meanwhile_leaves_its_error_to_no_other() {
    let (mut state, [first, second], late) = with_a_late_call();
    let header = state.processes[0].header(Kind::Reply, 0, Status::Done as u32);
    assert!(state.reply(0, &header, &[7], Instant::now()).is_ok());
    end(&mut state, late, true);
    let done = Phase::Ended(Outcome::Replied(Status::Done));
    assert_eq!(state.entries.get(first).phase, done);
    let killed = failed(RemoteError::Crashed { signal: 9 });
    assert_eq!(state.entries.get(second).phase, killed);
}

/// It wrote what no worker writes, and may have run all that it was sent.
#[test]
fn no_call_of_a_process_that_is_not_trusted_runs_again() {
    let (mut state, [first, second], late) = with_a_late_call();
    end(&mut state, late, false);
    assert_eq!(
        state.entries.get(first).phase,
        failed(RemoteError::TimeLimit)
    );
    assert_eq!(
        state.entries.get(second).phase,
        failed(RemoteError::TimeLimit)
    );
    assert!(!state.entries.has_queued());
}

/// Cancelled calls are answered out of turn. The lane of the oldest call is still in use.
#[test]
fn a_lane_is_free_again_when_all_calls_before_its_next_one_were_answered() {
    let (mut state, ..) = with_a_late_call();
    for number in 2..8 {
        let ahead = Ahead {
            entry: None,
            number,
            limit: None,
            kill: false,
        };
        assert!(state.processes[0].ahead.push_back(ahead).is_ok());
    }
    state.processes[0].next = 8;
    let answer = |state: &mut TestState, number, status| {
        let header = state.processes[0].header(Kind::Reply, number, status as u32);
        assert!(state.reply(0, &header, &[], Instant::now()).is_ok());
        state.processes[0].free_lanes()
    };
    for cancelled in [3, 4, 5] {
        assert_eq!(answer(&mut state, cancelled, Status::Cancelled), 0);
    }
    assert_eq!(answer(&mut state, 0, Status::Done), 1);
    assert_eq!(answer(&mut state, 1, Status::Done), 2);
    assert_eq!(
        answer(&mut state, 2, Status::Done),
        6,
        "up to the call after the cancelled ones"
    );
}

/// A state whose only process is idle and has run short tasks, Python's way; and calls for it.
fn with_waiting_calls(
    pool: &'static slotted::Executor<0, 4, 64>,
) -> (TestState, [slotted::JoinHandle<'static, ()>; 4]) {
    let mut state = TestState::new();
    state.life = Life::Running;
    state.command = Some(Arc::new(Command::current_exe().kill_cancelled(false)));
    let process = &mut state.processes[0];
    (process.stage, process.mean) = (Stage::Serving, Some(Duration::ZERO));
    // Any program: what counts is that there is one.
    process.child = Some(std::process::Command::new("true").spawn().unwrap());
    let handles = core::array::from_fn(|_| {
        let handle = pool.submit_future(core::future::pending()).unwrap();
        let (index, _) = state.entries.take().unwrap();
        state.entries.get(index).canceller = Some(handle.canceller());
        state.entries.enqueue(index);
        handle
    });
    (state, handles)
}

/// Those behind the first have not begun, but the submitter cannot know.
#[test]
fn what_is_sent_ahead_pythons_way_cannot_be_cancelled_any_more() {
    static POOL: slotted::Executor<0, 4, 64> = slotted::Executor::new();
    let (mut state, handles) = with_waiting_calls(&POOL);
    assert!(handles.iter().all(|handle| !handle.running()));
    // It is cancelled, and its canceller has not come to give the entry back.
    assert!(handles[1].cancel());
    state.dispatch();
    assert_eq!(
        handles
            .each_ref()
            .map(|handle| (handle.running(), handle.cancel())),
        [(true, false), (false, true), (true, false), (true, false)]
    );
    let mut sent = state.processes[0].ahead.iter().map(|ahead| ahead.entry);
    assert!([Some(0), Some(2), Some(3)].into_iter().eq(&mut sent));
    // Now it comes.
    assert!(state.abandon(1).is_none());
    assert_eq!(state.entries.take().map(|(index, _)| index), Some(1));
    state.take_child(0).unwrap().wait().unwrap();
}

/// Its process crashed before it began.
#[test]
fn what_is_sent_again_pythons_way_still_cannot_be_cancelled() {
    static POOL: slotted::Executor<0, 4, 64> = slotted::Executor::new();
    let (mut state, handles) = with_waiting_calls(&POOL);
    state.dispatch();
    let mut child = state.take_child(0).unwrap();
    let crashed = RemoteError::Crashed { signal: 11 };
    assert!(state.end(0, crashed, None, true, &mut Vec::new()));
    assert_eq!(state.entries.get(0).phase, failed(crashed));
    assert_eq!(state.entries.get(1).phase, Phase::Queued);
    assert!(!handles[1].cancel());
    let process = &mut state.processes[0];
    (process.stage, process.doomed) = (Stage::Serving, false);
    process.child = Some(child);
    state.dispatch();
    assert_eq!(state.entries.get(1).phase, Phase::Sent { place: 0 });
    child = state.take_child(0).unwrap();
    child.wait().unwrap();
}
