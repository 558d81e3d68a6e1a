/* SPDX-License-Identifier: MIT */
/* The accounts of all domains, typed included, as include/strata/domain.h has them. */
#include "check.h"
#include "domain_count.h"
#include "stats_copy.h"
#include "typed_tier.h"

/* What the registered types have. They keep no peak. */
static void read_typed(struct strata_domain_stats *stats)
{
	struct typed_totals totals;
	typed_sum(&totals);
	stats->live_bytes = stats->peak_bytes = totals.live_bytes;
	stats->live_blocks = totals.live_objects;
	stats->allocations = totals.hits + totals.misses;
	stats->frees = at_least_zero((int64_t)(stats->allocations - totals.live_objects));
}

STRATA_PUBLIC int strata_domain_stats_read(enum strata_domain domain, struct strata_domain_stats *out, size_t size)
{
	struct strata_domain_stats stats = { .live_bytes = 0 };
	if (domain >= STRATA_DOMAIN_COUNT)
		return EINVAL;
	if (domain < DOMAINS)
		count_read(domain, &stats);
	else
		read_typed(&stats);
	return stats_copy(out, size, &stats, sizeof stats);
}

STRATA_PUBLIC int strata_domain_reset_peak(enum strata_domain domain)
{
	if (domain >= DOMAINS)
		return EINVAL;
	count_reset_peak(domain);
	return 0;
}

void domain_stats_print(void)
{
	for (unsigned domain = 0; domain < STRATA_DOMAIN_COUNT; domain++) {
		struct strata_domain_stats stats;
		strata_domain_stats_read(domain, &stats, sizeof stats);
		if (stats.allocations > 0)
			message("domain %s: live %lu bytes in %lu blocks, peak %lu bytes, %lu allocations",
				strata_domain_name(domain), (unsigned long)stats.live_bytes,
				(unsigned long)stats.live_blocks, (unsigned long)stats.peak_bytes,
				(unsigned long)stats.allocations);
	}
}
