# SPDX-License-Identifier: MIT
"""regex: log lines matched, split and rewritten."""
import re

lines = ["10.0.%d.%d - user%d [%02d/Jan] \"GET /p/%d?q=%d HTTP/1.1\" 200 %d" % (n % 256, n % 250, n % 31, n % 28, n, n % 7, n)
         for n in range(9000)]
line = re.compile(r"(\d+\.\d+\.\d+\.\d+) - (\w+) \[([^]]+)\] \"(GET|POST) (\S+) HTTP/[\d.]+\" (\d+) (\d+)")
total = 0
for _ in range(3):
    found = [line.match(text).groups() for text in lines]
    total += sum(int(groups[6]) for groups in found)
    rewritten = [re.sub(r"[?&](\w)=(\d+)", r" \2:\1", text) for text in lines]
    words = [re.split(r"\W+", text) for text in rewritten]
assert total == 3 * sum(range(9000))
