/* SPDX-License-Identifier: MIT */
/*
 * What glibc's programs ask malloc about, answered for strata's heap, without stopping any thread.
 */
#ifndef STRATA_NO_MALLOC

#define _GNU_SOURCE
#include "libc_names.h"
#include "limit.h"
#include "run_count.h"
#include "stats.h"
#include "stats_copy.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>

/* Of runs there are more under check:1, which are kept back and not live. */
static uint64_t live_run_bytes(const struct strata_stats *stats)
{
	return size_min(stats->run_bytes, stats->live_bytes);
}

static uint64_t live_run_blocks(const struct strata_stats *stats)
{
	return size_min(run_count().blocks, stats->live_blocks);
}

STRATA_PUBLIC struct mallinfo2 mallinfo2(void)
{
	struct strata_stats stats;
	strata_stats_read(&stats, sizeof stats);
	uint64_t live_runs = live_run_bytes(&stats);
	return (struct mallinfo2){
		.arena = at_least_zero((int64_t)(stats.heap_bytes - stats.run_bytes)),
		/* glibc counts free chunks; blocks here are free by the page. */
		.ordblks = (stats.cached_bytes + stats.pooled_bytes + stats.free_bytes) / PAGE_SIZE,
		.hblks = live_run_blocks(&stats),
		.hblkhd = live_runs,
		.uordblks = stats.live_bytes - live_runs,
		.fordblks = at_least_zero((int64_t)(stats.heap_bytes - stats.live_bytes)),
		.keepcost = stats.free_bytes,
	};
}

static int clamp(size_t value)
{
	return value > INT_MAX ? INT_MAX : (int)value;
}

/* The old interface has fields of type int: they stop at INT_MAX rather than wrap around. */
STRATA_PUBLIC struct mallinfo mallinfo(void)
{
	struct mallinfo2 info = mallinfo2();
	return (struct mallinfo){
		.arena = clamp(info.arena),
		.ordblks = clamp(info.ordblks),
		.hblks = clamp(info.hblks),
		.hblkhd = clamp(info.hblkhd),
		.uordblks = clamp(info.uordblks),
		.fordblks = clamp(info.fordblks),
		.keepcost = clamp(info.keepcost),
	};
}

STRATA_PUBLIC int malloc_trim(size_t pad)
{
	(void)pad;
	return limit_trim() > 0;
}

STRATA_PUBLIC void malloc_stats(void)
{
	stats_print();
}

/* No parameter of glibc's malloc has a meaning here; programs that set one are told that it was taken. */
STRATA_PUBLIC int mallopt(int parameter, int value)
{
	(void)parameter;
	(void)value;
	return 1;
}

static void print_classes(const struct heap_sums *sums, FILE *stream)
{
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		const struct class_stats *stats = &sums->classes[class];
		if (stats->out != 0)
			fprintf(stream, "<class size=\"%u\" out=\"%llu\" cached=\"%llu\"/>\n", size_classes[class].size,
				(unsigned long long)stats->out, (unsigned long long)stats->cached);
	}
}

static void print_total(FILE *stream, const char *type, unsigned long long count, unsigned long long size)
{
	fprintf(stream, "<total type=\"%s\" count=\"%llu\" size=\"%llu\"/>\n", type, count, size);
}

STRATA_PUBLIC int malloc_info(int options, FILE *stream)
{
	struct strata_stats stats;
	struct heap_sums sums;
	if (options != 0) {
		errno = EINVAL;
		return EINVAL;
	}
	strata_stats_read(&stats, sizeof stats);
	stats_sum(&sums);
	fprintf(stream, "<malloc version=\"strata-" PACKAGE_VERSION "\">\n<heap nr=\"0\">\n<sizes>\n");
	print_classes(&sums, stream);
	fprintf(stream, "</sizes>\n</heap>\n");
	print_total(stream, "live", stats.live_blocks, stats.live_bytes);
	print_total(stream, "cached", 0, stats.cached_bytes);
	print_total(stream, "rest", 0, stats.pooled_bytes + stats.free_bytes);
	print_total(stream, "mmap", live_run_blocks(&stats), live_run_bytes(&stats));
	fprintf(stream, "<system type=\"current\" size=\"%llu\"/>\n", (unsigned long long)stats.heap_bytes);
	fprintf(stream, "<system type=\"metadata\" size=\"%llu\"/>\n", (unsigned long long)stats.metadata_bytes);
	fprintf(stream, "<aspace type=\"total\" size=\"%llu\"/>\n</malloc>\n", (unsigned long long)stats.reserved_bytes);
	return 0;
}

#endif
