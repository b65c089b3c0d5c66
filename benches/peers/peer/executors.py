"""Runs a workload of the benchmark on a Python executor and prints one sample as a line of JSON."""

import json
import multiprocessing
import signal
import statistics
import sys
import threading
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed

WORKERS = 2
WORKLOAD, EFFORT, KIND = sys.argv[1:4]

# The bound of the suite: no sample takes longer.
signal.alarm(60)


def of(full):
    return full if EFFORT == "full" else -(-full // 10)


# Tasks need names: a process cannot receive a lambda.
def increment(number):
    return number + 1


def identity(number):
    return number


def one(pool, count, pause):
    times = []
    for number in range(count):
        until = time.perf_counter_ns() + pause
        while time.perf_counter_ns() < until:
            pass
        began = time.perf_counter_ns()
        result = pool.submit(increment, number).result()
        times.append(time.perf_counter_ns() - began)
        assert result == number + 1
    return [statistics.median(times)]


def keep(pool, outstanding, count):
    handles, total = deque(), 0
    for number in range(count):
        if len(handles) == outstanding:
            total += handles.popleft().result()
        handles.append(pool.submit(identity, number))
    total += sum(handle.result() for handle in handles)
    assert total == count * (count - 1) // 2


def stream(pool, outstanding, count):
    began = time.perf_counter_ns()
    keep(pool, outstanding, count)
    return (time.perf_counter_ns() - began) / count


def several_streams(pool, submitters, each):
    threads = [threading.Thread(target=keep, args=(pool, 64, each)) for _ in range(submitters)]
    began = time.perf_counter_ns()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.perf_counter_ns() - began) / (submitters * each)


def spin(nanoseconds):
    until = time.perf_counter_ns() + nanoseconds
    while time.perf_counter_ns() < until:
        pass
    return nanoseconds


def completion(pool):
    lengths = [number * 7919 % 5000 for number in range(1000)]
    began = time.perf_counter_ns()
    for length in lengths:
        spin(length)
    ideal = (time.perf_counter_ns() - began) / WORKERS
    began = time.perf_counter_ns()
    handles = [pool.submit(spin, length) for length in lengths]
    total = sum(handle.result() for handle in as_completed(handles))
    elapsed = time.perf_counter_ns() - began
    assert total == sum(lengths)
    return (elapsed - ideal) / len(lengths)


def cancel(pool, batch):
    busy, gate = threading.Barrier(WORKERS + 1), threading.Event()
    ran = []

    def block():
        busy.wait()
        gate.wait()

    gates = [pool.submit(block) for _ in range(WORKERS)]
    busy.wait()
    began = time.perf_counter_ns()
    for _ in range(batch):
        assert pool.submit(ran.append, 1).cancel()
    elapsed = time.perf_counter_ns() - began
    gate.set()
    for each in gates:
        each.result()
    assert not ran
    return elapsed / batch


def executor():
    if KIND == "processes":
        # Only a forked process finds functions that `-c` defines.
        return ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("fork"))
    return ThreadPoolExecutor(WORKERS)


with executor() as pool:
    pool.submit(int).result()
    if WORKLOAD == "W1":
        figures = one(pool, of(1000), 0)
    elif WORKLOAD == "W1i":
        figures = one(pool, of(400), 200_000)
    elif WORKLOAD == "W2":
        figures = [stream(pool, outstanding, of(10_000)) for outstanding in (64, 1024)]
    elif WORKLOAD == "W3":
        figures = [
            several_streams(pool, submitters, of(10_000) // submitters) for submitters in (2, 4)
        ]
    elif WORKLOAD == "W4":
        figures = [statistics.median(completion(pool) for _ in range(of(10)))]
    elif WORKLOAD == "W9":
        figures = [statistics.median(cancel(pool, 500) for _ in range(of(10)))]
    else:
        sys.exit(f"no workload {WORKLOAD} here")
print(json.dumps({"figures": figures, "round_trips": []}))
