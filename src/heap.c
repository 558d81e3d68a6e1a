/* SPDX-License-Identifier: MIT */
#include "heap.h"

#include "arena_count.h"
#include "bin.h"
#include "bin_limit.h"
#include "bin_slots.h"
#include "check.h"
#include "claim.h"
#include "numa.h"
#include "number_stack.h"
#include "pool.h"
#include "pool_purge.h"
#include "region.h"
#include "remote.h"

#include <errno.h>

STRATA_LARGE void *empty_slots[EMPTY_SLOTS];
struct heap empty_heap = { .tag = TAG_CLOSED, .bins = { [0 ... CLASS_COUNT - 1] = { .top = &empty_slots[EMPTY_SLOTS - 1] } } };

/* ---- The registry --------------------------------------------------------------------------------------------------- */

/* Heaps without a thread, by the node on which their memory mostly lies. Spares are kept apart, so that none becomes a thread's for good
 * (fork.h). */
static number_stack dead_stacks[NODES_MOST];
static number_stack spare_stack;

static unsigned node_here(void)
{
	unsigned node = numa_here();
	return node != ANY_NODE ? node : 0;
}

/* The own node's first (0), then the others': whatever there is serves before more memory is taken. */
static number_stack *dead_stack(unsigned distance)
{
	unsigned nodes = numa_nodes();
	return likely(nodes == 1) ? &dead_stacks[0] : &dead_stacks[(node_here() + distance) % nodes];
}

static _Atomic uint32_t *next_of(uint32_t number)
{
	return &heap_at(number)->next_dead;
}

static void dead_push(struct heap *heap)
{
	number_stack_push(heap->spare ? &spare_stack : &dead_stacks[heap->node], heap->number, next_of);
}

static struct heap *dead_pop(number_stack *stack)
{
	uint32_t number = number_stack_pop(stack, next_of);
	return number != 0 ? heap_at(number) : NULL;
}

void heap_forget_dead(void)
{
	for (unsigned node = 0; node < NODES_MOST; node++)
		atomic_store(&dead_stacks[node], 0);
	atomic_store(&spare_stack, 0);
}

void heap_bury(struct heap *heap)
{
	atomic_store(&heap->state, HEAP_DEAD);
	atomic_store(&heap->unlisted, false);
	dead_push(heap);
}

/*
 * A heap that somebody is in is of no use to whoever needs one: on the stack there would be more and more of them above those that are
 * free, and new ones be made. So it comes there when he lets go of it. Dead, a heap is on the stack, or unlisted, or a thread has popped
 * it; whoever takes the mark away pushes it. Whoever leaves a heap marks it and then looks at busy; whoever was in it lets go of busy and
 * then looks for the mark: sequentially consistent, so that one of the two sees the other. (docs/models/dead_heap.pml)
 */
void heap_list_if_wanted(struct heap *heap)
{
	if (atomic_load(&heap->unlisted) && atomic_load(&heap->busy) == 0 && atomic_exchange(&heap->unlisted, false))
		dead_push(heap);
}

static void list_when_free(struct heap *heap)
{
	atomic_store(&heap->unlisted, true);
	heap_list_if_wanted(heap);
}

/* Acquire: the pools as the last holder left them; partner: the release in heap_unlock. */
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
	if (likely(others_read(heap->claimed) != CLAIM_BARRED))
		return true;
	atomic_store_explicit(&heap->busy, 0, memory_order_release);
	heap_look_after_dead(heap);
	return false;
}

/* Release; partner: the acquire in heap_try_lock. */
static void unlock(struct heap *heap)
{
	atomic_store_explicit(&heap->busy, 0, memory_order_release);
}

void heap_unlock(struct heap *heap)
{
	pool_return_surplus(heap, false);
	unlock(heap);
}

void heap_unlock_flushed(struct heap *heap)
{
	pool_return_surplus(heap, false);
	arena_flush_account(&heap->account, 0);
	unlock(heap);
}

bool heap_dead_waits(struct heap *heap)
{
	return atomic_load(&heap->state) == HEAP_DEAD && (atomic_load(&heap->inbox) != NULL || others_read(heap->bins_left));
}

/* Whoever was in the heap lets go of busy and then looks; whoever hands over to it, or leaves it, says so and then looks at busy
 * (remote_drain_for). Fences in both: one of the two sees the other. */
void heap_look_after_dead(struct heap *heap)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (heap_dead_waits(heap))
		remote_drain_for(heap);
	heap_list_if_wanted(heap);
}

void heap_unlock_other(struct heap *heap)
{
	heap_unlock_flushed(heap);
	heap_look_after_dead(heap);
}

void heap_flush_accounts(void)
{
	for (uint32_t number = heap_count(); number > 0; number--)
		if (heap_try_lock_other(heap_at(number)))
			heap_unlock_other(heap_at(number));
}

/* ---- A heap's beginning and end ------------------------------------------------------------------------------------- */

static void initialise(struct heap *heap, uint32_t number)
{
	heap->number = number;
	owner_set(heap->tag, heap_tag(heap));
	heap->reserve_step = 1;
	heap->purge_class = CLASS_COUNT;
	heap->idle_class = CLASS_COUNT;
	for (unsigned class = 1; class < CLASS_COUNT; class++)
		heap->pools[class] = (struct pool_list){ NO_PAGE, NO_PAGE };
	slots_reset(heap, 0);
	bin_limits_reset(heap);
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
	} while (!atomic_compare_exchange_strong(&region.heaps_created, &count, count + 1));
	heap->spare = spare;
	initialise(heap, count + 1);
	return heap;
}

static bool try_revive(struct heap *heap)
{
	if (!heap_try_lock(heap))
		return false;
	heap_finish_release(heap);
	claim_allow(heap);
	owner_set(heap->slots_gone, false);
	owner_add(heap->slow_calls, 1);
	atomic_store(&heap->state, HEAP_LIVE);
	heap_unlock(heap);
	return true;
}

/* Somebody may come to a heap that is on the stack, to take what it has: he is out of it soon, or stopped there. */
#define REVIVE_TRIES 64u

/* Takes a dead heap. Ghosts are dropped. */
static struct heap *revive(number_stack *stack)
{
	struct heap *heap;
	for (unsigned tries = 0; tries < REVIVE_TRIES && (heap = dead_pop(stack)) != NULL; tries++) {
		if (atomic_load(&heap->state) != HEAP_DEAD)
			continue;
		if (try_revive(heap))
			return heap;
		list_when_free(heap);
	}
	return NULL;
}

static struct heap *revive_dead(void)
{
	struct heap *heap = NULL;
	for (unsigned i = 0; i < numa_nodes() && heap == NULL; i++)
		heap = revive(dead_stack(i));
	return heap;
}

struct heap *heap_acquire(bool new_is_spare)
{
	if (region_ready() != 0)
		return NULL;
	struct heap *heap = revive_dead();
	if (heap == NULL)
		heap = new_is_spare ? heap_acquire_spare() : create(false);
	if (likely(heap != NULL))
		heap->node = (uint8_t)node_here();
	return heap;
}

struct heap *heap_acquire_spare(void)
{
	struct heap *heap = revive(&spare_stack);
	return heap != NULL ? heap : create(true);
}

/* Locked. */
static void bring_all_home(struct heap *heap)
{
	for (unsigned class = 1; class < CLASS_COUNT; class++)
		heap_take_all_home(heap, class);
	bin_limits_reset(heap);
	remote_drain(heap, false);
	pool_return_surplus(heap, true);
	pool_check_heap(heap);
}

void heap_finish_release(struct heap *heap)
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
	claim_allow(heap);
	heap->node = (uint8_t)node_here();
	if (heap_try_lock_own(heap)) {
		remote_flush(heap);
		bring_all_home(heap);
		atomic_store(&heap->state, HEAP_DEAD);
		heap_unlock(heap);
	} else {
		/* Whoever is in it may be stopped there: leave the rest to the next one. */
		__atomic_store_n(&heap->bins_left, true, __ATOMIC_RELAXED);
		atomic_store(&heap->state, HEAP_DEAD);
	}
	/* Blocks handed over between the drain and the change of state: their sender saw a live heap. */
	remote_drain_for(heap);
	list_when_free(heap);
}

int heap_empty(struct heap *heap)
{
	if (!heap_try_lock_own(heap))
		return -EBUSY;
	remote_flush(heap);
	bring_all_home(heap);
	pool_purge_all(heap);
	heap_unlock(heap);
	return 0;
}

/* Its bins are empty, and nobody touches them before it has an owner again. */
static void purge_dead_slots(struct heap *heap)
{
	if (!heap->slots_gone)
		slots_purge(heap);
	owner_set(heap->slots_gone, true);
}

void heap_purge_dead(struct heap *heap)
{
	if (!heap_try_lock_other(heap))
		return;
	if (atomic_load(&heap->state) == HEAP_DEAD) {
		heap_finish_release(heap);
		purge_dead_slots(heap);
	}
	heap_unlock_other(heap);
}

void heap_empty_dead(void)
{
	for (uint32_t number = heap_count(); number > 0; number--) {
		struct heap *heap = heap_at(number);
		if (atomic_load(&heap->state) != HEAP_DEAD || !heap_try_lock_other(heap))
			continue;
		if (atomic_load(&heap->state) == HEAP_DEAD) {
			heap_finish_release(heap);
			remote_drain(heap, false);
			pool_return_surplus(heap, true);
			pool_purge_all(heap);
			purge_dead_slots(heap);
		}
		heap_unlock_other(heap);
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
		heap_finish_release(dead);
		adopted = pool_adopt(dead, heap, class, ADOPTION_MOST);
	}
	heap_unlock_other(dead);
	return adopted;
}

/* Walks the dead heaps by their stack: the links may change under the walk, which then sees some heaps twice or not. */
static unsigned adopt_along(number_stack *stack, struct heap *heap, unsigned class)
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
	unsigned adopted = 0;
	for (unsigned i = 0; i < numa_nodes() && adopted == 0; i++)
		adopted = adopt_along(dead_stack(i), heap, class);
	return adopted > 0 ? adopted : adopt_along(&spare_stack, heap, class);
}
