/* SPDX-License-Identifier: MIT */
#include "checked.h"

#include "check.h"
#include "core.h"
#include "limit.h"
#include "options.h"
#include "os.h"
#include "pool.h"
#include "relief.h"
#include "thread.h"

#include <errno.h>
#include <string.h>

#define GUARD_BYTE 0xfb /* between what was requested and the trailer */
#define FREED_BYTE 0xdf /* all over a block in quarantine */

/* The last 16 bytes of the block. Both words are mixed with the block's address and a secret, so that what a program writes
 * by accident is never taken for them. */
struct trailer {
	uint64_t requested;
	uint64_t state;
};
#define STATE_LIVE UINT64_C(0x6c69766562c0c4e5)
#define STATE_FREED UINT64_C(0x667265656462c0c5)

static uint64_t mix(const void *block, uint64_t word)
{
	return word ^ os_secret() ^ (uintptr_t)block * UINT64_C(0x9e3779b97f4a7c15);
}

static struct trailer *trailer_of(const void *block)
{
	return (struct trailer *)((char *)(uintptr_t)block + core_usable(block, "free")) - 1;
}

static size_t requested_of(const void *block)
{
	return mix(block, trailer_of(block)->requested);
}

/* ---- What is wrong with a pointer ----------------------------------------------------------------------------------- */

static const char freed_twice[] = "block freed twice";

static const char *fault_of_place(const void *block)
{
	page_tag tag = core_tag(block);
	if (tag == TAG_FOREIGN || tag == 0)
		return core_fault(block);
	if (tag == TAG_RUN)
		return (uintptr_t)block % PAGE_SIZE == 0 ? NULL : "inside a block, not its start";
	switch (pool_look(block)) {
	case HOME_INSIDE:
		return "inside a block, not its start";
	case HOME_TWICE:
		return freed_twice;
	default:
		return NULL;
	}
}

/* Each is like the one before it. */
static bool all_bytes(const unsigned char *from, const unsigned char *to, unsigned char byte)
{
	return from >= to || (*from == byte && memcmp(from, from + 1, (size_t)(to - from) - 1) == 0);
}

static const char *fault_of_live(const void *block)
{
	const char *fault = fault_of_place(block);
	if (fault != NULL)
		return fault;
	const struct trailer *trailer = trailer_of(block);
	if (trailer->state == mix(block, STATE_FREED))
		return freed_twice;
	size_t size = requested_of(block);
	const unsigned char *guard = (const unsigned char *)block + size;
	if (trailer->state != mix(block, STATE_LIVE) || size > (size_t)((const char *)trailer - (const char *)block) ||
	    !all_bytes(guard, (const unsigned char *)trailer, GUARD_BYTE))
		return "written past its end";
	return NULL;
}

/* What is said of a free block depends on what is asked of it. */
static bool is_faulty(const void *block, const char *function, const char *when_free)
{
	const char *fault = fault_of_live(block);
	if (fault == freed_twice)
		fault = when_free;
	if (fault != NULL)
		misuse(function, block, fault);
	return fault != NULL;
}

/* ---- Quarantine ----------------------------------------------------------------------------------------------------- */

#define QUARANTINE_LEAST 1000u

/* A ring of one thread's freed blocks, the oldest at first. */
struct quarantine {
	size_t bytes;
	unsigned first, count, capacity;
	void *blocks[];
};

static void release_block(void *block, const char *function)
{
	const struct trailer *trailer = trailer_of(block);
	if (trailer->state != mix(block, STATE_FREED) ||
	    !all_bytes(block, (const unsigned char *)trailer, FREED_BYTE))
		misuse(function, block, "written after free");
	core_free(block, function);
}

static void evict_oldest(struct quarantine *quarantine, const char *function)
{
	void *block = quarantine->blocks[quarantine->first];
	quarantine->first = (quarantine->first + 1) % quarantine->capacity;
	quarantine->count--;
	quarantine->bytes -= core_usable(block, function);
	core_count_quarantined(block, -1);
	release_block(block, function);
}

static struct quarantine *make_quarantine(unsigned capacity)
{
	struct quarantine *made = core_allocate(sizeof *made + capacity * sizeof made->blocks[0], 16, false);
	if (made == NULL)
		return NULL;
	*made = (struct quarantine){ .capacity = capacity };
	core_count_quarantined(made, 1);
	return made;
}

static void drop_quarantine(struct quarantine *quarantine, const char *function)
{
	core_count_quarantined(quarantine, -1);
	core_free(quarantine, function);
}

/* A thread without a heap is not told of its end, and nobody would release what it quarantined. */
static struct quarantine *own_quarantine(void)
{
	if (thread_self.quarantine == NULL && !thread_self.leaving && thread_attach() != NULL)
		thread_self.quarantine = make_quarantine(QUARANTINE_LEAST);
	return thread_self.quarantine;
}

/* Twice as many blocks, while their bytes are what the setting allows: it alone is the bound. NULL: there is no memory for it. */
static struct quarantine *grow_quarantine(struct quarantine *old, const char *function)
{
	struct quarantine *grown = old->capacity < UINT32_MAX / 2 ? make_quarantine(2 * old->capacity) : NULL;
	if (grown == NULL)
		return NULL;
	for (unsigned i = 0; i < old->count; i++)
		grown->blocks[i] = old->blocks[(old->first + i) % old->capacity];
	grown->bytes = old->bytes;
	grown->count = old->count;
	thread_self.quarantine = grown;
	drop_quarantine(old, function);
	return grown;
}

static void quarantine_block(void *block, size_t usable, const char *function)
{
	struct quarantine *quarantine = own_quarantine();
	if (quarantine == NULL || usable > options()->quarantine_bytes) {
		release_block(block, function);
		return;
	}
	while (quarantine->count > 0 && quarantine->bytes + usable > options()->quarantine_bytes)
		evict_oldest(quarantine, function);
	if (quarantine->count == quarantine->capacity) {
		struct quarantine *grown = grow_quarantine(quarantine, function);
		if (grown == NULL)
			evict_oldest(quarantine, function);
		else
			quarantine = grown;
	}
	quarantine->blocks[(quarantine->first + quarantine->count) % quarantine->capacity] = block;
	quarantine->count++;
	quarantine->bytes += usable;
	core_count_quarantined(block, 1);
}

static void evict_all(const char *function)
{
	struct quarantine *quarantine = thread_self.quarantine;
	if (quarantine == NULL)
		return;
	while (quarantine->count > 0)
		evict_oldest(quarantine, function);
	thread_self.quarantine = NULL;
	drop_quarantine(quarantine, function);
}

void checked_thread_end(void)
{
	evict_all("free");
}

void checked_process_end(void)
{
	evict_all("exit");
}

/* ---- The calls ------------------------------------------------------------------------------------------------------ */

void *checked_allocate(size_t size, size_t alignment, bool zero)
{
	void *block = NULL;
	struct relief relief = { .size = size, .alignment = alignment };
	if (size <= PTRDIFF_MAX - 2 * sizeof(struct trailer))
		do {
			block = core_allocate(size + sizeof(struct trailer), size_max(alignment, 16), zero);
		} while (block == NULL && relief_gave(&relief));
	limit_after_allocation();
	if (block == NULL) {
		thread_detach_if_leaving();
		errno = ENOMEM;
		return NULL;
	}
	struct trailer *trailer = trailer_of(block);
	memset((char *)block + size, GUARD_BYTE, (size_t)((char *)trailer - (char *)block) - size);
	trailer->requested = mix(block, size);
	trailer->state = mix(block, STATE_LIVE);
	thread_detach_if_leaving();
	return block;
}

void checked_free(void *block, const char *function, size_t size)
{
	if (is_faulty(block, function, freed_twice))
		return;
	size_t requested = requested_of(block);
	if (size != ANY_SIZE && size != requested) {
		misuse_size(function, block, size, requested);
		return;
	}
	struct trailer *trailer = trailer_of(block);
	size_t usable = core_usable(block, function);
	trailer->state = mix(block, STATE_FREED);
	if (usable > MEDIUM_MAX && usable > options()->quarantine_bytes) {
		core_free(block, function); /* filled, all of it would become memory, for nobody to look at */
	} else {
		memset(block, FREED_BYTE, (size_t)((char *)trailer - (char *)block));
		quarantine_block(block, usable, function);
	}
	thread_detach_if_leaving();
}

bool checked_measure(const void *block, const char *function, size_t *size)
{
	if (is_faulty(block, function, freed_twice))
		return false;
	*size = requested_of(block);
	return true;
}

size_t checked_usable(const void *block, const char *function)
{
	return is_faulty(block, function, "block is free") ? 0 : requested_of(block);
}

void *checked_reallocate(void *block, size_t size)
{
	if (is_faulty(block, "realloc", freed_twice))
		return NULL;
	if (size == 0) {
		checked_free(block, "realloc", ANY_SIZE);
		return NULL;
	}
	void *to = checked_allocate(size, 1, false);
	if (to == NULL)
		return NULL;
	memcpy(to, block, size_min(size, requested_of(block)));
	checked_free(block, "realloc", ANY_SIZE);
	return to;
}
