# SPDX-License-Identifier: MIT
"""n-body: floats made and dropped, five bodies that attract each other."""
bodies = [[float(i), i * 0.7 + 1, -i * 0.3, 0.0, 0.01 * i, 0.0, 1.0 / (i + 1)] for i in range(5)]
pairs = [(a, b) for i, a in enumerate(bodies) for b in bodies[i + 1:]]
for _ in range(30000):
    for a, b in pairs:
        dx, dy, dz = a[0] - b[0], a[1] - b[1], a[2] - b[2]
        pull = 0.0001 / ((dx * dx + dy * dy + dz * dz + 0.01) ** 1.5)
        a[3] -= dx * b[6] * pull
        a[4] -= dy * b[6] * pull
        a[5] -= dz * b[6] * pull
        b[3] += dx * a[6] * pull
        b[4] += dy * a[6] * pull
        b[5] += dz * a[6] * pull
    for body in bodies:
        body[0] += 0.0001 * body[3]
        body[1] += 0.0001 * body[4]
        body[2] += 0.0001 * body[5]
