/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "domain_debug.h"

#include "call_stack.h"
#include "check.h"
#include "core.h"
#include "options.h"
#include "os.h"
#include "thread.h"

#include <strata/domain.h>

#include <errno.h>
#include <execinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRESH_BYTE 0xcd
#define FREED_BYTE 0xdd
#define GUARD_BYTE 0xfd
#define GUARD_BYTES 16u

/*
 *   | slack | head, ends in a guard | block: size bytes | guard, to the end of what is usable |
 *   start                           start + offset
 */
struct head {
	struct head *next;      /* of those in quarantine; of a live block NULL */
	uint64_t seal;          /* of what else is here, but freed_by, and the state: what the program writes by accident does not fit */
	uint64_t size;          /* as requested */
	uint64_t serial;
	stack_number allocated_by;
	stack_number freed_by;
	uint32_t offset;
	uint32_t domain;
	uint8_t guard[GUARD_BYTES];
};

#define STATE_LIVE UINT64_C(0x6c69766564626c6b)
#define STATE_FREED UINT64_C(0x6672656564626c6b)

/* ---- On or off ------------------------------------------------------------------------------------------------------ */

enum { UNDECIDED, OFF, ON };

/* Written once, by the first who asks or sets; read by all. Relaxed: it stands for itself, and whoever sees it undecided
 * finds by the exchange what the first has decided. */
static _Atomic int decision;

static bool decide(bool on)
{
	int undecided = UNDECIDED;
	if (!atomic_compare_exchange_strong(&decision, &undecided, on ? ON : OFF))
		return undecided == ON;
	return on;
}

bool debug_is_on(void)
{
	int decided = atomic_load_explicit(&decision, memory_order_relaxed);
	return unlikely(decided == UNDECIDED) ? decide(options()->domain_debug) : decided == ON;
}

STRATA_PUBLIC int strata_domain_debug(int on)
{
	return decide(on != 0) == (on != 0) ? 0 : EBUSY;
}

/* ---- The head ------------------------------------------------------------------------------------------------------- */

static struct head *head_of(const void *block)
{
	return (struct head *)(uintptr_t)block - 1;
}

static unsigned char *block_of(const struct head *head)
{
	return (unsigned char *)(uintptr_t)(head + 1);
}

static void *start_of(const struct head *head)
{
	return block_of(head) - head->offset;
}

static unsigned char *end_of(const struct head *head)
{
	void *start = start_of(head);
	return (unsigned char *)start + core_public_usable(start, "domain_free");
}

static uint64_t seal_for(const struct head *head, uint64_t state)
{
	const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t seal = os_secret() ^ (uintptr_t)head;
	seal = (seal ^ head->size) * factor;
	seal = (seal ^ head->serial) * factor;
	seal = (seal ^ (uintptr_t)head->next) * factor;
	seal = (seal ^ ((uint64_t)head->allocated_by << 32 | head->offset)) * factor;
	return (seal ^ head->domain) * factor ^ state;
}

/* ---- Stacks of calls ------------------------------------------------------------------------------------------------ */

static stack_number stack_now(void)
{
	return call_stack_from(NULL, DEPOT_FRAMES);
}

static void tell_stack(const char *what, stack_number number)
{
	void *const *frames;
	unsigned count = depot_get(number, &frames);
	message("  %s by%s", what, count == 0 ? " (not known)" : ":");
	if (count != 0)
		backtrace_symbols_fd(frames, (int)count, STDERR_FILENO);
}

/* ---- Findings ------------------------------------------------------------------------------------------------------- */

static void end_report(void)
{
	if (!options()->misuse_warns)
		abort();
}

/* Of a block whose head can be trusted. */
static void tell_block(const struct head *head, bool freed)
{
	message("  block of %lu bytes in domain %s, serial number %lu", (unsigned long)head->size,
		strata_domain_name((enum strata_domain)head->domain), (unsigned long)head->serial);
	tell_stack("allocated", head->allocated_by);
	if (freed)
		tell_stack("freed", head->freed_by);
	end_report();
}

/* The first byte of a range that is not what it should be; NULL: all are. */
static const unsigned char *first_other(const unsigned char *from, const unsigned char *to, unsigned char byte)
{
	for (; from < to; from++)
		if (*from != byte)
			return from;
	return NULL;
}

static bool tell_written(const char *function, const struct head *head, const unsigned char *at, const char *what,
			 bool freed)
{
	const unsigned char *block = block_of(head);
	bool before = at < block;
	unsigned long distance = (unsigned long)(before ? block - at : at - block);
	message("%s(%p): %s: byte %s%lu is %p", function, (const void *)block, what, before ? "-" : "", distance,
		(void *)(uintptr_t)*at);
	tell_block(head, freed);
	return false;
}

/* The innermost broken byte of a guard is told: writes mostly run out of the block. */
static const unsigned char *broken_before(const struct head *head)
{
	for (unsigned i = GUARD_BYTES; i > 0; i--)
		if (head->guard[i - 1] != GUARD_BYTE)
			return &head->guard[i - 1];
	return NULL;
}

static bool check_guards(const char *function, const struct head *head, bool freed)
{
	const unsigned char *at = broken_before(head);
	if (at != NULL)
		return tell_written(function, head, at, "written before its start", freed);
	at = first_other(block_of(head) + head->size, end_of(head), GUARD_BYTE);
	if (at != NULL)
		return tell_written(function, head, at, "written past its end", freed);
	return true;
}

static bool tell_foreign(const char *function, const void *block, const char *what)
{
	message("%s(%p): %s", function, block, what);
	end_report();
	return false;
}

static bool tell_head(const char *function, const struct head *head, const char *what, bool freed)
{
	message("%s(%p): %s", function, (const void *)block_of(head), what);
	tell_block(head, freed);
	return false;
}

#define UNKNOWN "not a block of a domain, or all in front of it was overwritten"

bool debug_check(unsigned domain, const void *block, const char *function, size_t *size)
{
	const struct head *head = head_of(block);
	if (core_tag(block) == TAG_FOREIGN)
		return tell_foreign(function, block, "not a block of strata");
	if (core_tag(head) == TAG_FOREIGN || (uintptr_t)block % 16 != 0)
		return tell_foreign(function, block, UNKNOWN);
	if (head->seal == seal_for(head, STATE_FREED))
		return tell_head(function, head, "block freed twice", true);
	if (head->seal != seal_for(head, STATE_LIVE))
		return tell_foreign(function, block, UNKNOWN);
	if (!check_guards(function, head, false))
		return false;
	if (head->domain != domain)
		return tell_head(function, head, "block of another domain", false);
	*size = head->size;
	return true;
}

/* ---- Allocation ----------------------------------------------------------------------------------------------------- */

static _Atomic uint64_t serials;

static void fill_head(struct head *head, unsigned domain, size_t size, size_t offset)
{
	head->next = NULL;
	head->size = size;
	head->serial = atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed) + 1;
	head->allocated_by = stack_now();
	head->freed_by = 0;
	head->offset = (uint32_t)offset;
	head->domain = domain;
	memset(head->guard, GUARD_BYTE, sizeof head->guard);
	head->seal = seal_for(head, STATE_LIVE);
}

void *debug_allocate(unsigned domain, size_t alignment, size_t size, bool zero)
{
	size_t offset = size_max(sizeof(struct head), alignment);
	if (offset > UINT32_MAX || size > PTRDIFF_MAX - offset - GUARD_BYTES)
		return NULL;
	char *start = core_aligned(size_max(alignment, 16), offset + size + GUARD_BYTES);
	if (start == NULL)
		return NULL;
	struct head *head = head_of(start + offset);
	fill_head(head, domain, size, offset);
	unsigned char *block = block_of(head);
	memset(block, zero ? 0 : FRESH_BYTE, size);
	memset(block + size, GUARD_BYTE, (size_t)(end_of(head) - block) - size);
	return block;
}

/* ---- Quarantine: freed blocks, kept back --------------------------------------------------------------------------- */

/* The calling thread's, oldest first. Linked through the heads, which are the block's own memory and sealed; under check:1, where a block
 * has nothing in front of it, checked.c keeps a ring of pointers instead. */
static __thread struct {
	struct head *first;
	struct head *last;
	size_t bytes;
} quarantine;

static size_t weight_of(const struct head *head)
{
	return sizeof(struct head) + head->size;
}

/* What an overwritten one links to is not to be followed: it and all behind it stay where they are. */
static bool is_whole(const struct head *head, const char *function)
{
	if (likely(head->seal == seal_for(head, STATE_FREED)))
		return true;
	quarantine.first = NULL;
	quarantine.bytes = 0;
	tell_foreign(function, block_of(head), "written after it was freed, all in front of it");
	return false;
}

static void release_block(struct head *head, const char *function)
{
	const unsigned char *at = first_other(block_of(head), block_of(head) + head->size, FREED_BYTE);
	if (at != NULL)
		tell_written(function, head, at, "written after it was freed", true);
	else
		check_guards(function, head, true);
	void *start = start_of(head);
	head->seal = 0;
	strata_free(start);
}

static void evict_oldest(const char *function)
{
	struct head *head = quarantine.first;
	if (!is_whole(head, function))
		return;
	quarantine.first = head->next;
	quarantine.bytes -= weight_of(head);
	core_count_quarantined(start_of(head), -1);
	release_block(head, function);
}

void debug_free(void *block)
{
	struct head *head = head_of(block);
	head->freed_by = stack_now();
	head->seal = seal_for(head, STATE_FREED);
	memset(block, FREED_BYTE, head->size);
	/* Nobody would come to release it; and where it is counted, so must be that it went. What a thread kept while it had a heap
	 * went before it left that. */
	if (quarantine.first == NULL && (thread_self.leaving || thread_attach() == NULL)) {
		release_block(head, "domain_free");
		return;
	}
	if (quarantine.first != NULL && is_whole(quarantine.last, "domain_free")) {
		quarantine.last->next = head;
		quarantine.last->seal = seal_for(quarantine.last, STATE_FREED);
	} else {
		quarantine.first = head;
	}
	quarantine.last = head;
	quarantine.bytes += weight_of(head);
	core_count_quarantined(start_of(head), 1);
	while (quarantine.first != NULL && quarantine.bytes > options()->quarantine_bytes)
		evict_oldest("domain_free");
}

void debug_thread_end(const char *function)
{
	while (quarantine.first != NULL)
		evict_oldest(function);
}
