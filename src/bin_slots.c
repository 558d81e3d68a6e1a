/* SPDX-License-Identifier: MIT */
#include "bin_slots.h"

#include "arena.h"
#include "os.h"

#include <string.h>

/* ---- Behind the heap's record --------------------------------------------------------------------------------------- */

/* Slots by class, the bottom among them, in the order in which programs need pages of them: malloc's classes come first. */
#define SMALL_SLOTS 64u  /* 8, 16, 32 ... 240 bytes */
#define OBJECT_SLOTS 32u /* 256, 272 ... 512 */
#define MEDIUM_SLOTS 8u
#define ODD_SLOTS 16u    /* 24, 40 ... 504: the native API's alone */
#define SMALL_END 16u    /* in units of 16 bytes */
#define OBJECT_END 33u
#define MEDIUM_FIRST (SMALL_END * SMALL_SLOTS + (OBJECT_END - SMALL_END) * OBJECT_SLOTS)
#define ODD_FIRST (MEDIUM_FIRST + (CLASS_COUNT - 1 - OBJECT_CLASSES) * MEDIUM_SLOTS)
#define NOBODYS (ODD_FIRST + (OBJECT_CLASSES / 2 - 1) * ODD_SLOTS)
_Static_assert((NOBODYS + 1) * sizeof(void *) <= SLOT_PAGES * PAGE_SIZE, "all have room");

struct place {
	unsigned first, count;
};

static struct place place_of(unsigned class)
{
	if (class > OBJECT_CLASSES)
		return (struct place){ MEDIUM_FIRST + (class - OBJECT_CLASSES - 1) * MEDIUM_SLOTS, MEDIUM_SLOTS };
	if (class % 2 == 1 && class > 1)
		return (struct place){ ODD_FIRST + (class - 3) / 2 * ODD_SLOTS, ODD_SLOTS };
	unsigned sixteens = class / 2;
	if (class == 0)
		return (struct place){ NOBODYS, 1 };
	if (sixteens < SMALL_END)
		return (struct place){ sixteens * SMALL_SLOTS, SMALL_SLOTS };
	return (struct place){ SMALL_END * SMALL_SLOTS + (sixteens - SMALL_END) * OBJECT_SLOTS, OBJECT_SLOTS };
}

int32_t slots_near(unsigned class)
{
	return (int32_t)place_of(class).count - 1;
}

static char *near_start(const struct heap *heap)
{
	return (char *)heap + HEAP_PAGES * PAGE_SIZE;
}

static void **near_bottom(const struct heap *heap, unsigned class)
{
	return (void **)near_start(heap) + place_of(class).first;
}

/* ---- In pages ------------------------------------------------------------------------------------------------------- */

static _Atomic size_t all_pages; /* relaxed: for sums */

size_t slots_pages(void)
{
	return atomic_load_explicit(&all_pages, memory_order_relaxed);
}

/* A pop that finds nothing has top below the bottom for a moment: there is a slot for that. */
#define BELOW 1

static bool is_near(const struct heap *heap, const void *slot)
{
	return (size_t)((const char *)slot - (const char *)heap) < HEAP_STRIDE;
}

static page_index first_page(const void *slot)
{
	page_index page = page_of(slot);
	return page - region.backs[page];
}

static void **far_bottom(page_index page)
{
	return (void **)page_start(page) + BELOW;
}

void **slots_bottom(const struct heap *heap, unsigned class)
{
	const void *top = others_read(heap->bins[class].top);
	return is_near(heap, top) ? near_bottom(heap, class) : far_bottom(first_page(top));
}

static unsigned pages_for(unsigned class, int32_t limit)
{
	if (limit <= slots_near(class))
		return 0;
	size_t bytes = ((size_t)limit + BELOW + 1) * sizeof(void *);
	return bytes <= PAGE_SIZE ? 1 : 2u << bit_highest((bytes - 1) / PAGE_SIZE);
}

static page_index claim_pages(unsigned count)
{
	page_index page = arena_claim_span(count, count, NULL);
	if (page == NO_PAGE)
		return NO_PAGE;
	for (unsigned i = 0; i < count; i++)
		region.backs[page + i] = (uint8_t)i;
	region.pools[page].slot_pages = count;
	atomic_fetch_add_explicit(&all_pages, count, memory_order_relaxed);
	*far_bottom(page) = NULL;
	return page;
}

static void return_pages(page_index page)
{
	unsigned count = region.pools[page].slot_pages;
	atomic_fetch_sub_explicit(&all_pages, count, memory_order_relaxed);
	arena_return(page / ARENA_PAGES, bits_below(count) << (page % ARENA_PAGES));
}

static void move(struct bin *bin, void **from, void **to)
{
	size_t count = (size_t)(bin->top - from);
	memcpy(to + 1, from + 1, count * sizeof(void *));
	owner_publish(bin->top, to + count);
}

/* A quarter is enough that a bin does not move to and fro. */
static bool fits(unsigned has, unsigned wants)
{
	return wants <= has && (has == 0 || (wants > 0 && wants > has / 4));
}

bool slots_fit(struct heap *heap, unsigned class, int32_t limit)
{
	struct bin *bin = &heap->bins[class];
	bool near = is_near(heap, bin->top);
	page_index page = near ? NO_PAGE : first_page(bin->top);
	unsigned wants = pages_for(class, limit);
	if (fits(near ? 0 : region.pools[page].slot_pages, wants))
		return true;
	page_index wider = wants > 0 ? claim_pages(wants) : NO_PAGE;
	if (wants > 0 && wider == NO_PAGE)
		return false;
	move(bin, slots_bottom(heap, class), wants > 0 ? far_bottom(wider) : near_bottom(heap, class));
	if (!near)
		return_pages(page);
	return true;
}

void slots_reset(struct heap *heap, unsigned class)
{
	struct bin *bin = &heap->bins[class];
	if (bin->top != NULL && !is_near(heap, bin->top))
		return_pages(first_page(bin->top));
	owner_set(bin->top, near_bottom(heap, class));
}

void slots_purge(struct heap *heap)
{
	os_purge(near_start(heap), SLOT_PAGES * PAGE_SIZE, false);
}

/* ---- Set aside ------------------------------------------------------------------------------------------------------ */

/* Behind each other: those near the heap, and those of deep bins, by class. */
static size_t far_bytes(const struct heap *heap, unsigned class)
{
	const void *top = others_read(heap->bins[class].top);
	return is_near(heap, top) ? 0 : region.pools[first_page(top)].slot_pages * PAGE_SIZE;
}

static size_t far_bytes_below(const struct heap *heap, unsigned end)
{
	size_t bytes = 0;
	for (unsigned class = 1; class < end; class++)
		bytes += far_bytes(heap, class);
	return bytes;
}

static size_t aside_bytes(const struct heap *heap)
{
	return SLOT_PAGES * PAGE_SIZE + far_bytes_below(heap, CLASS_COUNT);
}

/* What could not be moved stays where it is, and reads as NULL where it was to go. */
void *slots_set_aside(struct heap *heap)
{
	char *aside = os_reserve(aside_bytes(heap), os_page_size());
	if (aside == NULL)
		return NULL;
	if (os_move(near_start(heap), aside, SLOT_PAGES * PAGE_SIZE) != 0) {
		slots_let_go(heap, aside);
		return NULL;
	}
	char *to = aside + SLOT_PAGES * PAGE_SIZE;
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		size_t bytes = far_bytes(heap, class);
		if (bytes > 0 && os_move(page_start(first_page(heap->bins[class].top)), to, bytes) != 0)
			os_commit(to, bytes);
		to += bytes;
	}
	return aside;
}

void *slots_aside(const struct heap *heap, const void *aside, unsigned class, void **slot)
{
	const char *from = aside;
	if (far_bytes(heap, class) == 0)
		from += (const char *)slot - near_start(heap);
	else
		from += SLOT_PAGES * PAGE_SIZE + far_bytes_below(heap, class) +
			(size_t)((const char *)slot - page_start(first_page(slot)));
	return *(void *const *)from;
}

void slots_let_go(const struct heap *heap, void *aside)
{
	os_release(aside, aside_bytes(heap));
}
