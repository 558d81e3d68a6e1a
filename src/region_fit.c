/* SPDX-License-Identifier: MIT */
/*
 * A limit on address space that comes when the reservation is made already. What it has no room for goes: the tail of the chunks, and of
 * each array that describes them; and comes back when the limit is gone, as far as nothing else lies there by then.
 *
 * Against who makes more of it memory meanwhile: he counts himself in, then reads how far he may go; who lowers that does so first, and
 * then looks whether anybody is in. So either he is seen, or he sees the new bound. Nobody waits for ever: if there is always somebody,
 * the reservation stays as it was. docs/models/region_fit.pml goes through all interleavings, and fails without any of these steps.
 */
#include "region_fit.h"

#include "os.h"
#include "region.h"

/* ---- How much --------------------------------------------------------------------------------------------------------- */

/* Written by who fits, one at a time. 0: all of it. */
static struct extent kept;

static struct extent whole(void)
{
	return (struct extent){ region.arena_limit / CHUNK_ARENAS, region.heap_limit };
}

static size_t units_of(const struct region_part *part, struct extent extent)
{
	return part->of_heaps ? extent.heaps : extent.chunks;
}

static size_t bytes_of(const struct region_part parts[REGION_PARTS], struct extent extent)
{
	size_t bytes = 0;
	for (unsigned i = 0; i < REGION_PARTS; i++)
		bytes += parts[i].unit * units_of(&parts[i], extent);
	return bytes;
}

static struct extent extent_of(size_t chunks)
{
	struct extent all = whole(), least = region_committed();
	size_t heaps = chunks == all.chunks ? all.heaps : region_heaps_for(chunks, true);
	return (struct extent){
		.chunks = size_max(chunks, least.chunks),
		.heaps = size_min(size_max(heaps, least.heaps), all.heaps),
	};
}

/* As when it is made under a limit: a quarter of what the others leave is for what they will have. */
static struct extent wanted(const struct region_part parts[REGION_PARTS], size_t limit)
{
	size_t own = bytes_of(parts, kept);
	size_t used = os_address_space_used();
	size_t others = used > own ? used - own : 0;
	size_t room = limit > others ? (limit - others) / 4 * 3 : 0;
	size_t chunks = limit == SIZE_MAX ? whole().chunks : size_min(room / CHUNK_SIZE, whole().chunks);
	while (limit != SIZE_MAX && chunks > 1 && bytes_of(parts, extent_of(chunks)) > room &&
	       extent_of(chunks - 1).chunks == chunks - 1)
		chunks--;
	return extent_of(chunks);
}

/* ---- To it ------------------------------------------------------------------------------------------------------------ */

/* Where the part ends when so many of its units are kept, on a page of the system's. */
static char *edge(const struct region_part *part, struct extent extent)
{
	size_t page = os_page_size();
	uintptr_t end = (uintptr_t)part->start + part->unit * units_of(part, extent);
	return (char *)(units_of(part, extent) == part->whole ? end / page * page : round_up(end, page));
}

static void set_bound(struct extent extent)
{
	atomic_store(&region_most.heaps, (uint32_t)extent.heaps);
	atomic_store(&region_most.arenas, (uint32_t)(extent.chunks * CHUNK_ARENAS));
}

#define LOOKS 1000

static bool nobody_extends(void)
{
	for (int look = 0; look < LOOKS; look++) {
		uint32_t who = atomic_load(&region_most.extending);
		if (who == 0)
			return true;
		os_wait(&region_most.extending, who, 1);
	}
	return false;
}

static bool shrink(const struct region_part parts[REGION_PARTS], struct extent to)
{
	set_bound(to);
	struct extent least = nobody_extends() ? region_committed() : whole();
	if (least.chunks > to.chunks || least.heaps > to.heaps) {
		set_bound(kept);
		return false;
	}
	for (unsigned i = 0; i < REGION_PARTS; i++)
		if (edge(&parts[i], to) < edge(&parts[i], kept))
			os_release(edge(&parts[i], to), (size_t)(edge(&parts[i], kept) - edge(&parts[i], to)));
	return true;
}

static bool grow(const struct region_part parts[REGION_PARTS], struct extent to)
{
	for (unsigned i = 0; i < REGION_PARTS; i++) {
		char *from = edge(&parts[i], kept);
		if (from >= edge(&parts[i], to) || os_reserve_at(from, (size_t)(edge(&parts[i], to) - from)) == 0)
			continue;
		while (i-- > 0)
			if (edge(&parts[i], kept) < edge(&parts[i], to))
				os_release(edge(&parts[i], kept), (size_t)(edge(&parts[i], to) - edge(&parts[i], kept)));
		return false;
	}
	set_bound(to);
	return true;
}

/* What was mapped meanwhile lies at the upper end of the holes. */
static void grow_as_far(const struct region_part parts[REGION_PARTS], struct extent to)
{
	for (; to.chunks > kept.chunks; to.chunks -= (to.chunks - kept.chunks + 1) / 2, to.heaps -= (to.heaps - kept.heaps + 1) / 2)
		if (grow(parts, to)) {
			kept = to;
			return;
		}
}

static void fit(size_t limit)
{
	struct region_part parts[REGION_PARTS];
	region_list_parts(parts);
	if (kept.chunks == 0)
		kept = whole();
	struct extent to = wanted(parts, limit);
	to.heaps = to.chunks < kept.chunks ? size_min(to.heaps, kept.heaps) : size_max(to.heaps, kept.heaps);
	if (to.chunks > kept.chunks)
		grow_as_far(parts, to);
	else if (to.chunks < kept.chunks && shrink(parts, to))
		kept = to;
	else
		return;
	__atomic_store_n(&region.reserved_bytes, bytes_of(parts, kept), __ATOMIC_RELAXED);
}

/* Acquire and release: kept, from one to the next. */
static _Atomic bool fitting;

void region_fit(size_t limit)
{
	if (region_arenas() == 0 || !region_is_own() || atomic_exchange_explicit(&fitting, true, memory_order_acquire))
		return;
	fit(limit);
	atomic_store_explicit(&fitting, false, memory_order_release);
}

/* Another thread may have been in the middle of it: what is reserved is then not known, and stays. */
void region_fit_fork_child(void)
{
	region_become_own();
}
