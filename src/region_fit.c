/* SPDX-License-Identifier: MIT */
/*
 * A limit on address space that comes when the reservation is made already. What it has no room for goes: the tail of the chunks, and of
 * each array that describes them; and comes back when the limit is gone, as far as nothing else lies there by then.
 *
 * Against who makes more of it memory meanwhile: he counts himself in, then reads how far he may go; whoever lowers that does so first, and
 * then looks whether anybody is in. So either he is seen, or he sees the new bound. Nobody waits for ever: if there is always somebody,
 * the reservation stays as it was. docs/models/region_fit.pml goes through all interleavings, and fails without any of these steps.
 */
#include "region_fit.h"

#include "os.h"
#include "region.h"

#include <errno.h>

/* ---- How much --------------------------------------------------------------------------------------------------------- */

/* What is reserved, and what that is about to become: equal while nobody fits. Written by whoever does, one at a time; read by him, and by
 * the child of a fork that came in the middle of it: of what lies between the two it cannot know. What is memory lies below both. Whoever
 * fits next reads what the former wrote by the exchange of state. */
struct kept {
	_Atomic uint32_t chunks, heaps; /* 0: all of them */
};
static struct kept kept_now, kept_next;

static void set_kept(struct kept *kept, struct extent extent)
{
	atomic_store(&kept->chunks, (uint32_t)extent.chunks);
	atomic_store(&kept->heaps, (uint32_t)extent.heaps);
}

static struct extent whole(void)
{
	return (struct extent){ region.arena_limit / CHUNK_ARENAS, region.heap_limit };
}

static struct extent extent_kept(const struct kept *kept)
{
	uint32_t chunks = atomic_load(&kept->chunks), heaps = atomic_load(&kept->heaps);
	return (struct extent){ chunks != 0 ? chunks : whole().chunks, heaps != 0 ? heaps : whole().heaps };
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
static struct extent wanted(const struct region_part parts[REGION_PARTS], struct extent kept, size_t limit)
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

/* Whom one has waited for so long in vain, others do not wait for: he may be stopped for ever. */
#define WAIT_MS_MOST 1000

/* So many extend who were waited for in vain. Too many, of whom some have gone on and others begun, leave the reservation as it is once
 * more. */
static _Atomic uint32_t extending_held_up;

static bool nobody_extends(void)
{
	return os_wait_for_others(&region_most.extending, 0, &extending_held_up, WAIT_MS_MOST);
}

static void shrink(const struct region_part parts[REGION_PARTS], struct extent kept, struct extent to)
{
	set_bound(to);
	struct extent least = nobody_extends() ? region_committed() : whole();
	if (least.chunks > to.chunks || least.heaps > to.heaps) {
		set_bound(kept);
		return;
	}
	set_kept(&kept_next, to);
	for (unsigned i = 0; i < REGION_PARTS; i++)
		if (edge(&parts[i], to) < edge(&parts[i], kept))
			os_release(edge(&parts[i], to), (size_t)(edge(&parts[i], kept) - edge(&parts[i], to)));
	set_kept(&kept_now, to);
}

static int reserve_parts(const struct region_part parts[REGION_PARTS], struct extent kept, struct extent to)
{
	for (unsigned i = 0; i < REGION_PARTS; i++) {
		char *from = edge(&parts[i], kept);
		if (from >= edge(&parts[i], to) || os_reserve_at(from, (size_t)(edge(&parts[i], to) - from)) == 0)
			continue;
		while (i-- > 0)
			if (edge(&parts[i], kept) < edge(&parts[i], to))
				os_release(edge(&parts[i], kept), (size_t)(edge(&parts[i], to) - edge(&parts[i], kept)));
		return -ENOMEM;
	}
	return 0;
}

static bool grow(const struct region_part parts[REGION_PARTS], struct extent kept, struct extent to)
{
	set_kept(&kept_next, to);
	if (reserve_parts(parts, kept, to) != 0) {
		set_kept(&kept_next, kept);
		return false;
	}
	set_kept(&kept_now, to);
	set_bound(to);
	return true;
}

static struct extent midway(struct extent from, struct extent to)
{
	return (struct extent){ from.chunks + (to.chunks - from.chunks) / 2, from.heaps + (to.heaps - from.heaps) / 2 };
}

/* Something may lie in the holes by now: to the chunk below it. */
static void grow_as_far(const struct region_part parts[REGION_PARTS], struct extent kept, struct extent to)
{
	if (grow(parts, kept, to))
		return;
	for (struct extent some = midway(kept, to); some.chunks > kept.chunks; some = midway(kept, to))
		if (grow(parts, kept, some))
			kept = some;
		else
			to = some;
}

static void fit(size_t limit)
{
	struct region_part parts[REGION_PARTS];
	region_list_parts(parts);
	struct extent kept = extent_kept(&kept_now);
	struct extent to = wanted(parts, kept, limit);
	to.heaps = to.chunks < kept.chunks ? size_min(to.heaps, kept.heaps) : size_max(to.heaps, kept.heaps);
	if (to.chunks > kept.chunks)
		grow_as_far(parts, kept, to);
	else if (to.chunks < kept.chunks)
		shrink(parts, kept, to);
	else
		return;
	__atomic_store_n(&region.reserved_bytes, bytes_of(parts, extent_kept(&kept_now)), __ATOMIC_RELAXED);
}

/* ---- Who -------------------------------------------------------------------------------------------------------------- */

/* One at a time fits. Whoever finds somebody at it, or forks under way, leaves the wish and waits for his turn; if he waits in vain,
 * whoever ends fulfils it, by the limit in force then: sequentially consistent, so the limit that one has set who goes away is seen by the
 * one who stays. A fork waits for whoever fits, so that its child knows what is reserved; it may wait in vain as well.
 * docs/models/region_who.pml goes through all interleavings. Changed and read by all of these. */
#define FITS 0x80000000u
#define WISH 0x40000000u
#define FORKS 0x3fffffffu /* so many are under way */
static _Atomic uint32_t state;

/* Whoever fits was waited for in vain, and so many of those that fork: not again. Written by whoever has waited; the one is cleared by
 * whoever ends to fit, the other lowered by whoever ends to fork; and both by the child of a fork. They order nothing: too little costs one
 * wait more, too much is a wait in vain that is none. */
static _Atomic bool fitting_held_up;
static _Atomic uint32_t forks_held_up;

static bool is_worth_waiting(uint32_t now)
{
	if ((now & FITS) != 0)
		return !atomic_load(&fitting_held_up);
	return (now & FORKS) > atomic_load(&forks_held_up);
}

static void waited_in_vain(uint32_t now)
{
	if ((now & FITS) != 0)
		atomic_store(&fitting_held_up, true);
	else
		atomic_store(&forks_held_up, now & FORKS);
}

/* Whether it is this thread that fits: a signal handler that has interrupted it sets no limit and forks without waiting. */
static __thread bool own_fitting;

/* If not: the state with the wish, as it is now. */
static bool may_begin(uint32_t *now)
{
	uint32_t was = atomic_load(&state);
	do
		*now = (was & (FITS | FORKS)) != 0 ? was | WISH : FITS;
	while (!atomic_compare_exchange_weak(&state, &was, *now));
	return *now == FITS;
}

/* Whether it is to be done once more: forks that began meanwhile do it when they are through. */
static bool may_end(void)
{
	uint32_t was = atomic_load(&state);
	atomic_store(&fitting_held_up, false);
	while (!atomic_compare_exchange_weak(&state, &was, was == (FITS | WISH) ? FITS : was & ~FITS))
		;
	return was != (FITS | WISH);
}

static bool may_begin_soon(void)
{
	struct os_patience patience = os_patience(WAIT_MS_MOST);
	uint32_t now;
	while (!may_begin(&now)) {
		if (own_fitting || !is_worth_waiting(now))
			return false;
		if (!os_wait_patiently(&state, now, &patience)) {
			waited_in_vain(now);
			return false;
		}
	}
	return true;
}

/* What is in force is asked only now: an older limit would undo what another did by a newer one. */
static void fit_in_turn(const size_t *limit)
{
	if (region_arenas() == 0 || !region_is_own() || !may_begin_soon())
		return;
	own_fitting = true;
	fit(limit != NULL ? *limit : os_address_limit());
	while (!may_end())
		fit(os_address_limit());
	own_fitting = false;
}

void region_fit(size_t limit)
{
	fit_in_turn(&limit);
}

void region_fit_to_limit(void)
{
	fit_in_turn(NULL);
}

/* ---- Fork ------------------------------------------------------------------------------------------------------------- */

void region_fit_before_fork(void)
{
	struct os_patience patience = os_patience(WAIT_MS_MOST);
	uint32_t now = atomic_fetch_add(&state, 1) + 1;
	for (; (now & FITS) != 0 && !own_fitting && is_worth_waiting(now); now = atomic_load(&state))
		if (!os_wait_patiently(&state, now, &patience))
			waited_in_vain(now);
}

void region_fit_after_fork_in_parent(void)
{
	uint32_t now = atomic_fetch_sub(&state, 1) - 1;
	if (atomic_load(&forks_held_up) > (now & FORKS))
		atomic_store(&forks_held_up, now & FORKS);
	if (now == WISH)
		region_fit_to_limit();
}

/* Another thread that was in the middle of it all the same: what it was about to give up, or had just taken, stays as it is. */
static void forget_what_is_in_doubt(void)
{
	struct extent now = extent_kept(&kept_now), next = extent_kept(&kept_next);
	struct extent least = { size_min(now.chunks, next.chunks), size_min(now.heaps, next.heaps) };
	set_kept(&kept_now, least);
	set_kept(&kept_next, least);
	set_bound(least);
	struct region_part parts[REGION_PARTS];
	region_list_parts(parts);
	__atomic_store_n(&region.reserved_bytes, bytes_of(parts, least), __ATOMIC_RELAXED);
}

/* A thread that the child does not have may have made room for a limit that it did not set any more, or the other way round. */
void region_fit_after_fork_in_child(void)
{
	region_become_own();
	os_moves_after_fork_in_child();
	uint32_t was = atomic_load(&state);
	own_fitting = own_fitting && (was & FITS) != 0;
	atomic_store(&state, own_fitting ? was & (FITS | WISH) : 0);
	atomic_store(&fitting_held_up, false);
	atomic_store(&forks_held_up, 0);
	atomic_store(&extending_held_up, 0);
	if (own_fitting)
		return;
	if ((was & FITS) != 0)
		forget_what_is_in_doubt();
	if ((was & (FITS | WISH)) != 0 || extent_kept(&kept_now).chunks != whole().chunks)
		region_fit_to_limit();
}
