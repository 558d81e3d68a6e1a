/* SPDX-License-Identifier: MIT */
/*
 * The structures of the tiers below the API, their invariants, and who may touch which field. Included by nearly every file; those of the
 * domains are in domain_layout.h, of typed free lists in typed_layout.h.
 *
 *   region   one reservation of address space, in pages of 4 KiB; flat arrays beside it say what each page is
 *   chunk    16 MiB of it: 64 arenas; says of each, in a byte, on which shared list it is
 *   arena    256 KiB: 64 pages, one bit each
 *   pool     1 page (objects) or up to 64 (medium classes) of one arena, with blocks of one size class
 *   run      pages of one arena, or whole arenas, that are one block above 256 KiB (zeroed: 64 KiB); above 2 MiB we call it
 *            a direct mapping
 *   heap     what one thread keeps: bins of free blocks, pools by class. Dead: its thread has ended, and its pools serve others.
 *            Spare: serves threads only while a fork holds their own. Ghost: a forked child's copy of one that was being changed
 *   bin      a heap's free blocks of one class, at hand: a stack of pointers in slots, which lie near the heap's record, or, of a deep
 *            bin, in pages of an arena. What a thread caches is in its bins, and in pages in reserve
 *   carrier  a free block on its way to another thread, with pointers to others in it (carrier.h)
 *   account  what a heap claimed and returned and has not yet flushed to the totals
 *
 * The raw tier are the medium classes of the bins and pools, and runs.
 *
 * All of them are type-stable: their memory, once committed, stays what it is for the life of the process. So a stale
 * index is at worst out of date and never a wild pointer, and no grace period is needed anywhere below the API.
 */
#ifndef STRATA_LAYOUT_H
#define STRATA_LAYOUT_H

#include "class_set.h"
#include "compiler.h"
#include "idle_look.h"
#include "size_class.h"

#include <stdbool.h>

/* ---- Addresses ------------------------------------------------------------------------------------------------------ */

#define ARENA_PAGES 64u
#define ARENA_SIZE (ARENA_PAGES * PAGE_SIZE)
#define CHUNK_ARENAS 64u
#define CHUNK_SIZE (CHUNK_ARENAS * ARENA_SIZE)
#define HUGE_SIZE ((size_t)2 << 20) /* of a huge page, where pages are of 4 KiB */

typedef uint32_t page_index;  /* a page's number in the region */
typedef uint32_t arena_index; /* page_index / 64 */

#define NO_ARENA UINT32_MAX
#define NO_PAGE UINT32_MAX /* no region has so many pages */

/*
 * The page tag: what any page of the region is, in one word.
 *
 *      31                             8 7            0
 *     +--------------------------------+--------------+
 *     |  owner: number of the heap     |  code        |
 *     +--------------------------------+--------------+
 *
 *   0            in no use, or inside a run
 *   owner, code  page of a pool of class code / 2 that the heap owns; owner >= 1
 *   0, TAG_RUN   first page of a run
 *
 * Written by whoever claimed the page (its pool's owner, or the thread that makes the run), before a block of it is handed
 * out and after the last one is home; whoever holds a block sees the tag, by what handed the block to him. A pool that
 * changes its owner has its tags changed while its blocks are out: those who read the old one put the block into the old
 * owner's inbox, from which it is sent on (remote.c).
 */
typedef uint32_t page_tag;
#define TAG_RUN 0xfeu
#define TAG_OWNER_SHIFT 8
#define TAG_CODE_MASK 0xffu

/*
 * The three words that every free reads. On their own, and not fields of struct region: the compiler then addresses each by
 * itself, which is one instruction less. They lie in one section, next to each other, and are written when the region is
 * made, and region_span when it grows.
 */
#define REGION_HOT __attribute__((section(".bss.strata_region"), aligned(8)))
extern STRATA_HIDDEN uintptr_t region_base;            /* first byte, aligned to CHUNK_SIZE; 0 until known */
/* Bytes from the base that are memory. Only grows. Release: the tags and records below it are memory; partner: acquire in
 * region_arenas. The fast path needs no acquire: a block reaches a thread by something that orders. */
extern STRATA_HIDDEN size_t region_span;
extern STRATA_HIDDEN _Atomic page_tag *region_tags;    /* one for each page */

/* The rest: fixed once, by whoever wins the race to initialise (region.c); read-only from then on, but for reserved_bytes, which
 * region_fit.c changes, and the count of heaps. */
struct region {
	struct pool *pools;      /* one for each page; that of a pool's or run's first page is in use */
	uint8_t *backs;          /* for each page of a pool: how many pages before it the pool begins; its owner's */
	struct arena *arenas;
	struct chunk *chunks;
	struct heap *heaps;      /* [0] is never used */
	struct domain_record *records; /* [0] is never used; as many as heaps at most */
	/* With several nodes, else NULL. For each chunk a word for each node: 1: the arena's memory lies there (arena_node.c). */
	_Atomic uint64_t *node_arenas;
	_Atomic uint64_t *node_listed; /* for each node the words of its summary, those of the buckets side by side (arena_list.c) */
	uint32_t arena_limit;    /* arenas in the reservation */
	uint32_t heap_limit;
	_Atomic uint32_t heaps_created; /* by the CAS in create (heap.c); read by all: heap_count */
	size_t reserved_bytes;
};

extern STRATA_HIDDEN struct region region;

STRATA_FAST page_index page_of(const void *p)
{
	return (page_index)(((uintptr_t)p - region_base) >> PAGE_SHIFT);
}

STRATA_FAST char *page_start(page_index page)
{
	return (char *)(region_base + ((uintptr_t)page << PAGE_SHIFT));
}

/* ---- Arenas --------------------------------------------------------------------------------------------------------- */

/*
 * An arena is in one of these states:
 *   unused    its bit in chunk->used is 0; free == 0; nobody may write any field but who claims that bit
 *   of pages  used, listed by how many of its pages are free; free has a 1 for each page that anyone may claim
 *   of a run  used; free == 0; all its pages are the run's (or slack behind it)
 */
struct arena {
	/* 1: a page that nobody has. Claiming is a compare-and-swap to fewer bits, returning an atomic OR, both sequentially consistent:
	 * what the page's last owner wrote to its tag and record comes with it, and the lists of arenas need one order of this word
	 * and of place (arena_list.c). No ABA: the word is all there is to know; what the two below say of a page is asked again
	 * when it is claimed. */
	_Atomic uint64_t free;
	/* 1: the page may hold something: it is not known to be zero. This word's bits and given's are changed only by whoever has
	 * claimed the page, or the arena; the claim orders them. Others read them as hints. */
	_Atomic uint64_t dirty;
	/* 1: a dirty page that the kernel may take when it pleases (MADV_FREE) and that was not claimed since. A page costs
	 * memory if it is dirty and not given. */
	_Atomic uint64_t given;
	/* os_clock_ms, 32 bits of it, when pages were last returned, or refused a purge; a hint for the decay clock. */
	_Atomic uint32_t idle_since;
	/* Number + 1 of the node that its memory lies on; 0: none, or not known. Written by whoever has claimed the arena whole. */
	_Atomic uint8_t node;
} STRATA_ALIGNED(32);

_Static_assert(sizeof(struct arena) == 32, "two on a cache line");

/* An arena with free pages is listed in the bucket of its fullness; bucket 0 holds the fullest. */
#define BUCKET_COUNT 5

struct chunk {
	_Atomic uint64_t used;  /* 1: the arena is taken. Claim: CAS; give back: AND; sequentially consistent. */
	_Atomic uint64_t dirty; /* 1: the unused arena may have pages that cost memory; a hint, set before used is cleared */
	/* 1: huge pages are welcome for the group of arenas, 2 MiB each. Set by whoever has just claimed an arena of it, after the system was
	 * told; cleared by an exchange that one wins, who then tells the system the contrary. Read by all, relaxed: it orders nothing, and
	 * whoever misses it leaves a group huge of which a part went, until the next part goes (huge.c). */
	_Atomic uint8_t huge;
	/* The shared arena lists: in which bucket each arena was last seen, + 1; 0: it is on no list. A hint that anyone writes and reads,
	 * sequentially consistent: the rules are in arena_list.c (arena_relist), and the model that checks them in docs/models. */
	_Atomic uint8_t place[CHUNK_ARENAS] STRATA_ALIGNED(CACHE_LINE);
	/* From how many neighbours on each arena has none free, as 256 less their number; 0: not known. A hint
	 * likewise, written by whoever looked for more in vain and by whoever returns pages, read by whoever looks (arena_note_lack). */
	_Atomic uint8_t lacks[CHUNK_ARENAS] STRATA_ALIGNED(CACHE_LINE);
} STRATA_ALIGNED(CACHE_LINE);

static inline struct chunk *chunk_of(arena_index index)
{
	return &region.chunks[index / CHUNK_ARENAS];
}

/* The arena's bit in the words of its chunk. */
static inline uint64_t arena_bit(arena_index index)
{
	return UINT64_C(1) << (index % CHUNK_ARENAS);
}

/* ---- Pools and runs ------------------------------------------------------------------------------------------------- */

#define POOL_BITMAP_WORDS 4 /* 256 blocks; the 8-byte class has 504 and keeps its bitmap in its page */

/*
 * The record of a pool, of a run, or of the slots of a deep bin. Belongs to the heap that owns the pool or the bin: touched only by
 * whoever holds heap->busy. A run's record belongs to whoever holds the block.
 *
 *   out = carved - home_count      blocks that are not at home: the program's, in a bin, or on their way
 *   0 <= home_count <= carved <= capacity
 *   bit i of the bitmap is 1       <=> block i is at home; only i < carved
 *   in the heap's list of the class <=> home_count > 0 or carved < capacity
 */
struct pool {
	union {
		uint64_t home[POOL_BITMAP_WORDS];
		struct {
			uint32_t pages;  /* of the block: its usable size */
			uint32_t reach;  /* pages from the first on that were in use since it began: more than pages, where the cache gave a
					 * larger run */
			uint32_t arenas; /* claimed whole; 0: the run lies within one arena, and reach == pages */
			uint32_t charged; /* pages counted as used, when arenas are: its own, and dirty ones behind them */
			uint32_t sample;  /* its number in the heap profile; 0: it is not sampled */
			bool moved;      /* its mapping came here by os_move: to be refreshed when freed */
			bool together;   /* and that of all its arenas, as one, so that it can move again */
			bool left;       /* its mapping went elsewhere by os_move: its pages are clean */
		} run;
		uint32_t slot_pages;     /* of a deep bin's slots: how many pages they have */
	};
	page_index next, previous; /* in the heap's list; NO_PAGE at the ends */
	uint16_t home_count;
	uint16_t carved;
	uint8_t class;
	bool listed;
	bool target; /* what strata_should_move moves blocks into: set when all its free blocks were put on top of the bin; cleared
		      * when it is listed again, one having come home, or begun anew */
	bool idle;   /* of a medium class: nothing was taken or came home since pool_purge_idle last looked */
	uint8_t purged; /* pages of it that are not counted as used: no block of theirs is out (pool_purge.c) */
} STRATA_ALIGNED(CACHE_LINE);

_Static_assert(sizeof(struct pool) == CACHE_LINE, "metadata is at most 2 % of the heap: 64 + 4 + 1 bytes of 4096, and some");

/* ---- Heaps ---------------------------------------------------------------------------------------------------------- */

/*
 * A class's free blocks that the thread has at hand: a stack of pointers, in slots (bin_slots.h). Blocks are not touched while they
 * lie in it: no pop waits for the line of a block, and nothing that a program writes after free can lead it astray. The slot at the
 * bottom is NULL, so that there is no test for an empty one but that of the block. The owning thread touches top, slots and credit
 * without atomics; whoever claims the bins of a sleeping thread marks the slots, takes what was not taken meanwhile and lowers limit by
 * that (claim.c). Limit is written under busy; read without, relaxed, by the owner as a hint (serves_here in core.c), by others for
 * statistics. Larger blocks in it may be of another heap's pools.
 *
 *   count = limit - credit             blocks on the stack
 *   credit >= 0 between calls          a free that would take it below 0 goes into housekeeping
 *   top - bottom = count               unless the heap was claimed: then there are slots below top from which a block was taken
 */
struct bin {
	void **top; /* the slot of the newest block; the bottom, when there is none */
	int32_t credit;
	int32_t limit;
};

enum claim_state {
	CLAIM_NONE,   /* the gate is open */
	CLAIM_PARTLY, /* gate closed, some bins emptied */
	CLAIM_ASLEEP, /* gate closed, all bins emptied: there is nothing left to claim; until the owner comes to its slow path */
	CLAIM_BARRED, /* its owner is forking */
};

/* No page has this tag: heap numbers end far below. A heap whose tag it is takes no free on the fast path. */
#define TAG_CLOSED 0xffffff00u

/* The heap's pools of one class that have blocks to give: in front the one that was full until last, and stays there as it empties. */
struct pool_list {
	page_index first; /* read by those who look for a dead heap to adopt from */
	page_index last;
};

/* Pages claimed from one arena, without use yet. */
struct page_set {
	uint64_t pages;
	arena_index arena;
};

/* What a heap claimed and returned since it flushed to the totals of arena_count.c, which all threads would otherwise write to for each
 * batch of pages: at most ARENA_PAGES either way, whenever the thread is stopped. Written under busy; the numbers of pages are read
 * by others, for sums. */
struct page_account {
	int32_t used;  /* claimed, less those that were returned */
	int32_t dirty; /* by how many more pages are free and cost memory */
	uint32_t now;  /* os_clock_ms, 32 bits of it, read when pages were returned since the heap was locked; 0: not yet */
};

/* By how much limits of bins were raised, and how much of that the sums over all heaps know (bin_limit.c). */
struct limit_sum {
	int32_t bytes;
	int32_t flushed;
};

/* Blocks of one owner, collected by a thread that frees them, until they are handed over together (remote.c). Written by the thread
 * under sending, or by whoever claims its heap, when that is 0. */
struct outgoing {
	uintptr_t *first; /* the newest carrier, */
	uintptr_t *last;  /* and the oldest, to which the others link */
	uint32_t owner;
	uint32_t filled;  /* blocks, the room in the newest carrier and bytes, packed; 0: empty. Read by others, for sums */
};
#define OUTGOING_BATCHES 24

/* Of a claimed heap: a block that stood in a slot, and in the eight highest bits the class. */
#define DOUBTS_MOST 16
#define DOUBT_SHIFT 56

/* By which sizes in decline are known (bin_decline.c), by class, of which some share a place. */
#define DECLINE_SIGNS 16
struct decline_signs {
	/* The class, and of the address of the block that was the newest in its bin when others had gone home; 0: none. */
	uint32_t newest[DECLINE_SIGNS];
	/* Of a bin that is closed: frees since a block was last taken; frees and takes of late; and blocks that came home to pools that are
	 * nearly full, less two for each that came home to another. */
	uint8_t in_a_row[DECLINE_SIGNS], frees[DECLINE_SIGNS], takes[DECLINE_SIGNS], full[DECLINE_SIGNS];
};

enum heap_state {
	HEAP_UNUSED, /* never had a thread */
	HEAP_LIVE,   /* some thread's */
	HEAP_DEAD,   /* its thread has ended, or has left it; its pools serve others */
	HEAP_GHOST,  /* belonged to a thread that did not come along through fork, and was being changed: let alone */
};

struct heap {
	/* -- The owning thread's; bins and tag are its fast path's. Others only as claim.c says. -- */
	struct bin bins[CLASS_COUNT];  /* counts are read by others, for statistics */
	/* The gate for frees: number << 8, or TAG_CLOSED while the heap is claimed. Written under busy; the owner reads it without,
	 * which a membarrier of whoever claims orders. */
	page_tag tag;
	uint32_t number;
	struct outgoing outgoing[OUTGOING_BATCHES];
	/* 1: the owner is in its outgoing batches. Written by the owner, 0 by a release that the acquire of whoever claims reads, after a
	 * membarrier that orders it with tag (done_sending in remote.c, send_for in claim.c). 0 in the child of a fork. */
	uint32_t sending;
	uint32_t slow_calls;           /* read by others: a sign of life */
	int64_t run_bytes;             /* runs allocated less runs freed by this heap's threads; only the sum */
	int64_t run_blocks;            /* over all heaps means something; read by others */
	int64_t quarantined_bytes;     /* in quarantine: not the program's any more; sums as above */
	int64_t quarantined_blocks;

	/* -- Guarded by busy: the pools, their records, and what follows. -- */
	/* A try-lock: 0 or 1; more while forks hold it. Taken by the owner on its slow path, by whoever drains the inbox of a sleeping
	 * or dead owner or claims its bins, by whoever adopts pools of a dead heap, by fork. Whoever does not get it does something
	 * else: an owner takes another heap. Acquire to take it, release to let go (heap.c). */
	_Atomic uint32_t busy;
	uint32_t pool_count;           /* pools owned; read by others */
	uint32_t pool_pages;           /* what those pools have; read by others, as a hint */
	struct limit_sum limits;       /* of all bins; beyond cache by refills alone; */
	struct limit_sum large_limits; /* and those of blocks that are not small */
	struct pool_list pools[CLASS_COUNT];
	struct page_set reserve;       /* pages at hand for new pools */
	struct page_set returning;     /* pages on the way back, collected by arena */
	uint32_t out_blocks[CLASS_COUNT]; /* sum of out over the pools owned; below 2^32, which is 32 GiB; read by others */
	uint8_t reserve_step;          /* how many pages to claim next */
	uint8_t purge_class;           /* of the round of pool_purge_idle; CLASS_COUNT: it is over; read by others as a hint */
	uint8_t idle_class;            /* of the round of empty_idle_bins; CLASS_COUNT: it is over */
	page_index purge_next;         /* where pool_purge_idle goes on: a hint */
	uint32_t purge_since;          /* os_clock_ms, 32 bits of it, when the round began */
	struct class_set overflowed;   /* bins that had blocks brought home for want of room, and were not refilled since */
	struct class_set used_bins;    /* bins that were filled or overflowed since empty_idle_bins came by */
	bool slots_gone;               /* of a claimed or dead heap: the memory of its slots went back; read by others as a hint */
	uint8_t doubt_count;
	/* enum claim_state. Written under busy, but CLAIM_BARRED is taken away by the owner without; read by others as a hint. */
	uint8_t claimed;
	/* Dead with blocks in its bins: its thread found it busy when it left, and wrote this without the lock, before state
	 * (sequentially consistent); cleared under the lock. Read relaxed as a hint by whoever looks for pools to adopt. */
	bool bins_left;
	/* Pages went back to arenas since the owner last asked. Set under busy, cleared by the owner without: a hint. */
	bool returned;
	bool spare;                    /* serves only while forks are under way (fork.h); written when it is made */
	/* Of the thread that has it, or last had it, when that came or went. Written by that thread; read by whoever puts the heap on the
	 * stack of the dead, after the exchange of unlisted, or as the child of a fork. */
	uint8_t node;
	/* Dead, on no stack, and to be put there: set by whoever leaves the heap, or popped it and found somebody in it, cleared by an
	 * exchange by whoever pushes it then. Not guarded by busy: sequentially consistent, as heap_list_if_wanted says (heap.c). */
	_Atomic bool unlisted;

	/* -- Shared. -- */
	/* Blocks that other threads freed: a stack of carriers (carrier.h) linked through their first words. One compare-and-swap
	 * pushes a chain of them, an exchange takes all. Sequentially consistent with state: a sender pushes, then reads state; an owner
	 * that ends writes state, then reads this; one of the two sees the other (remote.c). No ABA: a push only links to what it
	 * replaces, and nothing is popped singly. */
	_Atomic(void *) inbox STRATA_ALIGNED(CACHE_LINE);
	_Atomic uint64_t inbox_bytes;  /* handed over and not yet taken home; read by all */
	_Atomic uint64_t inbox_blocks;
	/* slow_calls when the inbox was last seen long and the owner at work, and os_clock_ms then, 32 bits of it. Hints, written and
	 * read by whoever hands over (owner_sleeps in remote.c): the time first, then the calls by release, which whoever reads them
	 * acquires. */
	_Atomic uint32_t seen_calls;
	_Atomic uint32_t seen_at;
	/* enum heap_state. LIVE: by whoever makes the heap, as the last of it, or revives it under busy; DEAD: by the owner that leaves,
	 * or in the child of a fork; GHOST: in the child. Sequentially consistent: see hand_over in remote.c. */
	_Atomic uint32_t state;
	_Atomic uint32_t next_dead;    /* in the stack of dead heaps; relaxed: the CAS on the stack's head orders it */
	struct idle_look look;         /* of the bins: reclaim.c */
	/* -- Guarded by busy, here for want of room above. -- */
	union {
		/* While it is claimed: what its owner may have been freeing when the memory of the slots went, by class (claim.c). */
		uint64_t doubts[DOUBTS_MOST];
		/* While it is not. What a claim left in it is a hint that misleads once. */
		struct decline_signs decline;
	};
	struct page_account account;
	int32_t object_limits;         /* by how much limits of object classes were raised: no other thread asks (bin_limit.c) */
};

/* Behind it the slots of bins that are not deep (bin_slots.h), of which only pages that are used cost memory. */
#define HEAP_PAGES 1
#define SLOT_PAGES 7
#define SHADOW_PAGES HEAP_PAGES /* what fast paths see in its place while the heap profile is on (thread.c); memory then only */
#define HEAP_STRIDE ((HEAP_PAGES + SLOT_PAGES + SHADOW_PAGES) * PAGE_SIZE)
_Static_assert(sizeof(struct heap) <= HEAP_PAGES * PAGE_SIZE, "a heap is one page, and its slots");

static inline struct heap *heap_at(uint32_t number)
{
	return (struct heap *)((char *)region.heaps + (size_t)number * HEAP_STRIDE);
}

static inline struct heap *heap_shadow(struct heap *heap)
{
	return (struct heap *)((char *)heap + (HEAP_PAGES + SLOT_PAGES) * PAGE_SIZE);
}

/* Heaps created so far: those numbered 1 ... heap_count(). Acquire; partner: the CAS in create (heap.c): they are memory, though
 * perhaps not yet initialised (state says that). */
static inline uint32_t heap_count(void)
{
	return atomic_load_explicit(&region.heaps_created, memory_order_acquire);
}

/* The tag of the heap's pages, but for the code. */
static inline page_tag heap_tag(const struct heap *heap)
{
	return heap->number << TAG_OWNER_SHIFT;
}

static inline unsigned bin_count(const struct bin *bin)
{
	return (unsigned)(bin->limit - bin->credit);
}

#endif
