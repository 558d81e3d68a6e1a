# SPDX-License-Identifier: MIT
"""Strings built, joined, formatted, sliced and counted."""
import io

for turn in range(6):
    parts = ["%06d:%s" % (n, "x" * (n % 60)) for n in range(20000)]
    text = ",".join(parts)
    grown = ""
    for part in parts[:5000]:
        grown += part
    upper = [part.upper().replace("X", "yz") for part in parts]
    out = io.StringIO()
    for part in upper:
        out.write(f"{part!r:>20}\n")
    counts = {}
    for part in text.split(","):
        key = part[3:9]
        counts[key] = counts.get(key, 0) + 1
    assert len(out.getvalue()) > len(text) and sum(counts.values()) == 20000
