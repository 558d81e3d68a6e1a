# SPDX-License-Identifier: MIT
"""Lists, dicts, sets and generators by comprehension."""
total = 0
for turn in range(12):
    squares = [n * n for n in range(20000)]
    table = {n: (n, str(n)) for n in squares}
    rest = {n % 1009 for n in table}
    nested = [[a * b for a in range(12)] for b in range(2500)]
    total += sum(len(text) for _, text in table.values()) + len(rest) + sum(sum(row) for row in nested)
assert total > 0
