/* SPDX-License-Identifier: MIT */
/* Sizes and orders, drawn before the timed part and the same in every process. */
#include "bench.h"

static uint64_t next_random(uint64_t *state)
{
	struct bench_thread drawer = {.random = *state};
	uint64_t value = bench_random(&drawer);

	*state = drawer.random;
	return value;
}

static size_t uniform(uint64_t *state, size_t low, size_t high)
{
	return low + next_random(state) % (high - low + 1);
}

/* Density falling as size^-1.5 between low and high, by inversion: size = low / (1 - u (1 - sqrt(low / high)))^2. */
static size_t powerlaw(uint64_t *state)
{
	const double low = 8, high = 65536, root = 0.011048543456039806; /* sqrt(low / high) */
	double u = (double)(next_random(state) & 0xffffffff) / 4294967296.0;
	double share = 1 - u * (1 - root);
	size_t size = (size_t)(low / (share * share));

	return size < low ? (size_t)low : size > high ? (size_t)high : size;
}

void bench_draw_sizes(enum bench_sizes sizes, size_t fixed, size_t table[BENCH_SIZES_LENGTH])
{
	uint64_t state = UINT64_C(0x853c49e6748fea9b);

	for (size_t i = 0; i < BENCH_SIZES_LENGTH; i++) {
		switch (sizes) {
		case BENCH_FIXED:
			table[i] = fixed;
			break;
		case BENCH_SMALL:
			table[i] = uniform(&state, 16, 512);
			break;
		case BENCH_POWERLAW:
			table[i] = powerlaw(&state);
			break;
		case BENCH_RUNS:
			table[i] = uniform(&state, 64 << 10, 1 << 20);
			break;
		case BENCH_LARGE:
			table[i] = uniform(&state, 1 << 20, 30 << 20);
			break;
		}
	}
}

void bench_draw_order(enum bench_order order, uint32_t *table, size_t count)
{
	uint64_t state = UINT64_C(0xda3e39cb94b95bdb);

	for (size_t i = 0; i < count; i++)
		table[i] = (uint32_t)(order == BENCH_REVERSE ? count - 1 - i : i);
	if (order != BENCH_RANDOM)
		return;
	for (size_t i = count; i > 1; i--) {
		size_t other = next_random(&state) % i;
		uint32_t kept = table[i - 1];

		table[i - 1] = table[other];
		table[other] = kept;
	}
}
