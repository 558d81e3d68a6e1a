# SPDX-License-Identifier: MIT
# Run by test_python.sh on `strata-run --python`: what the domains say of objects whose size is known, in this process,
# in threads and in children. Prints a line for each part that held.
import array
import ctypes
import gc
import multiprocessing
import subprocess
import sys
import threading

RAW, MEM, OBJ = range(3)
CHILD = "import sys; sys.path.insert(0, %r); import python_memory as m; print(m.live(m.OBJ) > 100000)" % sys.path[0]
sys.dont_write_bytecode = True


class Stats(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in
                ("live_bytes", "live_blocks", "peak_bytes", "allocations", "frees", "refused")]


def live(domain):
    stats = Stats()
    if ctypes.CDLL(None).strata_domain_stats_read(domain, ctypes.byref(stats), ctypes.sizeof(stats)) != 0:
        raise SystemExit("strata_domain_stats_read failed")
    return stats.live_bytes


def expect(name, holds, *figures):
    if not holds:
        raise SystemExit("%s: does not hold: %s" % (name, figures))
    print(name)


def grown(domain, make):
    """Bytes that make()'s result holds in the domain, and those that stay when it is dropped."""
    gc.collect()
    before = live(domain)
    made = make()
    held = live(domain) - before
    made = None
    gc.collect()
    return held, live(domain) - before


def floats():
    return [i + 0.5 for i in range(100000)]


def check_domains():
    for domain in (RAW, MEM, OBJ):
        expect("domain %d in use" % domain, live(domain) > 0)
    # 24 bytes each, rounded up to 32; their list is in mem.
    held, left = grown(OBJ, floats)
    expect("floats", 3200000 <= held < 3400000 and left < 100000, held, left)
    held, left = grown(MEM, floats)
    expect("list of floats", 800000 <= held < 1100000 and left < 100000, held, left)
    held, left = grown(OBJ, lambda: bytes(5000000))
    expect("bytes", 5000000 <= held < 5400000 and left < 100000, held, left)
    held, left = grown(MEM, lambda: array.array("d", floats()))
    expect("array", 800000 <= held < 1100000 and left < 100000, held, left)


def check_threads():
    results = [None] * 4

    def work(number):
        results[number] = floats()

    def all_of_them():
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = results[:]
        results[:] = [None] * 4
        return taken

    held, left = grown(OBJ, all_of_them)
    expect("threads", 12800000 <= held < 13400000 and left < 400000, held, left)


def forked(queue):
    queue.put(grown(OBJ, floats)[0])


def check_children():
    told = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True).stdout
    expect("a child that was started", told == "True\n", told)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=forked, args=(queue,))
    child.start()
    held = queue.get()
    child.join()
    expect("a child that was forked", 3200000 <= held < 3400000 and child.exitcode == 0, held, child.exitcode)


if __name__ == "__main__":
    check_domains()
    check_threads()
    check_children()
