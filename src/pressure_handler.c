/* SPDX-License-Identifier: MIT */
#include "pressure_handler.h"

#include "arena_count.h"
#include "options.h"
#include "thread.h"

#include <errno.h>

static _Atomic(struct strata_pressure_handler *) handler;
static __thread bool in_handler;

/* Acquire: what the program wrote into the structure; partner: the release in strata_on_pressure. */
bool handler_call(enum strata_pressure what)
{
	struct strata_pressure_handler *called = atomic_load_explicit(&handler, memory_order_acquire);
	if (called == NULL || in_handler)
		return false;
	int saved_errno = errno;
	bool trial = thread_self.trial;
	bool paused = thread_self.sample_paused;
	in_handler = true;
	thread_self.trial = false;
	thread_self.sample_paused = false;
	called->call(called, what, arena_count_costly() * PAGE_SIZE);
	thread_self.sample_paused = paused;
	thread_self.trial = trial;
	in_handler = false;
	errno = saved_errno;
	return true;
}

static bool may_call(void)
{
	return atomic_load_explicit(&handler, memory_order_relaxed) != NULL && !in_handler;
}

/* The soft limit, in pages, that was passed and the handler was told of; 0: none. Written and read by all, relaxed: who puts a limit there
 * tells. It is forgotten when use has fallen, when the limit is another, and with the handler. */
static _Atomic int64_t told_of;

static int64_t forget_if_fallen(int64_t soft, int64_t cost)
{
	int64_t told = atomic_load_explicit(&told_of, memory_order_relaxed);
	if (told != 0 && (told != soft || cost < soft - soft / 16) &&
	    atomic_compare_exchange_strong_explicit(&told_of, &told, 0, memory_order_relaxed, memory_order_relaxed))
		return 0;
	return told;
}

static int64_t soft_limit_pages(void)
{
	return (int64_t)(options()->limit_soft_bytes / PAGE_SIZE);
}

void soft_limit_check_fallen(void)
{
	if (atomic_load_explicit(&told_of, memory_order_relaxed) != 0)
		forget_if_fallen(soft_limit_pages(), (int64_t)arena_count_costly());
}

void soft_limit_check(void)
{
	int64_t soft = soft_limit_pages();
	int64_t cost = (int64_t)arena_count_costly();
	int64_t told = forget_if_fallen(soft, cost);
	if (told == 0 && soft != 0 && cost > soft && may_call() &&
	    atomic_compare_exchange_strong_explicit(&told_of, &told, soft, memory_order_relaxed, memory_order_relaxed))
		handler_call(STRATA_PRESSURE_SOFT);
}

STRATA_PUBLIC struct strata_pressure_handler *strata_on_pressure(struct strata_pressure_handler *next)
{
	struct strata_pressure_handler *former = atomic_exchange_explicit(&handler, next, memory_order_acq_rel);
	atomic_store_explicit(&told_of, 0, memory_order_relaxed);
	return former;
}
