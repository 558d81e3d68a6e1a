# SPDX-License-Identifier: MIT
"""pickle: objects with attributes, lists and dicts there and back."""
import pickle


class Record:
    def __init__(self, n):
        self.n, self.name, self.items, self.table = n, "record %d" % n, list(range(n % 15)), {"a": n, "b": (n, n / 7)}


for protocol in (2, 4, 5, 5, 5):
    records = [Record(n) for n in range(9000)]
    back = pickle.loads(pickle.dumps(records, protocol))
    assert back[77].table["b"][0] == 77 and len(back) == 9000
