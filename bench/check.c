/* SPDX-License-Identifier: MIT */
/*
 * A block under check is filled with words that follow from its address, its first word with its size mixed with them:
 * a block that overlaps another, or that the allocator wrote into, does not read as it was filled. The size comes from
 * the block, so that loads need not keep it.
 */
#include "check.h"

#include "bench.h"

#include <string.h>

static uint64_t live, live_peak, verified;

static inline uint64_t pattern(const void *at)
{
	return (uint64_t)(uintptr_t)at * UINT64_C(0x9e3779b97f4a7c15);
}

void bench_live_add(size_t size)
{
	uint64_t now = __atomic_add_fetch(&live, size, __ATOMIC_RELAXED);
	uint64_t most = __atomic_load_n(&live_peak, __ATOMIC_RELAXED);

	while (now > most &&
	       !__atomic_compare_exchange_n(&live_peak, &most, now, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

void bench_live_sub(size_t size)
{
	__atomic_sub_fetch(&live, size, __ATOMIC_RELAXED);
	__atomic_add_fetch(&verified, 1, __ATOMIC_RELAXED);
}

void bench_fill(struct bench_thread *thread, void *block, size_t size)
{
	uint64_t word = pattern(block);
	unsigned char *at = block;
	size_t alignment = size >= 16 ? 16 : 8;

	(void)thread;
	if ((uintptr_t)block % alignment)
		bench_fail("block %p of %zu bytes is not aligned to %zu", block, size, alignment);
	for (size_t i = 8; i + 8 <= size; i += 8, word += 0x9e3779b9)
		memcpy(at + i, &word, 8);
	memset(at + size / 8 * 8, (unsigned char)size, size % 8);
	word = pattern(block) ^ size;
	memcpy(at, &word, 8);
	bench_live_add(size);
}

size_t bench_verify_moved(struct bench_thread *thread, const void *block, const void *filled_at)
{
	const unsigned char *at = block;
	uint64_t word = pattern(filled_at), found;
	size_t size;

	(void)thread;
	memcpy(&found, at, 8);
	size = (size_t)(found ^ word);
	if (size < 8 || size > (size_t)1 << 32)
		bench_fail("block %p: its start was overwritten", block);
	for (size_t i = 8; i + 8 <= size; i += 8, word += 0x9e3779b9) {
		memcpy(&found, at + i, 8);
		if (found != word)
			bench_fail("block %p of %zu bytes: overwritten at %zu", block, size, i);
	}
	for (size_t i = size / 8 * 8; i < size; i++)
		if (at[i] != (unsigned char)size)
			bench_fail("block %p of %zu bytes: overwritten at %zu", block, size, i);
	bench_live_sub(size);
	return size;
}

size_t bench_verify(struct bench_thread *thread, const void *block)
{
	return bench_verify_moved(thread, block, block);
}

uint64_t check_live(void)
{
	return __atomic_load_n(&live, __ATOMIC_RELAXED);
}

uint64_t check_live_peak(void)
{
	return __atomic_load_n(&live_peak, __ATOMIC_RELAXED);
}

uint64_t check_verified(void)
{
	return __atomic_load_n(&verified, __ATOMIC_RELAXED);
}
