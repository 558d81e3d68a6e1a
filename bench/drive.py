# SPDX-License-Identifier: MIT
"""Measures everything that is not yet among the results, interleaved, and shows how far it is."""

import shutil
import sys
import time

import measure

INSTRUCTION_SIZES = (64, 2000, 20000)


def progress(text):
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text)
    else:
        sys.stderr.write(text + "\n")
    sys.stderr.flush()


def say(text):
    progress(text + ("\n" if sys.stderr.isatty() else ""))


def plan(results, loads, allocators, rounds):
    """What is still to do, round by round; within a load the allocators take turns in being first."""
    names = list(allocators)
    for number in range(rounds):
        turn = number % len(names)
        for load in loads:
            for name in names[turn:] + names[:turn]:
                if not results.has(load, name, number):
                    yield number, load, name


def attempt(results, load, name, number, work):
    try:
        values = work()
    except measure.MeasureError as error:
        values = {"error": str(error)}
        say("%s with %s: %s" % (load, name, error))
    results.add(load, name, number, values)


def measure_each(results, loads, allocators, rounds, work):
    """work(load, library) measures one load once and returns its values."""
    todo = list(plan(results, loads, allocators, rounds))
    begin, shown = time.time(), None
    for done, (number, load, name) in enumerate(todo):
        if sys.stderr.isatty() or (number, load) != shown:
            left = (time.time() - begin) / done * (len(todo) - done) / 60 if done else 0
            progress("round %d/%d  %d/%d  %s  %s%s" % (
                number + 1, rounds, done, len(todo), load, name if sys.stderr.isatty() else "",
                "  about %.0f min left" % left if done > 20 else ""))
        shown = (number, load)
        attempt(results, load, name, number, lambda: work(load, allocators[name]))
    if todo and sys.stderr.isatty():
        progress("")


def measure_loads(results, build, loads, allocators, rounds, seconds):
    measure_each(results, loads, allocators, rounds,
                 lambda load, library: measure.measure_load(build, load, library, seconds))


def measure_hello(results, build, allocators, rounds):
    for number in range(rounds):
        for name, library in allocators.items():
            if not results.has("hello", name, number):
                attempt(results, "hello", name, number, lambda: measure.measure_hello(build, library))


def measure_instructions(results, build, allocators):
    """False when there is no valgrind."""
    if not shutil.which("valgrind"):
        return False
    for size in INSTRUCTION_SIZES:
        load = "instructions/%d" % size
        for name, library in allocators.items():
            if not results.has(load, name, 0):
                progress("%s  %s" % (load, name))
                attempt(results, load, name, 0, lambda: measure.count_instructions(build, size, library))
    return True
