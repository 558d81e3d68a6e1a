/* SPDX-License-Identifier: MIT */
#include "domain_builtin.h"

#include "checked.h"
#include "core.h"
#include "domain_count.h"
#include "domain_debug.h"
#include "options.h"

#include <errno.h>
#include <string.h>

static void *out_of_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

/* ---- Blocks --------------------------------------------------------------------------------------------------------- */

static size_t rounded(unsigned domain, size_t size)
{
	return size <= OBJECT_MAX ? round_up(size_max(size, 1), domain_multiple(domain)) : size;
}

static void *new_block(unsigned domain, size_t alignment, size_t size, bool zero)
{
	if (unlikely(debug_is_on()))
		return debug_allocate(domain, alignment, size, zero);
	if (alignment > domain_multiple(domain))
		return core_aligned(alignment, size_max(size, 1));
	size = rounded(domain, size);
	return zero ? strata_calloc(1, size) : strata_malloc(size);
}

/* What counts as the size of a block. False: it is none, and that was told. */
static bool measure(unsigned domain, const void *block, const char *function, size_t *bytes)
{
	if (unlikely(debug_is_on()))
		return debug_check(domain, block, function, bytes);
	if (unlikely(options()->check))
		return checked_measure(block, function, bytes);
	*bytes = core_public_usable(block, function);
	return *bytes != 0;
}

static void give_back(void *block)
{
	if (unlikely(debug_is_on()))
		debug_free(block);
	else
		strata_free(block);
}

void *builtin_allocate(unsigned domain, size_t alignment, size_t size, bool zero)
{
	size_t bytes;
	if (unlikely(size > PTRDIFF_MAX || (size > MEDIUM_MAX && count_refuses(domain, size))))
		return out_of_memory();
	void *block = new_block(domain, alignment, size, zero);
	if (unlikely(block == NULL || !measure(domain, block, "domain_malloc", &bytes)))
		return out_of_memory();
	if (likely(count_allocated(domain, bytes)))
		return block;
	give_back(block);
	return out_of_memory();
}

void *builtin_zeroed(unsigned domain, size_t count, size_t size)
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(count, size, &bytes)))
		return out_of_memory();
	return builtin_allocate(domain, 1, bytes, true);
}

void builtin_free(unsigned domain, void *block)
{
	size_t bytes;
	if (block == NULL || !measure(domain, block, "domain_free", &bytes))
		return;
	give_back(block);
	count_freed(domain, bytes);
}

/* How a block may grow: by what it takes, or by the quarter more that realloc would take as well. */
struct growth {
	size_t claimed; /* bytes, of a large one */
	bool has_room;
};

static bool may_grow(unsigned domain, size_t old, size_t size, struct growth *growth)
{
	*growth = (struct growth){ 0, true };
	if (size <= old || !count_is_limited(domain))
		return true;
	size_t least = core_good_size(size) - old;
	size_t most = core_good_size(core_grown_size(size, old)) - old;
	growth->has_room = count_has_room(domain, most);
	if (count_refuses(domain, least))
		return false;
	/* What no machine has is refused below. */
	if (size_max(least, most) <= (size_t)DOMAIN_BATCH || size > (size_t)1 << 60)
		return true;
	growth->claimed = most;
	if (growth->has_room && count_claim(domain, most))
		return true;
	*growth = (struct growth){ least, most == least };
	if (count_claim(domain, least))
		return true;
	count_refused(domain);
	return false;
}

static void *resize(unsigned domain, void *block, size_t old, size_t size, bool has_room)
{
	if (likely(!debug_is_on() && has_room))
		return strata_realloc(block, rounded(domain, size));
	/* The hooks move every block, so that whoever goes on using the former place is found; and there may be room for what was asked
	 * for, but not for the quarter more that realloc would take. */
	void *to = new_block(domain, 1, size, false);
	if (to == NULL)
		return NULL;
	memcpy(to, block, size_min(old, size));
	give_back(block);
	return to;
}

void *builtin_reallocate(unsigned domain, void *block, size_t size)
{
	size_t old, bytes;
	if (block == NULL)
		return builtin_allocate(domain, 1, size, false);
	if (unlikely(size > PTRDIFF_MAX))
		return out_of_memory();
	if (!measure(domain, block, "domain_realloc", &old))
		return NULL;
	struct growth growth;
	if (!may_grow(domain, old, size, &growth))
		return out_of_memory();
	void *to = resize(domain, block, old, size, growth.has_room);
	if (to == NULL || !measure(domain, to, "domain_realloc", &bytes)) {
		count_unclaim(domain, growth.claimed);
		return out_of_memory();
	}
	count_resized(domain, old, growth.claimed, bytes);
	return to;
}

/* ---- As a table ----------------------------------------------------------------------------------------------------- */

/* ctx: any distinct object for each domain, so that the functions know it. */
static char contexts[DOMAINS];

static unsigned domain_of(const void *ctx)
{
	return (unsigned)((const char *)ctx - contexts);
}

static void *table_malloc(void *ctx, size_t size)
{
	return builtin_allocate(domain_of(ctx), 1, size, false);
}

static void *table_calloc(void *ctx, size_t count, size_t size)
{
	return builtin_zeroed(domain_of(ctx), count, size);
}

static void *table_realloc(void *ctx, void *block, size_t size)
{
	return builtin_reallocate(domain_of(ctx), block, size);
}

static void table_free(void *ctx, void *block)
{
	builtin_free(domain_of(ctx), block);
}

static void *table_aligned_alloc(void *ctx, size_t alignment, size_t size)
{
	if (!is_power_of_two(alignment)) {
		errno = EINVAL;
		return NULL;
	}
	return builtin_allocate(domain_of(ctx), alignment, size, false);
}

struct strata_domain_table builtin_table(unsigned domain)
{
	return (struct strata_domain_table){ &contexts[domain], table_malloc, table_calloc, table_realloc, table_free,
					     table_aligned_alloc };
}

bool is_builtin_table(unsigned domain, const struct strata_domain_table *table)
{
	return table->malloc == table_malloc && table->ctx == &contexts[domain] && table->calloc == table_calloc &&
	       table->realloc == table_realloc && table->free == table_free;
}
