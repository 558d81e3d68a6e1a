# SPDX-License-Identifier: MIT
"""Real programs: finds those that are installed, and runs one with an allocator, by its script in bench/runners (lib.sh
there says what such a script does)."""

import glob
import hashlib
import os
import re
import signal
import subprocess
import tempfile

import drive
import measure

PREFIX = "program/"  # of the names of loads
HERE = os.path.dirname(os.path.abspath(__file__))
RUNNERS = os.path.join(HERE, "runners")
TIMEOUT = 300  # seconds for one run, its start and end included
MISSING = 77   # status of a runner whose program is not installed
# Whatever decides what is run: results of other loads are not taken for these.
SOURCES = ["timed.c", "runners/*", "python/*.py", "../tests/servers/compile.cc", "../tests/servers/lib.sh"]


def stop_group(process):
    """Ends a script with all that it started: it stops its servers itself when it is told to end."""
    for end in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, end)
            process.communicate(timeout=60)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            pass


def call_runner(load, arguments, settings):
    """Status and output of a runner; MeasureError where it fails. In a session of its own, to be stopped as a whole."""
    script = os.path.join(RUNNERS, load[len(PREFIX):] + ".sh")
    process = subprocess.Popen(["sh", script] + arguments, env=dict(measure.environment(""), **settings),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)
    try:
        out, errors = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        stop_group(process)
        raise measure.MeasureError("took longer than %d s" % TIMEOUT) from None
    except BaseException:
        stop_group(process)
        raise
    if process.returncode not in (0, MISSING):
        lines = errors.decode(errors="replace").strip().splitlines() or ["no word"]
        said = [line for line in lines if line.startswith("failed: ")] or lines
        raise measure.MeasureError("status %d: %s" % (process.returncode, said[-1]))
    return process.returncode, out.decode(errors="replace")


def find_programs(pattern):
    """({load: its packages with their versions}, [what is left out])"""
    found, missing = {}, []
    for script in sorted(glob.glob(os.path.join(RUNNERS, "*.sh"))):
        name = os.path.basename(script)[:-len(".sh")]
        with open(script, encoding="utf-8") as file:
            is_runner = file.readline().startswith("#!")  # the others are parts that runners share
        if not is_runner or not re.search(pattern, PREFIX + name):
            continue
        try:
            status, out = call_runner(PREFIX + name, ["versions"], {})
        except measure.MeasureError as error:
            missing.append("%s (%s)" % (name, error))
            continue
        if status == MISSING:
            missing.append("%s (%s)" % (name, out.strip()))
        else:
            found[PREFIX + name] = out.splitlines()
    return found, missing


def identities(programs):
    """{load: a digest of what is run}, for measure.Results."""
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(glob.glob(os.path.join(HERE, pattern))):
            with open(path, "rb") as file:
                digest.update(file.read())
    return {load: hashlib.sha256((digest.hexdigest() + load + repr(versions)).encode()).hexdigest()[:12]
            for load, versions in programs.items()}


def judged(allocators):
    """No real program gets by without free: the floor is left out."""
    return {name: library for name, library in allocators.items() if name != "bump"}


class Runs:
    """Runs the programs; what all runs of one start from is made once, in a folder of the caller."""

    def __init__(self, build, allocators, folder):
        self.settings = {"BENCH_TIMED": os.path.join(build, "bench/timed")}
        self.names = {library: name for name, library in allocators.items()}
        self.folder = folder

    def data(self, load):
        return os.path.join(self.folder, load[len(PREFIX):])

    def make_ready(self, load):
        os.mkdir(self.data(load))
        call_runner(load, ["setup", self.data(load)], self.settings)

    def run(self, load, library):
        _, out = call_runner(load, ["run", self.data(load)], dict(
            self.settings, BENCH_MALLOC=self.names[library], BENCH_PRELOAD=library))
        values = dict(line.split() for line in out.splitlines())
        try:
            return {key: int(values[key]) for key in ("ns", "cpu_ns", "peak_rss")}
        except (KeyError, ValueError):
            raise measure.MeasureError("the runner gave no figures") from None


def measure_programs(results, build, programs, allocators, rounds):
    """Measures what is missing; returns what could not be made ready."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # servers are to be stopped with us
    todo = {load for _, load, _ in drive.plan(results, list(programs), allocators, rounds)}
    ready, missing = [], []
    with tempfile.TemporaryDirectory(prefix="strata-programs.") as folder:
        runs = Runs(build, allocators, folder)
        for load in sorted(todo):
            drive.progress("%s is made ready" % load)
            try:
                runs.make_ready(load)
                ready.append(load)
            except measure.MeasureError as error:
                missing.append("%s (not made ready: %s)" % (load[len(PREFIX):], error))
        drive.measure_each(results, ready, allocators, rounds, runs.run)
    return missing
