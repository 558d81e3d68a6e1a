# SPDX-License-Identifier: MIT
"""json: documents of nested objects written and parsed."""
import json


def document(n):
    return {"id": n, "name": "item %d" % n, "tags": ["t%d" % (n % i) for i in range(1, 9)],
            "at": {"x": n / 3, "y": n * 1.5, "path": list(range(n % 20))}, "ok": n % 2 == 0, "none": None}


for _ in range(6):
    text = json.dumps([document(n) for n in range(4000)])
    parsed = json.loads(text)
    assert parsed[99]["id"] == 99 and len(parsed) == 4000
