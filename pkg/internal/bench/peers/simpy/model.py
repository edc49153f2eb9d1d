#!/usr/bin/python3
"""The model of docs/model.md in SimPy: model.py MACHINES SECONDS SEED

Three machines have the rates 1, 5 and 4; others have 1 to 6 in turn. A machine is a
process that waits for its ticks; a message is one event, whose callback queues it.
"""

import gc
import sys
import time
from collections import deque
from random import Random

import simpy
from simpy.events import Timeout

LATENCY = 0.001
DIE = 10


def main():
    machines, seconds, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    rates = [1, 5, 4] if machines == 3 else [1 + i % 6 for i in range(machines)]
    env = simpy.Environment()
    queues = [deque() for _ in range(machines)]
    counts = [0, 0, 0, 0]  # internal, sends, receives, messages
    rng = Random(seed)

    def arrive(message):
        to, stamp = message.value
        queues[to].append(stamp)

    def send(to, stamp):
        # A Timeout of its own is the cheapest event that SimPy has.
        Timeout(env, LATENCY, (to, stamp)).callbacks.append(arrive)

    def machine(id):
        clock = 0
        queue = queues[id]
        rate = rates[id]
        throw = rng.random
        internal = sends = receives = messages = 0
        k = 1
        try:
            while True:
                yield Timeout(env, k / rate - env.now)
                k += 1
                if queue:
                    stamp = queue.popleft()
                    clock = (stamp if stamp > clock else clock) + 1
                    receives += 1
                    continue
                clock += 1
                face = int(throw() * DIE)
                if face > 2:
                    internal += 1
                    continue
                sends += 1
                if machines == 3:
                    a, b = (id + 1) % 3, (id + 2) % 3
                else:
                    a = int(throw() * (machines - 1))
                    b = int(throw() * (machines - 2))
                    if b >= a:
                        b += 1
                    a += a >= id
                    b += b >= id
                if face != 1:
                    send(a, clock)
                    messages += 1
                if face != 0:
                    send(b, clock)
                    messages += 1
        finally:  # the generator is closed at the end of the run
            for i, n in enumerate((internal, sends, receives, messages)):
                counts[i] += n

    processes = [machine(id) for id in range(machines)]
    gc.disable()  # nothing here is garbage in a circle, and looking for it takes most of a long run
    began = time.perf_counter()
    for p in processes:
        env.process(p)
    env.run(until=seconds + 1e-6)
    took = time.perf_counter() - began
    for p in processes:
        p.close()
    print("events %d internal %d sends %d receives %d messages %d seconds %.6f"
          % (sum(counts[:3]), *counts, took))


main()
