/* SPDX-License-Identifier: MIT */
#include "region.h"

#include "check.h"
#include "domain_layout.h"
#include "numa.h"
#include "options.h"
#include "os.h"

#include <errno.h>

STRATA_READ_MOSTLY STRATA_ALIGNED(CACHE_LINE) struct region region;

uintptr_t region_base REGION_HOT;
size_t region_span REGION_HOT;
_Atomic page_tag *region_tags REGION_HOT;

/* Commits of the metadata go by chunk (16 MiB of heap): about 278 KiB of it, of which only what is touched costs memory. */
#define HEAPS_STEP 4
#define RECORDS_STEP 16

/* Largest step of the span: growing goes by an eighth of what there is, from one arena to this. */
#define SPAN_STEP_MAX ((size_t)32 << 20)

/* Whoever sets this word has won: the address of the reservation (aligned to CHUNK_SIZE), and in the low bits its shape: the number of
 * chunks, and whether there are few heaps. All else follows from it, so that those who come second can finish what the winner began. */
static _Atomic uintptr_t reservation;
#define CHUNKS_MOST 65536u
#define FEW_HEAPS ((uintptr_t)1 << 23)
_Static_assert(CHUNKS_MOST < FEW_HEAPS && 2 * FEW_HEAPS <= CHUNK_SIZE, "both are below the address");

struct region_most region_most;

static _Atomic uint32_t heaps_committed;   /* heaps below are memory */
static _Atomic uint32_t records_committed; /* records of domains */

/* The arrays, in the order in which they lie behind the chunks, and what each has for a chunk, or for a heap. */
enum array { CHUNKS, ARENAS, HEAPS, RECORDS, TAGS, BACKS, POOLS, ARRAYS };

static const struct {
	size_t unit;
	bool of_heaps;
} arrays[ARRAYS] = {
	[CHUNKS] = { sizeof(struct chunk), false },
	[ARENAS] = { sizeof(struct arena) * CHUNK_ARENAS, false },
	[HEAPS] = { HEAP_STRIDE, true },
	[RECORDS] = { sizeof(struct domain_record), true },
	[TAGS] = { sizeof(page_tag) * CHUNK_ARENAS * ARENA_PAGES, false },
	[BACKS] = { sizeof(uint8_t) * CHUNK_ARENAS * ARENA_PAGES, false },
	[POOLS] = { sizeof(struct pool) * CHUNK_ARENAS * ARENA_PAGES, false },
};
_Static_assert(ARRAYS + 1 == REGION_PARTS, "the arrays, and the chunks themselves");

struct plan {
	struct extent whole;
	size_t region;           /* bytes of the chunks, in front of the arrays */
	size_t array[ARRAYS];    /* bytes of each */
	size_t node_arenas, node_listed; /* and of those there are with several nodes, behind them */
	size_t total;
};

static size_t node_arenas_unit(void)
{
	return numa_nodes() > 1 ? numa_nodes() * sizeof *region.node_arenas : 0;
}

static size_t node_listed_bytes(size_t chunk_count)
{
	return BUCKET_COUNT * node_arenas_unit() * ((chunk_count + 63) / 64);
}

/* For a thousand threads at least; where address space is short for as many as an eighth of it allows, since each needs a stack. */
size_t region_heaps_for(size_t chunk_count, bool few)
{
	size_t least = few ? size_min(size_max(chunk_count * (CHUNK_SIZE / 8 / HEAP_STRIDE), 128), 1024) : 1024;
	return size_min(size_max(chunk_count * 16, least), 1 << 18);
}

static struct plan plan_for(uintptr_t shape)
{
	size_t chunk_count = shape & (FEW_HEAPS - 1);
	struct plan plan = {
		.whole = { chunk_count, region_heaps_for(chunk_count, (shape & FEW_HEAPS) != 0) },
		.region = chunk_count * CHUNK_SIZE,
		.node_arenas = round_up(chunk_count * node_arenas_unit(), PAGE_SIZE),
		.node_listed = round_up(node_listed_bytes(chunk_count), PAGE_SIZE),
	};
	plan.total = plan.region + plan.node_arenas + plan.node_listed;
	for (unsigned i = 0; i < ARRAYS; i++) {
		size_t count = arrays[i].of_heaps ? plan.whole.heaps : plan.whole.chunks;
		plan.array[i] = round_up(count * arrays[i].unit, PAGE_SIZE);
		plan.total += plan.array[i];
	}
	plan.total = round_up(plan.total, os_page_size());
	return plan;
}

/* Under a limit the program's own mappings and stacks need room as well: a quarter, unless the setting says how much. */
static uintptr_t wanted_shape(void)
{
	size_t wanted = options()->reserve_bytes;
	size_t limit = os_address_limit();
	if (limit == SIZE_MAX)
		return size_min(size_max(wanted / CHUNK_SIZE, 1), CHUNKS_MOST);
	size_t most = wanted < limit ? wanted : limit / 4 * 3;
	uintptr_t chunk_count = size_min(size_max(most / CHUNK_SIZE, 1), CHUNKS_MOST);
	while (chunk_count > 1 && plan_for(chunk_count | FEW_HEAPS).total > most)
		chunk_count--;
	return chunk_count | FEW_HEAPS;
}

/* The process whose memory it is. Written by whoever makes the region, by the child of a fork, which is alone, and by whoever finds that he
 * is in a child of which no handler knows (what the parent's threads were in the middle of is waited for in vain there); read by whoever
 * fits it. Relaxed: it orders nothing. */
static int owner;

/* Threads that ask the system for the reservation, or have it and did not publish it yet. Counted by them, read by whoever was refused, and
 * set by the child of a fork. Sequentially consistent, like reservation: who sees the count fallen sees what was published before. */
static _Atomic uint32_t reserving;
#define WAIT_MS_MOST 2000

/* This thread's part of it, and of region_most.extending: all that is left of them in the child of its fork. A fork by a signal handler
 * between the two additions leaves the child one too many, which is on the safe side: a wait in vain. */
static __thread unsigned own_reserving, own_extending;

/* So many were waited for in vain: not again, unless there are others. Written by whoever has waited, read by whoever would, and set by the
 * child of a fork; orders nothing. */
static _Atomic uint32_t held_up;

/* What one thread has just mapped is what another, under a limit, is refused. It is published at once, unless that thread is held up: then
 * others wait, but not for ever. Whether it is there; if not, nobody is about to publish it but who was waited for in vain. */
static bool comes_from_another(void)
{
	struct os_patience patience = os_patience(WAIT_MS_MOST);
	for (;;) {
		uint32_t others = atomic_load(&reserving);
		if (atomic_load(&reservation) != 0)
			return true;
		if (others <= own_reserving || others == atomic_load(&held_up))
			return false;
		if (!os_wait_patiently(&reserving, others, &patience))
			atomic_store(&held_up, others);
	}
}

static bool reserve(uintptr_t shape)
{
	uintptr_t none = 0;
	size_t size = plan_for(shape).total;
	own_reserving++;
	atomic_fetch_add(&reserving, 1);
	void *start = os_reserve(size, CHUNK_SIZE);
	if (start != NULL && !atomic_compare_exchange_strong(&reservation, &none, (uintptr_t)start | shape))
		os_release(start, size);
	atomic_fetch_sub(&reserving, 1);
	own_reserving--;
	return start != NULL;
}

/* As much of it as the system gives. */
static int reserve_most(void)
{
	uintptr_t shape = wanted_shape(), few = shape & FEW_HEAPS;
	for (uintptr_t count = shape - few; count > 0; count -= size_max(count / 8, 1))
		if (reserve(few | count) || comes_from_another())
			return 0;
	return -ENOMEM;
}

/* Everyone who comes here before all is known has the same values; the first to write one is the only one, since those that are
 * ahead already read it. Acquire and release: who finds a value there passes it on by region_span. */
#define publish(field, value)                                                                                   \
	({                                                                                                      \
		__typeof__(field) unknown_ = 0;                                                                 \
		__atomic_compare_exchange_n(&(field), &unknown_, (value), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE); \
	})

static void publish_bound(_Atomic uint32_t *bound, uint32_t value)
{
	uint32_t unknown = 0;
	atomic_compare_exchange_strong(bound, &unknown, value);
}

/* ThreadSanitizer takes a compare-and-swap that fails for a write. */
__attribute__((noinline, no_sanitize("thread"))) static int finish(uintptr_t won)
{
	uintptr_t start = won / CHUNK_SIZE * CHUNK_SIZE;
	struct plan plan = plan_for(won % CHUNK_SIZE);

	char *at = (char *)start + plan.region;
	char *begin[ARRAYS];
	for (unsigned i = 0; i < ARRAYS; at += plan.array[i++])
		begin[i] = at;
	publish(region.chunks, (struct chunk *)begin[CHUNKS]);
	publish(region.arenas, (struct arena *)begin[ARENAS]);
	publish(region.heaps, (struct heap *)begin[HEAPS]);
	publish(region.records, (struct domain_record *)begin[RECORDS]);
	publish(region_tags, (_Atomic page_tag *)begin[TAGS]);
	publish(region.backs, (uint8_t *)begin[BACKS]);
	publish(region.pools, (struct pool *)begin[POOLS]);
	if (unlikely(plan.node_arenas != 0)) {
		publish(region.node_arenas, (_Atomic uint64_t *)at);
		publish(region.node_listed, (_Atomic uint64_t *)(at + plan.node_arenas));
	}
	publish(region.arena_limit, (uint32_t)(plan.region / ARENA_SIZE));
	publish(region.heap_limit, (uint32_t)plan.whole.heaps);
	publish_bound(&region_most.heaps, region.heap_limit);
	publish_bound(&region_most.arenas, region.arena_limit);
	publish(region.reserved_bytes, plan.total);
	publish(owner, os_process());
	os_mark_memory();
	publish(region_base, start);
	return region_extend(1);
}

int region_ready(void)
{
	if (likely(__atomic_load_n(&region_span, __ATOMIC_ACQUIRE) != 0))
		return 0;
	if (atomic_load(&reservation) == 0) {
		int result = reserve_most();
		if (result != 0)
			return result;
	}
	return finish(atomic_load(&reservation));
}

bool region_is_own(void)
{
	int self = os_process();
	int known = __atomic_load_n(&owner, __ATOMIC_RELAXED);
	if (known == self)
		return true;
	/* The child of a vfork of such a copy, which did not mark it yet, is no child of the owner. Marked first, so that one later is
	 * none. */
	if (!os_is_copy() || !os_is_child_of(known))
		return false;
	os_mark_memory();
	__atomic_store_n(&owner, self, __ATOMIC_RELAXED);
	return true;
}

void region_become_own(void)
{
	atomic_store(&reserving, own_reserving);
	atomic_store(&held_up, 0);
	atomic_store(&region_most.extending, own_extending);
	__atomic_store_n(&owner, os_process(), __ATOMIC_RELAXED);
	os_mark_memory();
}

void region_list_parts(struct region_part parts[REGION_PARTS])
{
	struct plan plan = plan_for(atomic_load_explicit(&reservation, memory_order_relaxed) % CHUNK_SIZE);
	char *at = (char *)region_base;
	parts[0] = (struct region_part){ at, CHUNK_SIZE, plan.whole.chunks, false };
	at += plan.region;
	for (unsigned i = 0; i < ARRAYS; at += plan.array[i++])
		parts[i + 1] = (struct region_part){ at, arrays[i].unit, arrays[i].of_heaps ? plan.whole.heaps : plan.whole.chunks,
						     arrays[i].of_heaps };
}

static int commit_array(void *array, size_t unit, size_t from, size_t to)
{
	char *start = (char *)((uintptr_t)((char *)array + from * unit) & ~(os_page_size() - 1));
	size_t size = round_up((size_t)((char *)array + to * unit - start), os_page_size());
	return os_commit(start, size);
}

/* The summaries of the whole region with its first chunk. */
static int commit_nodes(size_t from, size_t to)
{
	int result = commit_array(region.node_arenas, node_arenas_unit(), from, to);
	if (result == 0 && from == 0)
		result = commit_array(region.node_listed, node_listed_bytes(region.arena_limit / CHUNK_ARENAS), 0, 1);
	return result;
}

/* Makes the descriptions of chunks [from, to) memory. */
static int commit_metadata(size_t from, size_t to)
{
	int result = 0;
	struct region_part parts[REGION_PARTS];
	region_list_parts(parts);
	for (unsigned i = 1; i < REGION_PARTS && result == 0; i++)
		if (!parts[i].of_heaps)
			result = commit_array(parts[i].start, parts[i].unit, from, to);
	if (unlikely(region.node_arenas != NULL) && result == 0)
		result = commit_nodes(from, to);
	return result;
}

static size_t chunks_below(size_t span)
{
	return (span + CHUNK_SIZE - 1) / CHUNK_SIZE;
}

/* Where huge pages begin, under huge:always; SIZE_MAX: nowhere. */
static STRATA_READ_MOSTLY _Atomic size_t huge_from = SIZE_MAX;

static void advise_huge(size_t from, size_t to)
{
	size_t begin = atomic_load_explicit(&huge_from, memory_order_relaxed);
	while (from < begin && !atomic_compare_exchange_weak_explicit(&huge_from, &begin, from, memory_order_relaxed,
								      memory_order_relaxed))
		;
	os_advise_huge((char *)region_base + from, to - from, true);
}

int region_refresh(arena_index first, size_t count)
{
	size_t from = (size_t)first * ARENA_SIZE;
	int result = os_refresh((char *)region_base + from, count * ARENA_SIZE);
	if (result == 0 && from >= atomic_load_explicit(&huge_from, memory_order_relaxed))
		os_advise_huge((char *)region_base + from, count * ARENA_SIZE, true);
	return result;
}

/* What is committed twice because two threads extend at once is committed all the same; only the larger end is kept. */
static int commit_span(size_t from, size_t to)
{
	int result = 0;
	if (chunks_below(to) > chunks_below(from))
		result = commit_metadata(chunks_below(from), chunks_below(to));
	if (result == 0)
		result = os_commit((char *)region_base + from, to - from);
	if (result == 0 && options()->huge == HUGE_ALWAYS)
		advise_huge(from, to);
	return result;
}

/* A fork in a signal handler may come in between: the child goes on here. */
static void begin_extending(void)
{
	own_extending++;
	atomic_fetch_add(&region_most.extending, 1);
}

static void end_extending(void)
{
	atomic_fetch_sub(&region_most.extending, 1);
	own_extending--;
}

static int extend_span(size_t span, size_t needed)
{
	size_t most = (size_t)atomic_load(&region_most.arenas) * ARENA_SIZE;
	if (needed > most)
		return -ENOMEM;
	size_t step = size_min(round_up(span / 8, ARENA_SIZE), SPAN_STEP_MAX);
	size_t target = size_max(needed, span + step);
	if (options()->huge == HUGE_ALWAYS)
		target = round_up(target, HUGE_SIZE);
	target = size_min(target, most);
	int result = commit_span(span, target);
	if (result != 0 && target > needed) {
		target = needed;
		result = commit_span(span, target);
	}
	if (result != 0)
		return result;
	while (span < target && !__atomic_compare_exchange_n(&region_span, &span, target, true, __ATOMIC_RELEASE,
							     __ATOMIC_RELAXED))
		;
	return 0;
}

int region_extend(arena_index end)
{
	size_t span = __atomic_load_n(&region_span, __ATOMIC_ACQUIRE);
	size_t needed = (size_t)end * ARENA_SIZE;
	if (needed <= span)
		return 0;
	begin_extending();
	int result = extend_span(span, needed);
	end_extending();
	return result;
}

/* Makes the units of the array up to number memory, by the step. */
static int extend_units(void *array, size_t unit, uint32_t step, uint32_t number, _Atomic uint32_t *done)
{
	uint32_t committed = atomic_load_explicit(done, memory_order_acquire);
	uint32_t most = atomic_load(&region_most.heaps);
	if (number < committed)
		return 0;
	if (number >= most)
		return -ENOMEM;
	uint32_t target = (uint32_t)size_min((number / step + 1) * step, most);
	int result = commit_array(array, unit, committed, target);
	if (result != 0)
		return result;
	while (committed < target && !atomic_compare_exchange_weak_explicit(done, &committed, target, memory_order_release,
									    memory_order_relaxed))
		;
	return 0;
}

static int extend_array(void *array, size_t unit, uint32_t step, uint32_t number, _Atomic uint32_t *done)
{
	if (number < atomic_load_explicit(done, memory_order_acquire))
		return 0;
	begin_extending();
	int result = extend_units(array, unit, step, number, done);
	end_extending();
	return result;
}

struct extent region_committed(void)
{
	uint32_t heaps = atomic_load(&heaps_committed), records = atomic_load(&records_committed);
	return (struct extent){ chunks_below(__atomic_load_n(&region_span, __ATOMIC_SEQ_CST)), heaps > records ? heaps : records };
}

int region_extend_heaps(uint32_t number)
{
	return extend_array(region.heaps, arrays[HEAPS].unit, HEAPS_STEP, number, &heaps_committed);
}

int region_extend_records(uint32_t number)
{
	return extend_array(region.records, arrays[RECORDS].unit, RECORDS_STEP, number, &records_committed);
}

size_t region_metadata_bytes(void)
{
	size_t chunk_count = chunks_below(others_read(region_span));
	size_t bytes = chunk_count * node_arenas_unit() + node_listed_bytes(region.arena_limit / CHUNK_ARENAS);
	for (unsigned i = 0; i < ARRAYS; i++)
		if (!arrays[i].of_heaps)
			bytes += chunk_count * arrays[i].unit;
	return bytes + atomic_load_explicit(&heaps_committed, memory_order_relaxed) * arrays[HEAPS].unit +
	       atomic_load_explicit(&records_committed, memory_order_relaxed) * arrays[RECORDS].unit;
}
