/* SPDX-License-Identifier: MIT */
#include "bin_slots.h"

#include "arena.h"
#include "os.h"

#include <errno.h>
#include <string.h>

/* ---- Behind the heap's record --------------------------------------------------------------------------------------- */

/* Slots by class, the bottom among them: for a page's worth of blocks, and for so many as make pages of slots worth while. In the order
 * in which programs need memory for them: malloc's classes come first. None lies in two pages: a thread that uses one size has one. */
#define SMALLEST_SUM (512u + 64u)
#define SMALL_FIRST 4u    /* in units of 16 bytes, as the next two */
#define OBJECT_FIRST 16u
#define OBJECT_END 33u
#define SMALL_SLOTS 64u   /* 64, 80 ... 240 bytes */
#define OBJECT_SLOTS 32u  /* 256, 272 ... 512 */
#define MEDIUM_SLOTS 8u
#define ODD_SLOTS 32u     /* 24, 40 ... 504: the native API's alone */
#define OBJECTS_AT (SMALLEST_SUM + (OBJECT_FIRST - SMALL_FIRST) * SMALL_SLOTS)
#define MEDIUM_AT (OBJECTS_AT + (OBJECT_END - OBJECT_FIRST) * OBJECT_SLOTS)
#define MEDIUM_END (MEDIUM_AT + (CLASS_COUNT - 1 - OBJECT_CLASSES) * MEDIUM_SLOTS)
#define ODD_AT ((MEDIUM_END + ODD_SLOTS - 1) / ODD_SLOTS * ODD_SLOTS)
#define NOBODYS_AT (ODD_AT + (OBJECT_CLASSES / 2 - 1) * ODD_SLOTS)
_Static_assert((NOBODYS_AT + 1) * sizeof(void *) <= SLOT_PAGES * PAGE_SIZE, "all have room");

struct place {
	unsigned first, count;
};

static const struct place smallest[] = { { 512, 64 }, { 0, 256 }, { 256, 128 }, { 384, 96 } }; /* 8, 16, 32, 48 bytes */

static struct place place_of_sixteens(unsigned sixteens)
{
	if (sixteens >= OBJECT_FIRST)
		return (struct place){ OBJECTS_AT + (sixteens - OBJECT_FIRST) * OBJECT_SLOTS, OBJECT_SLOTS };
	if (sixteens >= SMALL_FIRST)
		return (struct place){ SMALLEST_SUM + (sixteens - SMALL_FIRST) * SMALL_SLOTS, SMALL_SLOTS };
	return smallest[sixteens];
}

static struct place place_of(unsigned class)
{
	if (class == 0)
		return (struct place){ NOBODYS_AT, 1 };
	if (class > OBJECT_CLASSES)
		return (struct place){ MEDIUM_AT + (class - OBJECT_CLASSES - 1) * MEDIUM_SLOTS, MEDIUM_SLOTS };
	if (class % 2 == 1 && class > 1)
		return (struct place){ ODD_AT + (class - 3) / 2 * ODD_SLOTS, ODD_SLOTS };
	return place_of_sixteens(class / 2);
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

static unsigned far_pages(const struct heap *heap, unsigned class)
{
	const void *top = others_read(heap->bins[class].top);
	return is_near(heap, top) ? 0 : region.pools[first_page(top)].slot_pages;
}

int32_t slots_capacity(const struct heap *heap, unsigned class)
{
	unsigned pages = far_pages(heap, class);
	return pages == 0 ? slots_near(class) : (int32_t)(pages * PAGE_SIZE / sizeof(void *)) - BELOW - 1;
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
	far_bottom(page)[-BELOW] = NULL;
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

/* With room to spare, so that a bin does not move to and fro. */
static bool fits(unsigned has, unsigned wants, bool few)
{
	if (wants == 0)
		return has == 0 || (has == 1 && !few);
	return wants <= has && wants > has / 4;
}

bool slots_fit(struct heap *heap, unsigned class, int32_t limit)
{
	struct bin *bin = &heap->bins[class];
	bool near = is_near(heap, bin->top);
	page_index page = near ? NO_PAGE : first_page(bin->top);
	unsigned has = far_pages(heap, class);
	unsigned wants = pages_for(class, limit);
	if (fits(has, wants, limit <= slots_near(class) / 2))
		return true;
	page_index other = wants > 0 ? claim_pages(wants) : NO_PAGE;
	if (wants > 0 && other == NO_PAGE)
		return wants <= has;
	move(bin, slots_bottom(heap, class), wants > 0 ? far_bottom(other) : near_bottom(heap, class));
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

/* A system with larger pages would take more than the slots. */
static bool has_own_pages(void)
{
	return os_page_size() == PAGE_SIZE;
}

void slots_purge(struct heap *heap)
{
	if (has_own_pages())
		os_purge(near_start(heap), SLOT_PAGES * PAGE_SIZE, false);
}

/* ---- Set aside ------------------------------------------------------------------------------------------------------ */

static void count_far(const struct heap *heap, int sign)
{
	int64_t pages = 0;
	for (unsigned class = 1; class < CLASS_COUNT; class++)
		pages += sign * (int64_t)far_pages(heap, class);
	arena_recharge(pages);
	atomic_fetch_add_explicit(&all_pages, (size_t)pages, memory_order_relaxed);
}

static STRATA_READ_MOSTLY _Atomic bool refused; /* relaxed: a hint, written by whoever is refused */

bool slots_can_go(void)
{
	return has_own_pages() && !atomic_load_explicit(&refused, memory_order_relaxed);
}

/* Want of memory is no refusal: there may be some the next time. */
static char *take_near(struct heap *heap)
{
	void *near;
	int result = os_take(near_start(heap), SLOT_PAGES * PAGE_SIZE, &near);
	if (result != 0 && result != -ENOMEM)
		atomic_store_explicit(&refused, true, memory_order_relaxed);
	return result == 0 ? near : NULL;
}

static char *take_far(const struct heap *heap, unsigned class)
{
	void *far;
	size_t bytes = far_pages(heap, class) * PAGE_SIZE;
	if (bytes == 0 || os_take(page_start(first_page(others_read(heap->bins[class].top))), bytes, &far) != 0)
		return NULL;
	return far;
}

bool slots_set_aside(struct heap *heap, struct slots_aside *aside)
{
	aside->near = slots_can_go() ? take_near(heap) : NULL;
	if (aside->near == NULL)
		return false;
	for (unsigned class = 1; class < CLASS_COUNT; class++)
		aside->far[class] = take_far(heap, class);
	count_far(heap, -1);
	return true;
}

void *slots_look_aside(const struct heap *heap, const struct slots_aside *aside, unsigned class, void **slot)
{
	void **bottom = slots_bottom(heap, class);
	if (slot < bottom || slot > bottom + slots_capacity(heap, class))
		return NULL;
	if (far_pages(heap, class) == 0)
		return *(void **)(aside->near + ((char *)slot - near_start(heap)));
	if (aside->far[class] == NULL)
		return NULL;
	return *(void **)(aside->far[class] + (size_t)(slot - bottom + BELOW) * sizeof *slot);
}

void slots_release_aside(const struct heap *heap, const struct slots_aside *aside)
{
	os_release(aside->near, SLOT_PAGES * PAGE_SIZE);
	for (unsigned class = 1; class < CLASS_COUNT; class++)
		if (aside->far[class] != NULL)
			os_release(aside->far[class], far_pages(heap, class) * PAGE_SIZE);
}

void slots_wanted(const struct heap *heap)
{
	count_far(heap, 1);
}
