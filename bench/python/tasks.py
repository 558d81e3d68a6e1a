# SPDX-License-Identifier: MIT
"""In place of richards: a scheduler of small tasks that pass packets, objects with slots and methods."""
from collections import deque


class Packet:
    __slots__ = ("kind", "data", "hops")

    def __init__(self, kind, data):
        self.kind, self.data, self.hops = kind, data, 0


class Task:
    def __init__(self, number, scheduler):
        self.number, self.scheduler, self.queue, self.done = number, scheduler, deque(), 0

    def step(self):
        packet = self.queue.popleft()
        packet.hops += 1
        self.done += 1
        return self.handle(packet)

    def handle(self, packet):
        if packet.hops > 20:
            return Packet(packet.kind + 1, [packet.data[0]] + packet.data[:3])
        return packet


class Worker(Task):
    def handle(self, packet):
        packet.data = [value + 1 for value in packet.data]
        return super().handle(packet)


class Scheduler:
    def __init__(self, count):
        self.tasks = [(Worker if n % 2 else Task)(n, self) for n in range(count)]

    def run(self, steps):
        for n in range(len(self.tasks) * 3):
            self.tasks[n % len(self.tasks)].queue.append(Packet(0, [n, 1, 2, 3]))
        current = 0
        for _ in range(steps):
            task = self.tasks[current % len(self.tasks)]
            current += 1
            if task.queue:
                packet = task.step()
                self.tasks[(task.number * 7 + packet.hops) % len(self.tasks)].queue.append(packet)
        return sum(task.done for task in self.tasks)


assert Scheduler(40).run(400000) > 100000
