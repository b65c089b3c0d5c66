"""Measures one pool of processes each time a line comes in: a round trip and a pipelined call.

Arguments: the pool, and the numbers of calls of both. Times are nanoseconds of one call.
"""

import collections
import sys
import time


def square(number):
    return number * number


def main():
    # The task belongs to a module, as in most programs: loky sends the code of one that does not.
    from pools import square

    kind, round_trips, pipelined = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
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
    with pool:  # whose processes end here
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
