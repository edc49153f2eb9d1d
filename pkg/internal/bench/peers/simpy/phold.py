#!/usr/bin/python3
"""PHOLD in SimPy: phold.py PROCESSES REMOTE SECONDS SEED

One event for each logical process at the start. Executing an event schedules the next one,
0.1 and an exponential time of mean 0.9 later, with probability REMOTE at another process.
Fujimoto, "Performance of Time Warp under synthetic workloads", 1990.
"""

import gc
import sys
import time
from math import log
from random import Random

import simpy
from simpy.events import Timeout

LOOKAHEAD = 0.1
MEAN = 0.9


def main():
    n, remote, seconds, seed = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    env = simpy.Environment()
    throw = Random(seed).random
    executed = [0] * n
    hops = 0

    def execute(event):
        nonlocal hops
        lp = event.value
        executed[lp] += 1
        if throw() < remote:
            to = int(throw() * (n - 1))
            lp = to + (to >= lp)
            hops += 1
        Timeout(env, LOOKAHEAD - MEAN * log(1.0 - throw()), lp).callbacks.append(execute)

    gc.disable()  # nothing here is garbage in a circle, and looking for it takes most of a long run
    began = time.perf_counter()
    for lp in range(n):
        Timeout(env, LOOKAHEAD - MEAN * log(1.0 - throw()), lp).callbacks.append(execute)
    env.run(until=seconds)
    took = time.perf_counter() - began
    print("events %d remote %d seconds %.6f" % (sum(executed), hops, took))


main()
