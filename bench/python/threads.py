# SPDX-License-Identifier: MIT
"""Many threads that make objects, hand them over by a queue and drop what others made."""
import queue
import threading

THREADS = 16
results = queue.Queue(64)  # bounded: else peak RSS depends on who runs ahead
work = queue.Queue()


def worker():
    while True:
        n = work.get()
        if n is None:
            return
        results.put({str(i): [i, i + n, (i, n)] for i in range(300)})


running = [threading.Thread(target=worker) for _ in range(THREADS)]
for thread in running:
    thread.start()
for n in range(1000):
    work.put(n)
for thread in running:
    work.put(None)
total = sum(len(results.get()) for n in range(1000))
for thread in running:
    thread.join()
assert total == 300000
