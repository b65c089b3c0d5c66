//! `SerialPort`: no call waits for the port.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use slotted::error::{RemoteError, TaskError};
use slotted_remote::{Call, LineWorker, Link, PortError, SerialPort, Timing, frame_bytes};

use super::pipe::{Pipe, PipeError, Polled};
use super::{BYTES, RESEND, Square};

type Port = SerialPort<Polled, { frame_bytes(BYTES) }>;
type TestLink = Link<4, BYTES>;

fn open_link() -> TestLink {
    let link = Link::new();
    link.open(1, Timing::resend_after(RESEND));
    link
}

/// Two boards, joined.
struct Boards<'l> {
    link: &'l TestLink,
    worker: LineWorker<(Square,), 4, BYTES>,
    out: Pipe,
    back: Pipe,
    submitter_port: Port,
    worker_port: Port,
}

impl<'l> Boards<'l> {
    fn new(link: &'l TestLink, room: usize) -> Self {
        let (out, back) = (Pipe::new(room), Pipe::new(room));
        let port = |rx: &Pipe, tx: &Pipe| {
            let (rx, tx) = (rx.clone(), tx.clone());
            SerialPort::new(Polled { rx, tx })
        };
        Self {
            link,
            worker: LineWorker::new(2),
            submitter_port: port(&back, &out),
            worker_port: port(&out, &back),
            out,
            back,
        }
    }

    fn drive(&mut self, now: u64) -> Result<bool, PortError<PipeError>> {
        self.submitter_port.drive(self.link, now)
    }

    fn serve(&mut self) -> Result<bool, PortError<PipeError>> {
        self.worker_port.serve(&mut self.worker)
    }

    /// Both boards act until nothing moves.
    fn act(&mut self, now: u64) {
        for _ in 0..10_000 {
            if !self.drive(now).unwrap() & !self.serve().unwrap() {
                return;
            }
        }
        panic!("the boards never rest");
    }
}

fn poll(call: &mut Call<'_, Square, 4, BYTES>) -> Poll<Result<u64, TaskError>> {
    Pin::new(call).poll(&mut Context::from_waker(Waker::noop()))
}

fn call(link: &TestLink, number: u32) -> Call<'_, Square, 4, BYTES> {
    link.call(Square(number)).expect("a call is free")
}

#[test]
fn calls_return_over_ports_that_take_a_few_bytes_at_a_time() {
    for room in [1, 2, 7, 84, 1000] {
        let link = open_link();
        let mut boards = Boards::new(&link, room);
        for round in 0..20 {
            let mut calls = [0, 1, 2, 3].map(|number| call(&link, 4 * round + number));
            boards.act(0);
            for (number, call) in (4 * u64::from(round)..).zip(&mut calls) {
                assert_eq!(poll(call), Poll::Ready(Ok(number * number)), "room {room}");
            }
        }
    }
}

#[test]
fn the_rest_of_a_frame_is_sent_when_the_port_takes_bytes_again() {
    let link = open_link();
    let mut boards = Boards::new(&link, 4);
    let mut square = call(&link, 7);
    assert_eq!(boards.drive(0), Ok(true), "the first four bytes");
    assert_eq!(boards.drive(0), Ok(false), "the port is full");
    assert_eq!(boards.out.written().len(), 4);
    boards.out.widen(1000);
    assert_eq!(boards.drive(0), Ok(true));
    assert_eq!(boards.drive(0), Ok(false), "all is sent");
    boards.act(0);
    assert_eq!(poll(&mut square), Poll::Ready(Ok(49)));
}

#[test]
fn a_frame_that_was_lost_is_sent_again_by_the_clock() {
    let link = open_link();
    let mut boards = Boards::new(&link, 1000);
    let mut square = call(&link, 7);
    // The first byte only ends what was on the line.
    boards.out.lose(3);
    boards.act(0);
    assert_eq!(link.next_at(), Some(RESEND));
    boards.act(RESEND - 1);
    assert!(poll(&mut square).is_pending());
    boards.act(RESEND);
    assert_eq!(poll(&mut square), Poll::Ready(Ok(49)));
    assert_eq!(boards.drive(RESEND), Ok(false));
    assert_eq!(link.next_at(), None);
}

#[test]
fn what_an_earlier_life_left_on_the_line_spoils_no_frame() {
    let link = open_link();
    let mut boards = Boards::new(&link, 1000);
    for byte in [9, 8, 7] {
        boards.worker.push(byte); // the first bytes of a long frame, never ended
    }
    let mut square = call(&link, 7);
    boards.act(0);
    assert_eq!(
        poll(&mut square),
        Poll::Ready(Ok(49)),
        "nothing was sent again"
    );
    assert_eq!(boards.worker.dropped(), 1);
}

#[test]
fn after_an_error_of_the_port_the_line_goes_on() {
    let link = open_link();
    let mut boards = Boards::new(&link, 1000);
    let mut square = call(&link, 7);
    boards.back.overrun();
    assert_eq!(boards.drive(0), Err(PortError::Port(PipeError::Overrun)));
    boards.out.overrun();
    assert_eq!(boards.serve(), Err(PortError::Port(PipeError::Overrun)));
    boards.act(0);
    assert_eq!(poll(&mut square), Poll::Ready(Ok(49)));
}

#[test]
fn a_port_at_its_end_is_closed() {
    let link = open_link();
    let mut boards = Boards::new(&link, 1000);
    let _square = call(&link, 7);
    boards.out.close();
    boards.back.close();
    assert_eq!(boards.drive(0), Err(PortError::Closed));
    assert_eq!(boards.serve(), Err(PortError::Closed));
}

#[test]
fn a_worker_that_begins_anew_costs_the_calls_under_way() {
    let link = open_link();
    let mut boards = Boards::new(&link, 1000);
    let mut first = call(&link, 1);
    boards.act(0);
    assert_eq!(poll(&mut first), Poll::Ready(Ok(1)));

    let mut second = call(&link, 2);
    assert_eq!(boards.drive(0), Ok(true));
    boards.worker = LineWorker::new(3);
    boards.act(0);
    let restarted = Err(TaskError::Remote(RemoteError::Restarted));
    assert_eq!(poll(&mut second), Poll::Ready(restarted));

    let mut third = call(&link, 3);
    boards.act(0);
    assert_eq!(poll(&mut third), Poll::Ready(Ok(9)));
}

#[test]
fn an_error_says_what_failed() {
    use core::error::Error;

    let overrun = PortError::Port(PipeError::Overrun);
    assert_eq!(overrun.to_string(), "the serial port failed");
    assert_eq!(overrun.source().unwrap().to_string(), "bytes came too fast");
    let closed = PortError::<PipeError>::Closed;
    assert_eq!(closed.to_string(), "the serial port is closed");
    assert!(closed.source().is_none());
}
