/* SPDX-License-Identifier: MIT */
/*
 * include/strata/domain.h: the calls. The fast path is that of strata_malloc and strata_free, counted in the thread's record.
 * A route of 0 makes of every size the class 0, whose bin is always empty, so that allocating takes no test for tables of a
 * user's own, for debug hooks, nor for a thread without a record.
 */
#include "domain_builtin.h"

#include "domain_count.h"
#include "domain_table.h"
#include "fast.h"

#include <errno.h>
#include <string.h>

STRATA_PUBLIC const char *strata_domain_name(enum strata_domain domain)
{
	static const char *const names[STRATA_DOMAIN_COUNT] = { "raw", "mem", "obj", "buf", "typed" };
	return domain < STRATA_DOMAIN_COUNT ? names[domain] : NULL;
}

static void *fail(int error)
{
	errno = error;
	return NULL;
}

/* ---- Slow paths: a user's table, or the built-in one whose bin is empty --------------------------------------------- */

static STRATA_NOINLINE void *malloc_slow(size_t domain, size_t size)
{
	if (unlikely(domain >= DOMAINS))
		return fail(EINVAL);
	const struct strata_domain_table *table = table_enter((unsigned)domain);
	if (likely(table == NULL))
		return builtin_allocate((unsigned)domain, 1, size, false);
	void *block = table->malloc(table->ctx, size);
	table_leave();
	return block;
}

static STRATA_NOINLINE void *calloc_slow(size_t domain, size_t count, size_t size)
{
	if (unlikely(domain >= DOMAINS))
		return fail(EINVAL);
	const struct strata_domain_table *table = table_enter((unsigned)domain);
	if (likely(table == NULL))
		return builtin_zeroed((unsigned)domain, count, size);
	void *block = table->calloc(table->ctx, count, size);
	table_leave();
	return block;
}

static STRATA_NOINLINE void free_slow(size_t domain, void *block)
{
	if (unlikely(domain >= DOMAINS))
		return;
	const struct strata_domain_table *table = table_enter((unsigned)domain);
	if (likely(table == NULL)) {
		builtin_free((unsigned)domain, block);
		return;
	}
	table->free(table->ctx, block);
	table_leave();
}

/* The thread's credit is used up: either of these reports. */
static STRATA_NOINLINE void *allocated(void *block, size_t domain, size_t bytes)
{
	if (likely(count_report_allocated(thread_fast.record, (unsigned)domain, bytes)))
		return block;
	strata_free(block);
	return fail(ENOMEM);
}

static STRATA_NOINLINE void freed(size_t domain, void *block)
{
	strata_free(block);
	count_report_freed(thread_fast.record, (unsigned)domain);
}

/* ---- Fast paths ----------------------------------------------------------------------------------------------------- */

static inline void *none(size_t size)
{
	(void)size;
	return NULL;
}

STRATA_FAST void *count_fast(struct domain_record *record, size_t index, void *block, size_t bytes)
{
	forget(index);
	owner_add(record->allocations[index], 1);
	forget(index);
	owner_add(record->allocate_credit[index], -(int64_t)bytes);
	if (unlikely(record->allocate_credit[index] < 0))
		return allocated(block, index, bytes);
	return block;
}

STRATA_FAST size_t route(const struct domain_record *record, size_t index)
{
	return racy_read(record->round[index]);
}

STRATA_FAST size_t most_code(const struct domain_record *record, size_t index)
{
	return racy_read(record->most_code[index]);
}

static STRATA_NOINLINE void *malloc_medium(size_t index, size_t size)
{
	struct domain_record *record = thread_fast.record;
	if (unlikely(size > MEDIUM_MAX || route(record, index) == 0))
		return malloc_slow(index, size);
	size_t code = medium_code(size);
	void *block = fast_allocate(size, code, none);
	if (unlikely(block == NULL))
		return malloc_slow(index, size);
	return count_fast(record, index, block, bytes_of_code(code));
}

STRATA_PUBLIC void *strata_domain_malloc(enum strata_domain domain, size_t size)
{
	size_t index = (unsigned)domain % ROUTES;
	if (unlikely(size > OBJECT_MAX))
		return malloc_medium(index, size);
	struct domain_record *record = thread_fast.record;
	size_t bytes = -(-size & route(record, index));
	void *block = bin_pop(thread_fast.heap, bin_of_object(thread_fast.heap, bytes));
	if (unlikely(block == NULL))
		return malloc_slow(index, size);
	return count_fast(record, index, block, bytes);
}

STRATA_PUBLIC void *strata_domain_calloc(enum strata_domain domain, size_t count, size_t size)
{
	size_t bytes;
	size_t index = (unsigned)domain % ROUTES;
	if (unlikely(__builtin_mul_overflow(count, size, &bytes) || bytes > CLEARED_MAX ||
		     route(thread_fast.record, index) == 0))
		return calloc_slow(index, count, size);
	void *block = strata_domain_malloc(domain, bytes);
	return block != NULL ? memset(block, 0, bytes) : NULL;
}

/* The route says up to which code a block is freed here: none where the built-in table is not in force. */
STRATA_PUBLIC void strata_domain_free(enum strata_domain domain, void *block)
{
	struct domain_record *record = thread_fast.record;
	struct heap *heap = thread_fast.heap;
	size_t index = (unsigned)domain % ROUTES;
	size_t code;
	if (unlikely(!fast_code(heap, block, &code) || code > most_code(record, index))) {
		free_slow(index, block);
		return;
	}
	owner_add(record->frees[index], 1);
	owner_add(record->free_credit[index], -(int64_t)bytes_of_code(code));
	if (unlikely(record->free_credit[index] < 0)) {
		freed(index, block);
		return;
	}
	fast_push(heap, block, code);
}

/* ---- Seldom called -------------------------------------------------------------------------------------------------- */

STRATA_PUBLIC void *strata_domain_realloc(enum strata_domain domain, void *block, size_t size)
{
	if (unlikely(domain >= DOMAINS))
		return fail(EINVAL);
	const struct strata_domain_table *table = table_enter(domain);
	if (likely(table == NULL))
		return builtin_reallocate(domain, block, size);
	void *resized = table->realloc(table->ctx, block, size);
	table_leave();
	return resized;
}

/* A table without aligned_alloc has malloc's alignment where the size is a multiple of it. */
static void *table_aligned(const struct strata_domain_table *table, size_t alignment, size_t size)
{
	if (table->aligned_alloc != NULL)
		return table->aligned_alloc(table->ctx, alignment, size);
	if (alignment > 16)
		return fail(ENOTSUP);
	if (size > PTRDIFF_MAX)
		return fail(ENOMEM);
	return table->malloc(table->ctx, round_up(size_max(size, 1), alignment));
}

STRATA_PUBLIC void *strata_domain_aligned_alloc(enum strata_domain domain, size_t alignment, size_t size)
{
	if (domain >= DOMAINS || !is_power_of_two(alignment))
		return fail(EINVAL);
	const struct strata_domain_table *table = table_enter(domain);
	if (likely(table == NULL))
		return builtin_allocate(domain, alignment, size, false);
	void *block = table_aligned(table, alignment, size);
	table_leave();
	return block;
}
