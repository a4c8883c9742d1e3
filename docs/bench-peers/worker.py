"""The loop of a program under test: read a number of steps from stdin, time them, answer with a line of JSON."""

import json
import os
import sys
import time
from statistics import median_high

# Libraries may print: what they write to stdout goes to stderr, away from the answers.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

THREADS = int(os.environ["OMP_NUM_THREADS"])
BATCH, CLASSES = 64, 10
LEARNING_RATE, WEIGHT_DECAY, EPSILON = 1e-3, 5e-4, 1e-7  # the pilot's AdamW
WARM_UP = 2  # steps before each turn that are not measured, as in diaghess bench


def timed(step, steps):
    """Return the median and the fastest of steps in milliseconds, as a list with one row."""
    times = []
    for _ in range(WARM_UP + steps):
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start))
    return [(median_high(times[WARM_UP:]), min(times[WARM_UP:]))]  # diaghess bench takes this median too


def serve(turn, version, parameters=None):
    """Take turns until stdin ends; the first, which is not reported, compiles and allocates."""
    turn(1)
    print(json.dumps([version, parameters]), file=answers)
    for line in sys.stdin:
        print(json.dumps(turn(int(line))), file=answers)
