/* SPDX-License-Identifier: MIT */
#include "heap.h"

#include "arena_count.h"
#include "bin.h"
#include "check.h"
#include "claim.h"
#include "decay.h"
#include "fork.h"
#include "options.h"
#include "pool.h"
#include "region.h"
#include "remote.h"
#include "walk.h"

#include <errno.h>
#include <string.h>

struct heap empty_heap = { .tag = TAG_CLOSED };

/* ---- The registry --------------------------------------------------------------------------------------------------- */

static _Atomic uint32_t heaps_created;

uint32_t heap_count(void)
{
	return atomic_load_explicit(&heaps_created, memory_order_acquire);
}

/* Heaps without a thread, a stack: the number of the first in the low half; in the high half a tag that every change
 * increments, so that a pop which was overtaken by pops and pushes of the same heap fails. 2^32 changes in the middle of one
 * pop would be needed to deceive it. next_dead of a popped heap may be read by others at any time: heaps are type-stable.
 * Spares are kept apart, so that none becomes a thread's for good (fork.h). */
typedef _Atomic uint64_t heap_stack;
static heap_stack dead_stack;
static heap_stack spare_stack;

static heap_stack *stack_of(const struct heap *heap)
{
	return heap->spare ? &spare_stack : &dead_stack;
}

static void dead_push(struct heap *heap)
{
	heap_stack *stack = stack_of(heap);
	uint64_t top = atomic_load(stack);
	uint64_t pushed;
	do {
		atomic_store_explicit(&heap->next_dead, (uint32_t)top, memory_order_relaxed);
		pushed = ((top >> 32) + 1) << 32 | heap->number;
	} while (!atomic_compare_exchange_weak(stack, &top, pushed));
}

static struct heap *dead_pop(heap_stack *stack)
{
	uint64_t top = atomic_load(stack);
	uint64_t popped;
	struct heap *heap;
	do {
		if ((uint32_t)top == 0)
			return NULL;
		heap = heap_at((uint32_t)top);
		popped = ((top >> 32) + 1) << 32 | atomic_load_explicit(&heap->next_dead, memory_order_relaxed);
	} while (!atomic_compare_exchange_weak(stack, &top, popped));
	return heap;
}

void heap_forget_dead(void)
{
	atomic_store(&dead_stack, 0);
	atomic_store(&spare_stack, 0);
}

void heap_bury(struct heap *heap)
{
	atomic_store(&heap->state, HEAP_DEAD);
	dead_push(heap);
}

bool heap_try_lock(struct heap *heap)
{
	uint32_t nobody = 0;
	return atomic_load_explicit(&heap->busy, memory_order_relaxed) == 0 &&
	       atomic_compare_exchange_strong_explicit(&heap->busy, &nobody, 1, memory_order_acquire, memory_order_relaxed);
}

/* A heap whose owner is forking is as it was to the child if nobody changes it. */
bool heap_try_lock_other(struct heap *heap)
{
	if (!heap_try_lock(heap))
		return false;
	if (likely(heap->claimed != CLAIM_BARRED))
		return true;
	atomic_store_explicit(&heap->busy, 0, memory_order_release);
	return false;
}

void heap_unlock(struct heap *heap)
{
	pool_settle(heap, false);
	atomic_store_explicit(&heap->busy, 0, memory_order_release);
}

/* ---- Limits --------------------------------------------------------------------------------------------------------- */

/* Most bytes in one bin. The limit starts at a page's worth and doubles, each time it is met, up to here. A deep stack of
 * small blocks that were freed at random is slower than bringing them home: each pop waits for a line from far away, while
 * a pool is refilled in the order of its addresses. */
static size_t bin_bytes(unsigned class)
{
	return (size_t)(class <= OBJECT_CLASSES ? 512 : 4096) << 10;
}

static int32_t first_limit(unsigned class)
{
	return (int32_t)(PAGE_SIZE / size_classes[class].size);
}

/* Doubling, from one block on. */
static int32_t next_step(int32_t limit)
{
	return limit > 0 ? limit : 1;
}

/* Sum of limit_bytes over the heaps: what all bins together may hold above a page's worth each. Changed when a limit changes,
 * which is seldom. */
static _Atomic int64_t all_limits STRATA_ALIGNED(CACHE_LINE);

static void raise_limit(struct heap *heap, unsigned class, int32_t by)
{
	struct bin *bin = &heap->bins[class];
	int64_t bytes = (int64_t)by * size_classes[class].size;
	owner_add(bin->limit, by);
	owner_add(bin->credit, by);
	heap->limit_bytes += (uint64_t)bytes;
	atomic_fetch_add_explicit(&all_limits, bytes, memory_order_relaxed);
}

/* With empty bins: every class begins anew. */
static void reset_limits(struct heap *heap)
{
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		owner_set(heap->bins[class].limit, first_limit(class));
		owner_set(heap->bins[class].credit, first_limit(class));
	}
	atomic_fetch_sub_explicit(&all_limits, (int64_t)heap->limit_bytes, memory_order_relaxed);
	heap->limit_bytes = 0;
}

/* All threads' caches may take an eighth of what is in use, where that is more than the setting. */
static size_t all_limits_most(void)
{
	return size_max(options()->cache_all_bytes, arena_count().used_pages * PAGE_SIZE / 8);
}

void heap_forget_limits(struct heap *heap)
{
	atomic_fetch_sub_explicit(&all_limits, (int64_t)heap->limit_bytes, memory_order_relaxed);
	heap->limit_bytes = 0;
}

void heap_renew_limits(struct heap *heap)
{
	int64_t bytes = 0;
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		struct bin *bin = &heap->bins[class];
		int32_t count = (int32_t)bin_count(bin);
		int32_t limit = count > first_limit(class) ? count : first_limit(class);
		owner_set(bin->credit, limit - count);
		owner_set(bin->limit, limit);
		bytes += (int64_t)(limit - first_limit(class)) * size_classes[class].size;
	}
	atomic_fetch_add_explicit(&all_limits, bytes - (int64_t)heap->limit_bytes, memory_order_relaxed);
	heap->limit_bytes = (uint64_t)bytes;
}

static bool may_double(const struct heap *heap, unsigned class)
{
	size_t bytes = (size_t)next_step(heap->bins[class].limit) * size_classes[class].size;
	size_t all = (size_t)atomic_load_explicit(&all_limits, memory_order_relaxed);
	return 2 * bytes <= bin_bytes(class) && heap->limit_bytes + bytes <= options()->cache_bytes &&
	       all + bytes <= all_limits_most();
}

/* ---- A heap's beginning and end ------------------------------------------------------------------------------------- */

static void initialise(struct heap *heap, uint32_t number)
{
	heap->number = number;
	owner_set(heap->tag, heap_tag(heap));
	heap->reserve_step = 1;
	for (unsigned class = 1; class < CLASS_COUNT; class++)
		heap->pools[class] = (struct pool_list){ NO_PAGE, NO_PAGE };
	reset_limits(heap);
	atomic_store(&heap->state, HEAP_LIVE);
}

static struct heap *create(bool spare)
{
	uint32_t count = heap_count();
	struct heap *heap;
	do {
		if (region_extend_heaps(count + 1) != 0)
			return NULL;
		heap = heap_at(count + 1);
	} while (!atomic_compare_exchange_strong(&heaps_created, &count, count + 1));
	heap->spare = spare;
	initialise(heap, count + 1);
	return heap;
}

static bool try_revive(struct heap *heap)
{
	if (!heap_try_lock(heap))
		return false;
	heap_settle_dead(heap);
	claim_allow(heap);
	owner_add(heap->slow_calls, 1);
	atomic_store(&heap->state, HEAP_LIVE);
	heap_unlock(heap);
	return true;
}

/* Takes a dead heap, unless somebody is in each of the first few. Ghosts are dropped. */
static struct heap *revive(heap_stack *stack)
{
	struct heap *passed[4];
	unsigned count = 0;
	struct heap *heap;
	while ((heap = dead_pop(stack)) != NULL) {
		bool dead = atomic_load(&heap->state) == HEAP_DEAD;
		if (dead && try_revive(heap))
			break;
		if (dead)
			passed[count++] = heap;
		heap = NULL;
		if (count == sizeof passed / sizeof *passed)
			break;
	}
	while (count > 0)
		dead_push(passed[--count]);
	return heap;
}

struct heap *heap_acquire(void)
{
	if (region_ready() != 0)
		return NULL;
	struct heap *heap = revive(&dead_stack);
	if (heap != NULL)
		return heap;
	return fork_is_under_way() ? heap_acquire_spare() : create(false);
}

struct heap *heap_acquire_spare(void)
{
	struct heap *heap = revive(&spare_stack);
	return heap != NULL ? heap : create(true);
}

/* Ends at a block with a fault (where misuse:warn lets the program go on): freed twice, it has made the chain a ring. */
static void empty_bin(struct heap *heap, unsigned class)
{
	struct bin *bin = &heap->bins[class];
	void *block = bin->head;
	owner_set(bin->head, NULL);
	owner_set(bin->credit, bin->limit);
	while (block != NULL) {
		void *next = remote_next(block);
		block = heap_take_home(heap, block) ? next : NULL;
	}
}

/* Locked. */
static void bring_all_home(struct heap *heap)
{
	for (unsigned class = 1; class < CLASS_COUNT; class++)
		if (heap->bins[class].head != NULL)
			empty_bin(heap, class);
	reset_limits(heap);
	remote_drain(heap, false);
	pool_settle(heap, true);
	pool_check_heap(heap);
}

void heap_settle_dead(struct heap *heap)
{
	if (heap->bins_left) {
		__atomic_store_n(&heap->bins_left, false, __ATOMIC_RELAXED);
		claim_end(heap);
		remote_flush(heap);
		bring_all_home(heap);
	}
}

bool heap_try_lock_own(struct heap *heap)
{
	if (unlikely(!heap_try_lock(heap)))
		return false;
	if (unlikely(heap->tag == TAG_CLOSED))
		claim_end(heap);
	return true;
}

void heap_wake(struct heap *heap)
{
	owner_add(heap->slow_calls, 1);
	if (heap_try_lock_own(heap))
		heap_unlock(heap);
}

void heap_release(struct heap *heap)
{
	if (heap_try_lock_own(heap)) {
		remote_flush(heap);
		bring_all_home(heap);
		atomic_store(&heap->state, HEAP_DEAD);
		heap_unlock(heap);
	} else {
		/* Who is in it may be stopped there: leave the rest to the next one. */
		__atomic_store_n(&heap->bins_left, true, __ATOMIC_RELAXED);
		atomic_store(&heap->state, HEAP_DEAD);
	}
	/* Blocks handed over between the drain and the change of state: their sender saw a live heap. */
	remote_drain_for(heap);
	dead_push(heap);
}

int heap_empty(struct heap *heap)
{
	if (!heap_try_lock_own(heap))
		return -EBUSY;
	remote_flush(heap);
	bring_all_home(heap);
	heap_unlock(heap);
	return 0;
}

void heap_empty_dead(void)
{
	for (uint32_t number = heap_count(); number > 0; number--) {
		struct heap *heap = heap_at(number);
		if (atomic_load(&heap->state) != HEAP_DEAD || !heap_try_lock(heap))
			continue;
		if (atomic_load(&heap->state) == HEAP_DEAD) {
			heap_settle_dead(heap);
			remote_drain(heap, false);
			pool_settle(heap, true);
		}
		heap_unlock(heap);
	}
}

/* ---- Adoption: partly used pools of dead heaps serve others --------------------------------------------------------- */

#define ADOPTION_SCAN 8u /* dead heaps looked at when a class runs dry */
#define ADOPTION_MOST 4u /* pools taken at a time */

static unsigned adopt_from(struct heap *dead, struct heap *heap, unsigned class)
{
	if (atomic_load_explicit(&dead->state, memory_order_relaxed) != HEAP_DEAD || !heap_try_lock_other(dead))
		return 0;
	unsigned adopted = 0;
	if (atomic_load(&dead->state) == HEAP_DEAD) {
		heap_settle_dead(dead);
		adopted = pool_adopt(dead, heap, class, ADOPTION_MOST);
	}
	heap_unlock(dead);
	return adopted;
}

/* Walks the dead heaps by their stack: the links may change under the walk, which then sees some heaps twice or not. */
static unsigned adopt_along(heap_stack *stack, struct heap *heap, unsigned class)
{
	uint32_t number = (uint32_t)atomic_load(stack);
	for (unsigned seen = 0; number != 0 && seen < ADOPTION_SCAN; seen++) {
		struct heap *dead = heap_at(number);
		number = atomic_load_explicit(&dead->next_dead, memory_order_relaxed);
		bool has_pools = others_read(dead->pools[class].first) != NO_PAGE || others_read(dead->bins_left);
		if (has_pools && dead != heap && adopt_from(dead, heap, class) > 0)
			return 1;
	}
	return 0;
}

unsigned heap_adopt(struct heap *heap, unsigned class)
{
	unsigned adopted = adopt_along(&dead_stack, heap, class);
	return adopted > 0 ? adopted : adopt_along(&spare_stack, heap, class);
}

/* ---- Filling and emptying bins -------------------------------------------------------------------------------------- */

static void add_to_bin(struct heap *heap, unsigned class, unsigned count)
{
	struct bin *bin = &heap->bins[class];
	owner_add(bin->credit, -(int32_t)count);
	if (bin->credit < 0)
		raise_limit(heap, class, -bin->credit);
}

unsigned heap_take_pool(struct heap *heap, unsigned class)
{
	unsigned count = pool_take(heap, class, &heap->bins[class]);
	if (count > 0)
		add_to_bin(heap, class, count);
	return count;
}

/* How many blocks to have at hand after a refill: more where the bin has been met full, at most so many. */
#define REFILL_MOST 32u

static unsigned take_or_make(struct heap *heap, unsigned class)
{
	struct bin *bin = &heap->bins[class];
	unsigned count = pool_take(heap, class, bin);
	if (count == 0 && (heap_adopt(heap, class) > 0 || pool_make(heap, class) == 0))
		count = pool_take(heap, class, bin);
	return count;
}

/* What others freed comes first, then blocks at home, then pools of the dead, then new pages. */
static int fill(struct heap *heap, unsigned class)
{
	struct bin *bin = &heap->bins[class];
	remote_drain(heap, true);
	if (bin->head != NULL)
		return 0;
	unsigned target = (unsigned)size_min((size_t)bin->limit / 2, REFILL_MOST);
	unsigned count = 0;
	unsigned taken;
	do {
		taken = take_or_make(heap, class);
		count += taken;
	} while (taken > 0 && count < target);
	if (count == 0)
		return -ENOMEM;
	add_to_bin(heap, class, count);
	return 0;
}

/* Looking at the clock costs as much as a small refill: not each time; but a process that allocates little must come to it
 * often enough for what it freed before to go back. */
static void tick_sometimes(const struct heap *heap)
{
	if (heap->slow_calls % 4 == 0)
		decay_tick();
}

int heap_refill(struct heap *heap, unsigned class)
{
	owner_add(heap->slow_calls, 1);
	if (unlikely(!heap_try_lock_own(heap)))
		return -EBUSY;
	int result = heap->bins[class].head != NULL ? 0 : fill(heap, class);
	walk_bin(heap, class);
	pool_check_heap(heap);
	heap_unlock(heap);
	tick_sometimes(heap);
	return result;
}

/* Brings the newest blocks home, whose lines are still in the processor's nearest cache: walking the stack down to the older
 * ones would wait for each. They are collected first, so that what follows for one need not wait for the one before. */
#define FLUSH_MOST 64u
#define FLUSH_BYTES ((size_t)512 << 10)

static void flush_newest(struct heap *heap, unsigned class)
{
	struct bin *bin = &heap->bins[class];
	unsigned want = (unsigned)size_min((size_t)bin->limit / 2 + 1, FLUSH_MOST);
	want = (unsigned)size_min(want, FLUSH_BYTES / size_classes[class].size + 1);
	void *blocks[FLUSH_MOST];
	unsigned count = 0;
	void *block = bin->head;
	for (; count < want && block != NULL; block = remote_next(block))
		blocks[count++] = block;
	owner_set(bin->head, block);
	owner_add(bin->credit, (int32_t)count);
	/* One that is not simply home is of a pool that is another's now, or a fault. */
	for (unsigned done = 0; done < count; done++) {
		done += pool_home_many(heap, class, blocks + done, count - done);
		if (done < count && !heap_take_home(heap, blocks[done]))
			break;
	}
}

static void make_room(struct heap *heap, unsigned class)
{
	if (may_double(heap, class))
		raise_limit(heap, class, next_step(heap->bins[class].limit));
	else
		flush_newest(heap, class);
}

int heap_free(struct heap *heap, unsigned class, void *block)
{
	struct bin *bin = &heap->bins[class];
	owner_add(heap->slow_calls, 1);
	if (unlikely(!heap_try_lock_own(heap)))
		return -EBUSY;
	if (bin->credit == 0)
		make_room(heap, class);
	if (bin->credit > 0)
		bin_put_locked(bin, block);
	else
		heap_take_home(heap, block);
	walk_bin(heap, class);
	pool_check_heap(heap);
	heap_unlock(heap);
	/* What a call brings home is less than what this gives back where there is too much: freeing a lot leaves no more. */
	decay_bound();
	tick_sometimes(heap);
	return 0;
}

bool heap_take_home(struct heap *heap, void *block)
{
	page_tag tag = atomic_load_explicit(&region_tags[page_of(block)], memory_order_relaxed);
	if (unlikely((tag ^ heap_tag(heap)) > TAG_CODE_MASK))
		return remote_reject(block, tag);
	enum homecoming result = pool_home(heap, block);
	if (likely(result == HOME))
		return true;
	misuse("free", block, result == HOME_TWICE ? "block freed twice" : "inside a block, not its start");
	return false;
}
