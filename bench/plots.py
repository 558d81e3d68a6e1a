# SPDX-License-Identifier: MIT
"""Plots by gnuplot, each as SVG and as PNG."""

import os
import re
import shutil
import subprocess
import tempfile

import analysis

COLOURS = {
    "strata": "#d62728", "glibc": "#7f7f7f", "jemalloc": "#1f77b4", "mimalloc": "#2ca02c", "tcmalloc": "#ff7f0e",
    "tbb": "#9467bd", "bump": "#000000",
}
MORE_COLOURS = ["#8c564b", "#17becf", "#bcbd22", "#e377c2"]

# Families of loads that differ in the number of threads only: file, title, name with one thread, pattern.
SCALING = [
    ("scaling-burst", "bursts of 1000 blocks of 64 bytes, freed at random", "burst/64/1000/random",
     r"burst/64/1000/random/threads:(\d+)$"),
    ("scaling-small", "small blocks, private slots", None, r"small/private/threads:(\d+)$"),
    ("scaling-shared", "small blocks, shared slots: most frees are remote", None, r"small/shared/threads:(\d+)$"),
    ("scaling-powerlaw", "8 B to 64 KiB, private slots", None, r"powerlaw/private/threads:(\d+)$"),
    ("scaling-larson", "a server whose threads die (larson)", None, r"larson/threads:(\d+)$"),
]


def colour(name, names):
    if name in COLOURS:
        return COLOURS[name]
    others = [other for other in names if other not in COLOURS]
    return MORE_COLOURS[others.index(name) % len(MORE_COLOURS)]


def draw(folder, name, settings, series, names):
    """series: {allocator: [(x, y)]}. Writes name.svg and name.png."""
    with tempfile.TemporaryDirectory() as temporary:
        parts = []
        for allocator, points in series.items():
            path = os.path.join(temporary, allocator + ".dat")
            with open(path, "w", encoding="ascii") as file:
                file.writelines("%s %s\n" % point for point in points)
            size = 0.6 if len(points) > 1 else 2.5
            width = 3 if allocator == analysis.OURS else 1.5
            dash = " dashtype 2" if allocator == analysis.FLOOR else ""
            parts.append("'%s' using 1:2 with linespoints linewidth %g linecolor rgb '%s' pointtype 7 pointsize %g%s "
                         "title '%s'" % (path, width, colour(allocator, names), size, dash,
                                         "floor" if allocator == analysis.FLOOR else allocator))
        script = []
        for kind, terminal in (("svg", "svg size 900,560 background 'white' font 'sans,14'"),
                               ("png", "pngcairo size 1350,840 background 'white' font 'sans,18'")):
            script += ["set terminal " + terminal, "set output '%s'" % os.path.join(folder, name + "." + kind),
                       "set key outside right", "set grid"]
            script += settings + ["plot " + ", ".join(parts), "unset output"]
        subprocess.run(["gnuplot"], input="\n".join(script).encode(), check=True, stdout=subprocess.DEVNULL)
    return name


def medians(results, pattern, value, names, first=None):
    """{allocator: [(number in the name, value)]} over the loads that match; first: the load for 1."""
    series = {}
    loads = sorted({record["load"] for record in results.records})
    for load in loads:
        match = re.match(pattern, load)
        if not match and load != first:
            continue
        table = analysis.Table(results.records, load)
        for name in names:
            median = table.median(name, "ns")
            if median is not None:
                series.setdefault(name, []).append((int(match.group(1)) if match else 1, value(median)))
    return {name: sorted(series[name]) for name in names if name in series}


def draw_scaling(results, folder, names):
    for name, title, first, pattern in SCALING:
        series = medians(results, pattern, lambda ns: 1000 / ns, names, first)
        if series and max(len(points) for points in series.values()) > 1:
            yield draw(folder, name, ["set title '%s'" % title, "set xlabel 'threads'", "set logscale x 2",
                                      "set ylabel 'million operations in a second'", "set yrange [0:*]"],
                       series, names), title


def draw_surface(results, folder, names):
    for count in (1000, 10000):
        series = medians(results, r"burst/(\d+)/%d/random$" % count, lambda ns: ns, names)
        if series and max(len(points) for points in series.values()) > 2:
            title = "bursts of %d blocks, freed at random" % count
            yield draw(folder, "burst-%d" % count,
                       ["set title '%s'" % title, "set xlabel 'bytes in a block'", "set ylabel 'ns for a pair'",
                        "set logscale x 2", "set logscale y 10"], series, names), title


def draw_latency(results, folder, names):
    keys = ["p50", "p90", "p99", "p99.9", "p99.99"]
    for call in ("malloc", "free"):
        series = {}
        table = analysis.Table(results.records, "latency/threads:64")
        for name in names:
            points = [(at + 1, table.median(name, call + "_" + key)) for at, key in enumerate(keys)]
            if all(value is not None for _, value in points):
                series[name] = points
        if series:
            title = "a single %s, 64 threads" % call
            ticks = ", ".join("'%s' %d" % (key, at + 1) for at, key in enumerate(keys))
            yield draw(folder, "latency-" + call,
                       ["set title '%s'" % title, "set xlabel 'percentile'", "set ylabel 'ns'", "unset logscale x",
                        "set logscale y 10", "set xtics (%s)" % ticks, "set xrange [0.8:5.2]"], series, names), title


def draw_means(found, folder, names):
    """Time against memory, a point for each allocator."""
    series = {name: [(found[name][0], found[name][2])] for name in names if name in found}
    if series:
        title = "geometric means over the loads: ratios to the best peer of each load"
        yield draw(folder, "means", ["set title '%s'" % title, "set xlabel 'time'", "set ylabel 'peak RSS'",
                                     "unset logscale"], series, names), title


def draw_all(results, found, folder, names):
    """[(file without its ending, title)]; None without gnuplot."""
    if not shutil.which("gnuplot"):
        return None
    os.makedirs(folder, exist_ok=True)
    judged = [name for name in names if name != analysis.FLOOR]
    drawn = list(draw_means(found, folder, judged))
    drawn += list(draw_scaling(results, folder, judged))
    drawn += list(draw_surface(results, folder, names))
    drawn += list(draw_latency(results, folder, judged))
    return drawn
