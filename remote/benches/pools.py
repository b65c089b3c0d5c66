"""Measures one process pool each time a line comes in: a round trip and a pipelined call, in ns."""

import collections
import sys
import time


def square(number):
    return number * number


def main():
    kind, round_trips, pipelined = sys.argv[1], int(sys.argv[2]) // 4, int(sys.argv[3]) // 8
    try:
        if kind == "pebble":
            import pebble

            pool = pebble.ProcessPool(max_workers=2)
            submit = lambda number: pool.schedule(square, args=(number,))
        elif kind == "loky":
            import loky

            pool = loky.get_reusable_executor(max_workers=2)
            submit = lambda number: pool.submit(square, number)
        else:
            import concurrent.futures

            pool = concurrent.futures.ProcessPoolExecutor(max_workers=2)
            submit = lambda number: pool.submit(square, number)
        submit(1).result()
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter_ns()
        for number in range(round_trips):
            submit(number).result()
        round_trip = (time.perf_counter_ns() - began) / round_trips
        began = time.perf_counter_ns()
        outstanding = collections.deque()
        for number in range(pipelined):
            if len(outstanding) == 64:
                outstanding.popleft().result()
            outstanding.append(submit(number))
        for future in outstanding:
            future.result()
        print(round_trip, (time.perf_counter_ns() - began) / pipelined, flush=True)


if __name__ == "__main__":
    main()
