"""Plays programs through concurrent.futures, and prints what they see.

A program is a list of lines on the standard input. Each line gives one line on the standard output.
The other player of the same programs is `play.rs`. What follows a `!` in a line is not for players.
"""

import concurrent.futures
import logging
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import CancelledError, Future, InvalidStateError
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

WHEN = {
    "first-completed": concurrent.futures.FIRST_COMPLETED,
    "first-error": concurrent.futures.FIRST_EXCEPTION,
    "all-completed": concurrent.futures.ALL_COMPLETED,
}
PATIENCE = {"zero": 0, "endless": None, "short": 0.05}


class Failure(Exception):
    """What tasks raise."""


def say(ask):
    """The outcome of a call, in the words of both players."""
    try:
        return f"value {ask()}"
    except CancelledError:
        return "cancelled"
    except concurrent.futures.TimeoutError:
        return "timeout"
    except Failure as failure:
        return f"error {failure}"
    except BrokenProcessPool:
        return "error broken pool"


def say_exception(ask):
    """The outcome of `exception`, which returns what `result` raises."""
    try:
        exception = ask()
    except CancelledError:
        return "cancelled"
    except concurrent.futures.TimeoutError:
        return "timeout"
    if isinstance(exception, BrokenProcessPool):
        return "error broken pool"
    return "none" if exception is None else f"error {exception}"


def numbers(name, tasks):
    """A word and the numbers of tasks, in their order."""
    return " ".join([name, *map(str, sorted(tasks))])


class Board:
    """What tasks and callbacks tell the player, and the gates. One lock guards all of it."""

    def __init__(self):
        self.changed = threading.Condition()
        self.begun = set()
        self.open = set()
        self.events = []
        self.is_over = False

    def wait_for_gate(self, begun, gate):
        """Tells that something has begun, and waits at a gate, if there is one."""
        with self.changed:
            self.begun.add(begun)
            self.changed.notify_all()
            self.changed.wait_for(lambda: gate is None or gate in self.open or self.is_over)

    def run(self, task, ending, gate):
        """The body of a task."""
        with self.changed:
            self.events.append(f"ran {task}")
        self.wait_for_gate(task, gate)
        if ending == "error":
            raise Failure(f"boom {task}")
        return task


class ThreadWorld:
    """A pool of threads, whose tasks and gates are on the board."""

    def __init__(self, board, workers):
        self.board = board
        self.pool = ThreadPoolExecutor(workers)

    def submit(self, task, ending, gate):
        if ending == "nested":
            return self.pool.submit(self.nested, task)
        return self.pool.submit(self.board.run, task, ending, gate)

    def await_begun(self, task):
        with self.board.changed:
            self.board.changed.wait_for(lambda: task in self.board.begun)

    def open(self, gate):
        with self.board.changed:
            self.board.open.add(gate)
            self.board.changed.notify_all()

    def shut_down(self):
        """Each program has a pool of its own."""

    def nested(self, task):
        """A task that waits for another one of its pool."""
        try:
            return self.pool.submit(lambda: task).result(PATIENCE["short"])
        except concurrent.futures.TimeoutError:
            raise Failure("the inner task waits") from None

    def end(self):
        with self.board.changed:
            self.board.is_over = True
            self.board.changed.notify_all()
        self.pool.shutdown(wait=True)


def run_in_process(folder, task, ending, gate):
    """The body of a task in a process: it meets the player at two pipes, if its gate is closed."""
    if gate is not None and not os.path.exists(f"{folder}/open-{gate}"):
        open(f"{folder}/begun-{task}", "w").close()
        open(f"{folder}/go-{task}").close()
    if ending == "error":
        raise Failure(f"boom {task}")
    if ending == "dies":
        os._exit(3)
    return task


class ProcessWorld:
    """A pool of processes. Programs share it, until one shuts it down or breaks it."""

    pools = {}

    def __init__(self, board, workers):
        self.workers = workers
        self.folder = tempfile.TemporaryDirectory()
        self.gates = {}
        self.opened = set()
        self.waiting = set()
        if workers not in self.pools:
            context = multiprocessing.get_context("forkserver")
            self.pools[workers] = ProcessPoolExecutor(workers, mp_context=context)
        self.pool = self.pools[workers]

    def submit(self, task, ending, gate):
        if gate is not None:
            self.gates[task] = gate
            for name in ("begun", "go"):
                # It may be there: a task that was refused had the same number.
                if not os.path.exists(f"{self.folder.name}/{name}-{task}"):
                    os.mkfifo(f"{self.folder.name}/{name}-{task}")
        try:
            return self.pool.submit(run_in_process, self.folder.name, task, ending, gate)
        except BrokenProcessPool:
            self.shut_down()
            raise

    def await_begun(self, task):
        gate = self.gates.get(task)
        if gate is not None and gate not in self.opened:
            open(f"{self.folder.name}/begun-{task}").close()
            self.waiting.add(task)

    def open(self, gate):
        self.opened.add(gate)
        open(f"{self.folder.name}/open-{gate}", "w").close()
        for task in [task for task in self.waiting if self.gates[task] == gate]:
            self.waiting.remove(task)
            open(f"{self.folder.name}/go-{task}", "w").close()

    def shut_down(self):
        self.pools.pop(self.workers, None)

    def end(self):
        # First all marks: a task that begins meanwhile must find its gate open.
        closed = set(self.gates.values()) - self.opened
        for gate in closed:
            open(f"{self.folder.name}/open-{gate}", "w").close()
        for gate in closed:
            self.open(gate)


def map_item(item):
    """The function of a map. An item is its number and how it ends."""
    number, ending = item
    if ending == "e":
        raise Failure(f"item {number}")
    return number


class Player:
    """Plays one program."""

    def __init__(self, make_world):
        self.make_world = make_world
        self.board = Board()
        self.world = None
        self.futures = {}
        # Callbacks of each task: how many were added, and how many have run.
        self.added = {}
        self.ran = {}
        self.iterator = None
        self.names = {}
        # The futures of the pool; the others are promises.
        self.submitted = set()

    def keep(self, task, future):
        self.futures[task] = future
        self.names[future] = task
        self.added[task] = 0
        self.ran[task] = 0
        # The first of its callbacks: the player waits for this one if there is no other.
        self.add_callback(task, lambda future: None)

    def add_callback(self, task, call):
        with self.board.changed:
            self.added[task] += 1

        def counted(future):
            try:
                call(future)
            finally:
                with self.board.changed:
                    self.ran[task] += 1
                    self.board.changed.notify_all()

        self.futures[task].add_done_callback(counted)

    def chosen(self, words):
        return [self.futures[int(word)] for word in words]

    def play(self, line):
        words = line.split("!")[0].split()
        if words[0] == "while":
            return self.play_while(words[1:])
        return getattr(self, "on_" + words[0].replace("-", "_"))(*words[1:])

    def play_while(self, words):
        """Plays the second step in a thread of its own, and the first one beside it."""
        at = words.index("||")
        seen = []

        def wait():
            try:
                seen.append(self.play(" ".join(words[at + 1 :])))
            except BaseException as error:
                seen.append(f"broken: {error!r}")

        waiter = threading.Thread(target=wait)
        waiter.start()
        acted = self.play(" ".join(words[:at]))
        waiter.join()
        return f"{acted} | {seen[0]}"

    def on_pool(self, workers, slots=None):
        """There is nothing that limits the slots."""
        self.world = self.make_world(self.board, int(workers))
        return "made"

    def on_submit(self, task, ending, gate):
        try:
            future = self.world.submit(int(task), ending, None if gate == "-" else int(gate))
        except RuntimeError:
            return "refused"
        self.keep(int(task), future)
        self.submitted.add(future)
        return "submitted"

    def on_promise(self, task):
        self.keep(int(task), Future())
        return "promised"

    def on_open(self, gate):
        self.world.open(int(gate))
        return "opened"

    def on_cancel(self, task):
        return str(self.futures[int(task)].cancel()).lower()

    def on_state(self, task):
        future = self.futures[int(task)]
        told = [("running", future.running()), ("done", future.done())]
        told.append(("cancelled", future.cancelled()))
        return " ".join(word for word, is_so in told if is_so) or "pending"

    def on_over(self, task):
        future = self.futures[int(task)]
        return "cancelled" if future.cancelled() else str(future.done()).lower()

    def on_result(self, task, patience):
        return say(lambda: self.futures[int(task)].result(PATIENCE[patience]))

    on_peek = on_result

    def on_exception(self, task, patience):
        return say_exception(lambda: self.futures[int(task)].exception(PATIENCE[patience]))

    def on_callback(self, task, number, habit):
        def call(future):
            outcome = say(lambda: future.result(0))
            if habit.startswith("gate-"):
                self.board.wait_for_gate(1000 + int(task), int(habit[5:]))
            with self.board.changed:
                self.board.events.append(f"called {task}.{number} {outcome}")
            if habit == "raises":
                raise Failure("a callback raises")

        self.add_callback(int(task), call)
        return "added"

    def on_wait(self, when, patience, *tasks):
        waited = concurrent.futures.wait(self.chosen(tasks), PATIENCE[patience], WHEN[when])
        done = numbers("done", [self.names[future] for future in waited.done])
        return done + numbers(" not", [self.names[future] for future in waited.not_done])

    def on_completed(self, patience, *tasks):
        yielded, late = [], ""
        try:
            for future in concurrent.futures.as_completed(self.chosen(tasks), PATIENCE[patience]):
                yielded.append(self.names[future])
        except concurrent.futures.TimeoutError as timeout:
            unfinished, _, total = str(timeout).split()[:3]
            late = f" timeout {unfinished} of {total.strip(')')}"
        return numbers("yielded", yielded) + late

    def on_iterate(self, count, *tasks):
        self.iterator = concurrent.futures.as_completed(self.chosen(tasks))
        return self.on_next(count, "sorted")

    def on_next(self, count, order):
        yielded = []
        for _ in range(int(count)):
            future = next(self.iterator, None)
            if future is None:
                return "end"
            yielded.append(self.names[future])
        if order == "sorted":
            yielded.sort()
        return " ".join(["yielded", *map(str, yielded)])

    def on_leave(self):
        self.iterator.close()
        return "left"

    def on_map(self, patience, take, *endings):
        try:
            outcomes = self.world.pool.map(
                map_item, enumerate(endings), timeout=PATIENCE[patience]
            )
        except RuntimeError:
            return "refused"
        seen = []
        for _ in range(int(take)):
            try:
                seen.append(say(lambda: next(outcomes)))
            except StopIteration:
                break
        outcomes.close()
        return ", ".join(seen) or "nothing"

    def on_map_unstarted(self, task):
        self.world.pool.map(self.board.run, [int(task)], ["value"], [None]).close()
        return "dropped"

    def on_map_begun(self, count):
        """How many items a map takes before its first `next`."""
        taken = []
        items = (taken.append(item) or (item, "v") for item in range(int(count)))
        self.world.pool.map(map_item, items).close()
        return f"taken {len(taken)}"

    def on_late(self, task, pending):
        """Is late for the first `next` of an `as_completed` with a time limit of a second."""
        iterator = concurrent.futures.as_completed(self.chosen([task]), 1)
        say(lambda: self.futures[int(pending)].result(1))
        began = time.monotonic()
        try:
            next(iterator)
        except concurrent.futures.TimeoutError:
            after = time.monotonic() - began
            return "timeout after a second" if after >= 1 else "timeout at once"
        return "no timeout"

    def on_start(self):
        """There is no restart."""
        return "false"

    def on_shutdown(self, wait, how):
        self.world.shut_down()
        self.world.pool.shutdown(wait=wait == "wait", cancel_futures=how == "cancel")
        return "shut down"

    def on_set_result(self, task):
        try:
            self.futures[int(task)].set_result(int(task))
        except InvalidStateError:
            return "invalid"
        return "set"

    def on_set_exception(self, task):
        try:
            self.futures[int(task)].set_exception(Failure(f"broken {task}"))
        except InvalidStateError:
            return "invalid"
        return "set"

    def on_set_running(self, task):
        try:
            return str(self.futures[int(task)].set_running_or_notify_cancel()).lower()
        except RuntimeError:
            return "invalid"

    def on_abandon(self, task):
        """Cancels a promise and tells those that wait for it."""
        return f"{self.on_cancel(task)} {self.on_set_running(task)}"

    def on_drop(self, task):
        return "dropped"

    def on_settle(self, order, *changes):
        """Waits until the pool has come as far as the program says."""
        for change in changes:
            task = int(change[1:])
            if change[0] == "b":
                self.world.await_begun(task)
            elif change[0] == "e":
                future = self.futures[task]
                with self.board.changed:
                    self.board.changed.wait_for(
                        lambda: future.done() and self.ran[task] == self.added[task]
                    )
            else:
                # A worker has come upon it, and tells those that wait for it.
                concurrent.futures.wait([self.futures[task]])
        with self.board.changed:
            events, self.board.events = self.board.events, []
        if order == "sorted":
            # Those of one task keep their order.
            events.sort(key=lambda event: int(event.split()[1].split(".")[0]))
        return "; ".join(events) or "-"

    def on_end(self):
        self.world.end()
        # Other programs may go on with the pool of processes, so nothing else tells its end.
        for future in self.submitted:
            task = self.names[future]
            with self.board.changed:
                self.board.changed.wait_for(lambda: self.ran[task] == self.added[task])
        return self.on_settle("sorted")


def main(make_world):
    # The errors of callbacks that raise are expected.
    logging.disable(logging.CRITICAL)
    player = Player(make_world)
    for line in sys.stdin:
        try:
            seen = player.play(line)
        except BaseException as error:
            seen = f"broken: {error!r}"
        print(seen, flush=line.startswith("end"))
        if line.startswith("end"):
            player = Player(make_world)


if __name__ == "__main__":
    main({"threads": ThreadWorld, "processes": ProcessWorld}[sys.argv[1]])
