# SPDX-License-Identifier: MIT
"""Medians, ratios and what is said of them."""

import math
import random
import statistics

OURS = "strata"
FLOOR = "bump"
LEAST_OVERHEAD = 64 << 10  # bytes; below that, overhead over the exact fit is as good as none
LEAST_ABOVE_FLOOR = 0.02   # of the floor; likewise for time


class Table:
    """The rounds of one load: {allocator: {round: record}}."""

    def __init__(self, records, load):
        self.load = load
        self.rounds = {}
        self.errors = {}
        for record in records:
            if record["load"] != load:
                continue
            if "error" in record:
                self.errors[record["allocator"]] = record["error"]
            else:
                self.rounds.setdefault(record["allocator"], {})[record["round"]] = record

    def values(self, allocator, key):
        return [record[key] for record in self.rounds.get(allocator, {}).values() if key in record]

    def median(self, allocator, key):
        values = self.values(allocator, key)
        return statistics.median(values) if values else None

    def allocators(self):
        """Those that are judged: not the floor, none that failed in any round."""
        return [name for name in self.rounds if name != FLOOR and name not in self.errors]

    def peers(self):
        return [name for name in self.allocators() if name != OURS]

    def best_peer(self, key):
        peers = [name for name in self.peers() if self.median(name, key) is not None]
        return min(peers, key=lambda name: self.median(name, key)) if peers else None

    def floor(self):
        """Time of the floor; 0 where it is none: not faster than every allocator."""
        floor = self.median(FLOOR, "ns")
        if floor is None or FLOOR in self.errors:
            return 0
        times = [self.median(name, "ns") for name in self.allocators()]
        return floor if times and floor < min(times) else 0

    def above_floor(self, allocator):
        floor = self.floor()
        return max(self.median(allocator, "ns") - floor, LEAST_ABOVE_FLOOR * floor)

    def overhead(self, allocator):
        """Peak memory above what an exact fit without metadata would need."""
        base = min(self.median(name, "base_rss") for name in self.allocators())
        above = statistics.median(record["peak_rss"] - record["live_peak"]
                                  for record in self.rounds[allocator].values())
        return max(above - base, LEAST_OVERHEAD)

    def leanest_peer(self):
        """The peer of least peak memory among those within 1.5 times the best time."""
        best = self.best_peer("ns")
        if not best:
            return None
        limit = 1.5 * self.median(best, "ns")
        near = [name for name in self.peers() if self.median(name, "ns") <= limit]
        return min(near, key=lambda name: self.median(name, "peak_rss"))

    def pairs(self, one, other, key="ns"):
        """Values of the rounds that both have."""
        first, second = self.rounds.get(one, {}), self.rounds.get(other, {})
        return [(first[number][key], second[number][key]) for number in sorted(first) if number in second]


def median_ratio(pairs):
    return statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)


def interval(pairs, share=0.95, turns=2000):
    """Bootstrap interval of the ratio of medians; the pairs of one round stay together. The same every time."""
    source = random.Random(1)
    drawn = sorted(median_ratio(source.choices(pairs, k=len(pairs))) for _ in range(turns))
    cut = (1 - share) / 2
    return drawn[int(cut * turns)], drawn[int((1 - cut) * turns) - 1]


def geometric_mean(values):
    values = list(values)
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else None


def tables_of(results, loads):
    return [table for table in (Table(results.records, load) for load in loads) if table.rounds or table.errors]


def means(tables, names):
    """{name: (time to the best peer, time above the floor likewise, peak memory to the leanest, overhead likewise)}:
    geometric means of the ratios over the loads that all have done."""
    complete = [table for table in tables if all(name in table.allocators() for name in names)]
    peers = [name for name in names if name != OURS]
    found = {}
    for name in names if peers else []:
        ratios = ([], [], [], [])
        for table in complete:
            for ratio, value in zip(ratios, (lambda n: table.median(n, "ns"), table.above_floor,
                                             lambda n: table.median(n, "peak_rss"), table.overhead)):
                ratio.append(value(name) / min(value(peer) for peer in peers))
        found[name] = tuple(geometric_mean(ratio) for ratio in ratios)
    return found, len(complete) if peers else 0


def ratio_means(tables, names, key):
    """{name: geometric mean of the ratios to the best peer of each load}, and over how many loads: those that all
    have done."""
    complete = [table for table in tables if table.peers() and all(name in table.allocators() for name in names)]
    best = [table.median(table.best_peer(key), key) for table in complete]
    return {name: geometric_mean(table.median(name, key) / least for table, least in zip(complete, best))
            for name in names if complete}, len(complete)


def against_best(tables, names):
    """What the goals are stated in: the single best peer's geometric mean, for time above the floor and overhead.
    {name: (time above the floor, overhead)}, each divided by that of the peer whose mean is least."""
    complete = [table for table in tables if all(name in table.allocators() for name in names)]
    peers = [name for name in names if name != OURS]
    if not complete or not peers:
        return {}
    time = {name: geometric_mean(table.above_floor(name) for table in complete) for name in names}
    memory = {name: geometric_mean(table.overhead(name) for table in complete) for name in names}
    best_time, best_memory = min(time[name] for name in peers), min(memory[name] for name in peers)
    return {name: (time[name] / best_time, memory[name] / best_memory) for name in names}
