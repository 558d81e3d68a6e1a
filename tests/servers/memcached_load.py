#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""memcached_load.py PORT CONNECTIONS STEPS: load for a memcached that verifies every answer.

Each connection is a thread with keys and a random sequence of its own (its number is the seed), and a model of what
the server must hold, so the server needs memory enough to evict nothing (64 MB). Prints what was done; the same
arguments print the same.
"""
import random
import socket
import sys
import threading


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def line(self, command, data=None):
        message = command.encode() + b"\r\n"
        if data is not None:
            message += data + b"\r\n"
        self.socket.sendall(message)
        return self.file.readline().rstrip(b"\r\n").decode()

    def get(self, keys):
        """The values found, by key."""
        self.socket.sendall(b"get " + b" ".join(k.encode() for k in keys) + b"\r\n")
        found = {}
        while True:
            head = self.file.readline().split()
            if head == [b"END"]:
                return found
            if not head or head[0] != b"VALUE":
                raise AssertionError(f"unexpected answer to get: {head!r}")
            found[head[1].decode()] = self.file.read(int(head[3]))
            if self.file.read(2) != b"\r\n":
                raise AssertionError("value without its end")


def expect(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


def value_of(rng, size):
    word = rng.getrandbits(64).to_bytes(8, "little").hex().encode()
    return (word * (size // len(word) + 1))[:size]


class Load(threading.Thread):
    def __init__(self, port, number, steps):
        super().__init__()
        self.rng = random.Random(number)
        self.number = number
        self.steps = steps
        self.port = port
        self.model = {}
        self.counter = 0
        self.done = {}
        self.error = None

    def run(self):
        try:
            self.work()
        except BaseException as error:  # reported by the main thread
            self.error = error

    def work(self):
        client = Client(self.port)
        expect(client.line(f"set n{self.number} 0 0 1", b"0"), "STORED", "set of the counter")
        steps = [self.set, self.set, self.fetch, self.fetch, self.append, self.count, self.delete, self.big, self.touch]
        for index in range(self.steps):
            step = self.rng.choice(steps)
            self.done[step.__name__] = self.done.get(step.__name__, 0) + 1
            step(client)
            if index % 500 == 499:
                # a new connection now and then, as servers see them
                client.socket.close()
                client = Client(self.port)
        found = {}
        keys = sorted(self.model)
        for start in range(0, len(keys), 50):
            found.update(client.get(keys[start:start + 50]))
        expect(found, self.model, "everything stored, read back at the end")

    def key(self):
        return f"k{self.number}.{self.rng.randrange(400)}"

    def set(self, client):
        key = self.key()
        value = value_of(self.rng, int(2 ** self.rng.uniform(0, 12)))
        expect(client.line(f"set {key} 0 0 {len(value)}", value), "STORED", "set")
        self.model[key] = value

    def fetch(self, client):
        keys = sorted({self.key() for _ in range(self.rng.randrange(1, 20))})
        expect(client.get(keys), {k: self.model[k] for k in keys if k in self.model}, "get")

    def append(self, client):
        key = self.key()
        value = value_of(self.rng, 40)
        known = key in self.model and len(self.model[key]) < 20000
        if known:
            expect(client.line(f"append {key} 0 0 {len(value)}", value), "STORED", "append")
            self.model[key] += value

    def count(self, client):
        step = self.rng.randrange(1000)
        self.counter += step
        expect(client.line(f"incr n{self.number} {step}"), str(self.counter), "incr")

    def delete(self, client):
        key = self.key()
        expect(client.line(f"delete {key}"), "DELETED" if key in self.model else "NOT_FOUND", "delete")
        self.model.pop(key, None)

    def big(self, client):
        key = f"big{self.number}.{self.rng.randrange(30)}"
        value = value_of(self.rng, self.rng.randrange(1000, 300000))
        expect(client.line(f"set {key} 0 0 {len(value)}", value), "STORED", "set of a large value")
        expect(client.get([key]), {key: value}, "get of a large value")

    def touch(self, client):
        key = self.key()
        expect(client.line(f"touch {key} 0"), "TOUCHED" if key in self.model else "NOT_FOUND", "touch")


def main():
    port, connections, steps = (int(a) for a in sys.argv[1:4])
    loads = [Load(port, number, steps) for number in range(connections)]
    for load in loads:
        load.start()
    for load in loads:
        load.join()
    for load in loads:
        if load.error is not None:
            sys.exit(f"memcached_load.py: connection {load.number}: {type(load.error).__name__}: {load.error}"[:400])
    for load in loads:
        print(load.number, load.counter, len(load.model), sorted(load.done.items()))
    stats = Client(port)
    stats.socket.sendall(b"stats\r\n")
    lines = []
    while not lines or lines[-1] != "END":
        lines.append(stats.file.readline().decode().strip())
    print([line for line in lines if line.startswith(("STAT threads", "STAT cmd_touch", "STAT incr_hits"))])


main()
