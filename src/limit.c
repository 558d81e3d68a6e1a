/* SPDX-License-Identifier: MIT */
#include "limit.h"

#include "arena_count.h"
#include "decay.h"
#include "emergency.h"
#include "heap.h"
#include "profile.h"
#include "trim.h"

void limit_check(void)
{
	if (others_read(region_span) == 0)
		return;
	soft_limit_check();
	emergency_check();
}

/* From then on heaps owe nothing, but for one that somebody is in just now: it is flushed at its owner's next slow call. */
void limit_changed(void)
{
	if (others_read(region_span) != 0 && arena_is_limited())
		heap_flush_accounts();
	limit_check();
}

size_t limit_trim(void)
{
	size_t bytes = trim_all(CALLBACKS_MAY_RUN);
	limit_after_free();
	return bytes;
}

size_t limit_maintain(enum typed_callbacks callbacks)
{
	size_t bytes = typed_maintain(callbacks) + decay_step();
	profile_write_if_wanted();
	limit_after_free();
	return bytes;
}
