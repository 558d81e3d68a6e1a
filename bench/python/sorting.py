# SPDX-License-Identifier: MIT
"""Lists of numbers, tuples and strings sorted, by key and without; heaps."""
import heapq
import random

random.seed(1)
for turn in range(3):
    numbers = [random.random() for _ in range(60000)]
    assert sorted(numbers)[0] == min(numbers)
    pairs = sorted((str(n)[2:6], n) for n in numbers)
    pairs.sort(key=lambda pair: (pair[1], pair[0]), reverse=True)
    heap = []
    for n in numbers[:20000]:
        heapq.heappush(heap, (n, [n]))
    assert [heapq.heappop(heap)[0] for _ in range(20000)] == sorted(numbers[:20000])
