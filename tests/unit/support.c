/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define PATTERN_STEP UINT64_C(0x9e3779b97f4a7c15)
#define END_BYTES (4 * KIB)

static uint64_t pattern_first(uint64_t seed)
{
	return (seed + 1) * UINT64_C(0xbf58476d1ce4e5b9);
}

void pattern_write(void *block, size_t size, uint64_t seed)
{
	unsigned char *at = block;
	uint64_t word = pattern_first(seed);

	for (; size >= sizeof word; size -= sizeof word, at += sizeof word, word += PATTERN_STEP)
		memcpy(at, &word, sizeof word);
	memcpy(at, &word, size);
}

bool pattern_holds(const void *block, size_t size, uint64_t seed)
{
	const unsigned char *at = block;
	uint64_t word = pattern_first(seed), found, differ = 0;

	for (; size >= sizeof word; size -= sizeof word, at += sizeof word, word += PATTERN_STEP) {
		memcpy(&found, at, sizeof found);
		differ |= found ^ word;
	}
	return differ == 0 && memcmp(at, &word, size) == 0;
}

void pattern_write_ends(void *block, size_t size, uint64_t seed)
{
	if (size <= 2 * END_BYTES) {
		pattern_write(block, size, seed);
		return;
	}
	pattern_write(block, END_BYTES, seed);
	pattern_write((char *)block + size - END_BYTES, END_BYTES, ~seed);
}

bool pattern_ends_hold(const void *block, size_t size, uint64_t seed)
{
	if (size <= 2 * END_BYTES)
		return pattern_holds(block, size, seed);
	return pattern_holds(block, END_BYTES, seed) &&
	       pattern_holds((const char *)block + size - END_BYTES, END_BYTES, ~seed);
}

bool all_zero(const void *block, size_t size)
{
	const unsigned char *at = block;

	return size == 0 || (at[0] == 0 && memcmp(at, at + 1, size - 1) == 0);
}

void shuffle(void **pointers, size_t count)
{
	uint64_t state = 1;

	for (size_t i = count; i > 1; i--) {
		size_t other = random_below(&state, i);
		void *pointer = pointers[i - 1];

		pointers[i - 1] = pointers[other];
		pointers[other] = pointer;
	}
}

size_t random_size(uint64_t *state, size_t limit)
{
	uint64_t bits = random_next(state);
	size_t base = 8;

	/* 154 of 256: 0.6. A doubling uses 8 bits up; the state gives more when they are gone. */
	for (unsigned used = 0; base < limit && (bits & 0xff) < 154; base *= 2, bits >>= 8)
		if (++used % 7 == 0)
			bits = random_next(state);
	base += random_below(state, base);
	return base < limit ? base : limit;
}

static int compare_sizes(const void *left, const void *right)
{
	size_t a = *(const size_t *)left, b = *(const size_t *)right;

	return (a > b) - (a < b);
}

/* qsort may allocate: glibc's does for more than a page or so. Before the first test that is harmless. */
static size_t sort_sizes(size_t *sizes, size_t count)
{
	size_t kept = 0;

	qsort(sizes, count, sizeof *sizes, compare_sizes);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || sizes[kept - 1] != sizes[i])
			sizes[kept++] = sizes[i];
	return kept;
}

/* As the design fixes the classes; not asked of the library, which is what is tested. */
static size_t class_step(size_t size)
{
	size_t doubling = 512;

	while (doubling * 2 <= size)
		doubling *= 2;
	return doubling < 4096 ? doubling / 8 : doubling / 4;
}

size_t interesting_sizes(const size_t **out)
{
	static size_t sizes[4096];
	static size_t count;

	if (count == 0) {
		for (size_t size = 0; size <= 1100; size++)
			sizes[count++] = size;
		for (size_t size = OBJECT_MAX; size <= MEDIUM_MAX; size += class_step(size))
			for (size_t near = size - 1; near <= size + 1; near++)
				sizes[count++] = near;
		for (size_t pages = 16; pages <= 512; pages += pages < 32 ? 1 : pages / 8)
			for (size_t near = pages * 4096 - 1; near <= pages * 4096 + 1; near++)
				sizes[count++] = near;
		for (size_t size = 2 * MIB; size <= 64 * MIB; size *= 2)
			for (size_t near = size - 1; near <= size + 1; near++)
				sizes[count++] = near;
		sizes[count++] = 3 * MIB + 12345;
		sizes[count++] = 17 * MIB + 7;
		count = sort_sizes(sizes, count);
	}
	*out = sizes;
	return count;
}

/* 0: there is none. */
static size_t value_in(const char *path, const char *name)
{
	char text[4096];
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
	const char *line;

	if (file >= 0)
		close(file);
	text[length < 0 ? 0 : length] = '\0';
	line = strstr(text, name);
	return line == NULL ? 0 : strtoul(line + strlen(name), NULL, 10);
}

size_t resident_bytes(void)
{
	/* Counted, where the other is a sum of what each thread, or processor, may be a little behind with. */
	size_t kib = value_in("/proc/self/smaps_rollup", "\nRss:");

	if (kib == 0)
		kib = value_in("/proc/self/status", "\nVmRSS:");
	if (kib == 0)
		fatal("no VmRSS in /proc/self/status");
	return kib * KIB;
}

struct strata_stats totals(void)
{
	struct strata_stats stats;

	if (strata_stats_read(&stats, sizeof stats) != 0)
		fatal("no statistics");
	return stats;
}

int set_number(const char *name, uint64_t number)
{
	struct strata_option option;
	int error = strata_option_get(name, &option);

	if (error != 0)
		return error;
	option.number = number;
	return strata_option_set(name, &option);
}

void set_decay(uint64_t ms)
{
	if (set_number("decay_ms", ms) != 0)
		fatal("decay_ms:%llu refused", (unsigned long long)ms);
}

bool comes(bool (*is_there)(size_t bound), size_t bound, const char *what)
{
	struct timespec begun, now;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (size_t looks = 0; !is_there(bound); looks++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - begun.tv_sec > 120 && looks > 20000) {
			fprintf(stderr, "awaited for two minutes and 20000 looks, and not come: %s (%zu)\n", what, bound);
			return false;
		}
		usleep(2000);
	}
	return true;
}

bool checked_mode(void)
{
	const char *options = getenv("STRATA_OPTIONS");

	return options != NULL && strstr(options, "check:1") != NULL;
}

void leave_out_the_container(char *const *argv)
{
	const char *options = getenv("STRATA_OPTIONS");
	char changed[512];

	if (options == NULL)
		options = "";
	if (strstr(options, "cgroup:off") != NULL)
		return;
	snprintf(changed, sizeof changed, "%s%scgroup:off", options, *options != '\0' ? "," : "");
	setenv("STRATA_OPTIONS", changed, 1);
	execv("/proc/self/exe", argv);
	fatal("the program cannot be begun again");
}

static const void *object_of(void *function)
{
	Dl_info info;

	return dladdr(function, &info) != 0 ? info.dli_fbase : NULL;
}

void require_strata_serves_malloc(void)
{
	struct strata_stats before;
	void *block;

	/* The one function lives in the object of the other, and a block of the one is counted by the other. */
	if (object_of((void *)(uintptr_t)malloc) != object_of((void *)(uintptr_t)strata_malloc))
		fatal("malloc is not strata's");
	before = totals();
	block = malloc(opaque(100));
	if (block == NULL || strata_usable_size(block) < 100 || totals().live_blocks != before.live_blocks + 1)
		fatal("malloc is not served by strata");
	free(block);
}

void fatal(const char *format, ...)
{
	char line[512];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof line - 1, format, arguments);
	va_end(arguments);
	if (length > (int)sizeof line - 2)
		length = (int)sizeof line - 2;
	line[length] = '\n';
	if (write(STDERR_FILENO, line, (size_t)length + 1) < 0)
		abort();
	abort();
}

size_t beyond_the_machine(void)
{
	FILE *file = fopen("/proc/sys/vm/overcommit_memory", "r");
	struct sysinfo machine;
	int mode = -1;

	if (file != NULL && fscanf(file, "%d", &mode) != 1)
		mode = -1;
	if (file != NULL)
		fclose(file);
	return mode == 0 && sysinfo(&machine) == 0 ? (machine.totalram + machine.totalswap) * machine.mem_unit + 64 * MIB : 0;
}
