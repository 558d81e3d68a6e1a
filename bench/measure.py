# SPDX-License-Identifier: MIT
"""Finds the allocators, runs one load with one of them, and keeps results as lines of JSON."""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time

# The packaged peers: name, library, Debian package.
PEERS = [
    ("jemalloc", "libjemalloc.so.2", "libjemalloc2"),
    ("mimalloc", "libmimalloc.so.2", "libmimalloc2.0"),
    ("tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
    ("tbb", "libtbbmalloc_proxy.so.2", "libtbbmalloc2"),
]
FOLDERS = [
    "/usr/local/lib",
    "/usr/lib/%s-linux-gnu" % platform.machine(),
    "/usr/lib64",
    "/usr/lib",
]
TIMEOUT = 120  # seconds for one process
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


class MeasureError(Exception):
    pass


def find_library(soname):
    for folder in FOLDERS:
        path = os.path.join(folder, soname)
        if os.path.exists(path):
            return path
    return None


def find_allocators(build):
    """Returns ({name: path}, [what is left out]); glibc's path is empty. Order: strata, peers, bump."""
    found, missing = {}, []
    strata = os.environ.get("BENCH_LIBSTRATA") or os.path.join(build, "src/.libs/libstrata.so.0")
    if os.path.exists(strata):
        found["strata"] = os.path.abspath(strata)
    else:
        missing.append("strata (no %s)" % strata)
    found["glibc"] = ""
    for name, soname, package in PEERS:
        path = find_library(soname)
        if path:
            found[name] = path
        else:
            missing.append("%s (%s: Debian package %s)" % (name, soname, package))
    for entry in os.environ.get("BENCH_PEERS", "").split():
        name, _, path = entry.partition("=")
        if path and os.path.exists(path):
            found[name] = os.path.abspath(path)
        else:
            missing.append("%s (BENCH_PEERS: no %s)" % (name, path or "path"))
    bump = os.path.join(build, "bench/bump.so")
    if os.path.exists(bump):
        found["bump"] = os.path.abspath(bump)
    else:
        missing.append("bump (no %s)" % bump)
    wanted = os.environ.get("BENCH_ALLOCATORS", "").split()
    if wanted:
        found = {name: path for name, path in found.items() if name in wanted}
    return found, missing


def identity(path):
    """A short digest of a file's content, so that results of another build are not taken for this one's."""
    if not path:
        return "libc-" + platform.libc_ver()[1]
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:12]


def output_of(*command):
    """Standard output of a program; nothing where there is none."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                              env=dict(os.environ, LC_ALL="C")).stdout.decode(errors="replace")
    except OSError:
        return ""


def commit():
    """The commit of the sources, for results; empty where they are no checkout, and for a library from elsewhere.
    Changes to documents do not count: the programs here make them themselves."""
    if os.environ.get("BENCH_LIBSTRATA"):
        return ""
    name = output_of("git", "-C", SOURCES, "describe", "--always").strip()
    changed = output_of("git", "-C", SOURCES, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    return name + ("-dirty" if changed.strip() else "")


def of_the_code(commits):
    """What a report says of the commits that its results were measured at."""
    named = sorted({name or "a commit that was not noted" for name in commits})
    return "of the code at " + " and ".join(named)


def environment(library):
    env = dict(os.environ, LC_ALL="C")
    env.pop("LD_PRELOAD", None)
    if library:
        env["LD_PRELOAD"] = library
    return env


def call(command, library):
    """Runs a command with the allocator preloaded; its standard output, or MeasureError."""
    try:
        done = subprocess.run(command, env=environment(library), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise MeasureError("took longer than %d s" % TIMEOUT) from None
    errors = done.stderr.decode(errors="replace").strip()
    if "cannot be preloaded" in errors:
        raise MeasureError(errors.splitlines()[0])
    if done.returncode:
        last = errors.splitlines()[-1] if errors else ""
        raise MeasureError("status %d: %s" % (done.returncode, last))
    return done.stdout.decode(errors="replace"), errors


def list_loads(build, sets, pattern):
    """[(name, set)] of the loads in the sets whose name the pattern is found in."""
    listed, _ = call([os.path.join(build, "bench/loads"), "--list"], "")
    pairs = [line.split() for line in listed.splitlines()]
    return [(name, group) for name, group in pairs
            if ("all" in sets or group in sets) and re.search(pattern, name)]


def measure_load(build, load, library, seconds):
    program = os.path.join(build, "bench/loads")
    out, _ = call([program, load, "--benchmark_min_time=%g" % seconds, "--benchmark_format=json"], library)
    entry = json.loads(out)["benchmarks"][0]
    if entry.get("error_occurred"):
        raise MeasureError(entry.get("error_message", "failed"))
    common = ("name", "run_name", "run_type", "family_index", "per_family_instance_index", "repetitions",
              "repetition_index", "threads", "real_time", "cpu_time", "time_unit")
    return {key: value for key, value in entry.items() if key not in common}


def measure_hello(build, library):
    out, _ = call([os.path.join(build, "bench/hello")], library)
    return {"rss": int(out.split()[1])}


def count_instructions(build, size, library):
    """Instructions for a malloc/free pair, exact: the difference of two runs. Of a thread's first calls some take longer, in an
    allocator that sizes its caches or looks at a clock by them; under callgrind, which is slow, these are more."""
    counts = []
    for pairs in (400000, 500000):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                   os.path.join(build, "bench/pairs"), str(size), str(pairs)]
        _, errors = call(command, library)
        found = re.search(r"Collected\s*:\s*(\d+)", errors)
        if not found:
            raise MeasureError("callgrind said nothing")
        counts.append(int(found.group(1)))
    return {"instructions": (counts[1] - counts[0]) / 100000}


class Results:
    """Results of the builds at hand, in a file of JSON lines to which each measurement is added at once. Real programs
    are given with their digests: {load: digest}."""

    def __init__(self, build, allocators, seconds, path=None, programs=None):
        self.path = path or os.path.join(build, "bench/results.jsonl")
        self.program = identity(os.path.join(build, "bench/loads"))
        self.programs = programs or {}
        self.libraries = {name: identity(library) for name, library in allocators.items()}
        self.seconds = seconds
        self.commit = commit()
        self.records = []
        self.known = set()
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                self.take(file)

    def what_runs(self, load):
        """The digest of the program, and the least time of a measurement: that of a real program is its own."""
        return (self.programs[load], 0) if load in self.programs else (self.program, self.seconds)

    def take(self, lines):
        """A round of a load is one of all allocators by turns: if one of them was another library then, it is not taken
        up, so that all are measured anew, and those that were measured beside it are not used."""
        rounds = {}
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:  # a line cut short when the program was stopped
                continue
            name = record.get("allocator")
            if name not in self.libraries:
                continue
            if (record.get("program"), record.get("seconds")) != self.what_runs(record.get("load")):
                continue
            key = (record["load"], record["round"])
            before = rounds.setdefault(key, {}).get(name)
            if before and before["library"] != record["library"]:
                rounds[key] = {}
            rounds[key][name] = record
        for (load, number), records in rounds.items():
            if all(record["library"] == self.libraries[name] for name, record in records.items()):
                self.records.extend(records.values())
                self.known.update((load, name, number) for name in records)

    def has(self, load, allocator, number):
        return (load, allocator, number) in self.known

    def add(self, load, allocator, number, values):
        program, seconds = self.what_runs(load)
        record = {"load": load, "allocator": allocator, "round": number, "program": program,
                  "library": self.libraries[allocator], "seconds": seconds, "commit": self.commit,
                  "when": int(time.time())}
        record.update(values)
        self.records.append(record)
        self.known.add((load, allocator, number))
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def build_folder(argument):
    """The build folder: as given, or BENCH_BUILD, or here."""
    build = argument or os.environ.get("BENCH_BUILD") or "."
    if not os.path.exists(os.path.join(build, "bench/loads")):
        sys.exit("bench: no %s/bench/loads; build first, or name the build folder with --build" % build)
    return os.path.abspath(build)
