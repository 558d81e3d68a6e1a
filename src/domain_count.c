/* SPDX-License-Identifier: MIT */
#include "domain_count.h"

#include "domain_quota.h"
#include "stats_copy.h"
#include "thread.h"

_Static_assert(DOMAIN_BATCH == STRATA_DOMAIN_BATCH, "as the interface states it");

/* What all threads share of a domain. Read and written on slow paths only. Relaxed: each word stands for itself, and what is
 * counted is at most a batch for each thread out of date anyway, and what is claimed and not had yet. Only reported is added to by a
 * release, for the child of a fork (add_reported). */
static struct total {
	/* Added to by all threads, each what it has to report; read by all. */
	_Atomic int64_t reported;     /* live bytes, but for what is pending in the records; and claims (count_claim) */
	_Atomic int64_t peak;         /* of reported, and of what was read: raised by whoever sees more, set by whoever resets it */
	_Atomic uint64_t allocations; /* by threads without a record; those of threads with one are in theirs */
	_Atomic uint64_t frees;
	_Atomic uint64_t refused;
	/* The quota, 0: none. Written by the setter (domain_quota.c, under its mutex), read by all. */
	_Atomic uint64_t soft_bytes;
	_Atomic uint64_t hard_bytes;
	/* Above soft_bytes, and that was told. Set and taken back by whoever sees it first, and by the setter; the exchange lets one
	 * thread tell. */
	_Atomic bool over;
} totals[DOMAINS] STRATA_ALIGNED(CACHE_LINE);

/* ---- One thread's --------------------------------------------------------------------------------------------------- */

/* Acquire: what changes says after them is no older; partner: the releases in store_credits. The three agree with each other
 * while no new ones are set: a thread reads its own so. */
static int64_t pending_now(const struct domain_record *record, unsigned domain)
{
	return __atomic_load_n(&record->free_credit[domain], __ATOMIC_ACQUIRE) -
	       __atomic_load_n(&record->allocate_credit[domain], __ATOMIC_ACQUIRE) -
	       __atomic_load_n(&record->balance[domain], __ATOMIC_ACQUIRE);
}

/* Release: who sees one of the three sees changes moved before, and who sees changes moved again sees all three. A thread
 * that was stopped in the middle keeps changes odd: nobody waits for it. */
static void begin_changes(struct domain_record *record)
{
	__atomic_store_n(&record->changes, record->changes + 1, __ATOMIC_RELAXED);
}

static void store_credits(struct domain_record *record, unsigned domain, int64_t pending, int64_t allocate, int64_t free)
{
	__atomic_store_n(&record->allocate_credit[domain], allocate, __ATOMIC_RELEASE);
	__atomic_store_n(&record->free_credit[domain], free, __ATOMIC_RELEASE);
	__atomic_store_n(&record->balance[domain], free - allocate - pending, __ATOMIC_RELEASE);
}

static void end_changes(struct domain_record *record)
{
	__atomic_store_n(&record->changes, record->changes + 1, __ATOMIC_RELEASE);
}

static void set_credits(struct domain_record *record, unsigned domain, int64_t pending, int64_t allocate, int64_t free)
{
	begin_changes(record);
	store_credits(record, domain, pending, allocate, free);
	end_changes(record);
}

#define LOOKS 16

static int64_t pending_in(const struct domain_record *record, unsigned domain)
{
	int64_t pending = 0;
	for (unsigned look = 0; look < LOOKS; look++) {
		uint32_t before = __atomic_load_n(&record->changes, __ATOMIC_ACQUIRE);
		pending = pending_now(record, domain);
		if (before % 2 == 0 && others_read(record->changes) == before)
			break;
	}
	return pending;
}

void count_reset(struct domain_record *record, unsigned domain)
{
	set_credits(record, domain, 0, DOMAIN_BATCH, DOMAIN_BATCH);
}

/* ---- All threads' --------------------------------------------------------------------------------------------------- */

static void note_peak(struct total *total, int64_t live)
{
	int64_t peak = atomic_load_explicit(&total->peak, memory_order_relaxed);
	while (live > peak && !atomic_compare_exchange_weak_explicit(&total->peak, &peak, live, memory_order_relaxed,
								     memory_order_relaxed))
		;
}

/* Release: changes is odd before, in a thread with a record. The child of a fork that has the sum and not yet the credits
 * must find it so (count_orphan), or it would report the same again; partner: the fork's copy. */
static int64_t add_reported(struct total *total, int64_t bytes)
{
	return atomic_fetch_add_explicit(&total->reported, bytes, memory_order_release) + bytes;
}

/* What is pending in the thread's record, which it has not told, it knows. */
static void note_own_peak(const struct domain_record *record, unsigned domain)
{
	int64_t live = atomic_load_explicit(&totals[domain].reported, memory_order_relaxed);
	note_peak(&totals[domain], record != NULL ? live + pending_now(record, domain) : live);
}

static int64_t count_pending(unsigned domain)
{
	int64_t pending = 0;
	for (uint32_t number = record_count(); number > 0; number--)
		pending += pending_in(record_at(number), domain);
	return pending;
}

/* As exact as the threads' being under way allows. */
static int64_t count_live(unsigned domain)
{
	int64_t live = atomic_load_explicit(&totals[domain].reported, memory_order_relaxed);
	return live + count_pending(domain);
}

/* ---- Quotas --------------------------------------------------------------------------------------------------------- */

static uint64_t read_limit(const _Atomic uint64_t *limit)
{
	return atomic_load_explicit(limit, memory_order_relaxed);
}

/* Whether bytes more would be too many. What is reported decides where it is clear, so that the records need not be
 * walked each time. */
static bool is_above(unsigned domain, uint64_t limit, uint64_t bytes)
{
	if (limit == 0)
		return false;
	int64_t reported = atomic_load_explicit(&totals[domain].reported, memory_order_relaxed);
	uint64_t most = at_least_zero(reported) + (uint64_t)DOMAIN_BATCH * record_count();
	if (most <= limit && bytes <= limit - most)
		return false;
	int64_t live = count_live(domain);
	uint64_t now = at_least_zero(live);
	return now > limit || bytes > limit - now;
}

/* After blocks were freed, when nobody may be called: takes note when the soft limit, which was told of, no longer is passed. */
static void note_fall(unsigned domain)
{
	struct total *total = &totals[domain];
	if (atomic_load_explicit(&total->over, memory_order_relaxed) && !is_above(domain, read_limit(&total->soft_bytes), 0))
		atomic_store_explicit(&total->over, false, memory_order_relaxed);
}

/* After an allocation: tells, once, that it has been. */
static void look_at_soft_limit(unsigned domain)
{
	struct total *total = &totals[domain];
	uint64_t soft = read_limit(&total->soft_bytes);
	if (atomic_load_explicit(&total->over, memory_order_relaxed))
		note_fall(domain);
	else if (soft != 0 && is_above(domain, soft, 0) && quota_may_call_back() &&
		 !atomic_exchange_explicit(&total->over, true, memory_order_relaxed))
		quota_call_back(domain, (uint64_t)count_live(domain));
}

/* After the domain grew or shrank. */
static void look_after_change(unsigned domain, bool grew)
{
	if (grew)
		look_at_soft_limit(domain);
	else
		note_fall(domain);
}

bool count_has_room(unsigned domain, size_t bytes)
{
	return !is_above(domain, read_limit(&totals[domain].hard_bytes), bytes);
}

void count_refused(unsigned domain)
{
	atomic_fetch_add_explicit(&totals[domain].refused, 1, memory_order_relaxed);
}

bool count_refuses(unsigned domain, size_t bytes)
{
	if (likely(count_has_room(domain, bytes)))
		return false;
	count_refused(domain);
	return true;
}

void count_unclaim(unsigned domain, size_t bytes)
{
	add_reported(&totals[domain], -(int64_t)bytes);
}

bool count_is_limited(unsigned domain)
{
	return read_limit(&totals[domain].hard_bytes) != 0;
}

/* What others pass on their own, without a look at each other, is a batch each. */
bool count_claim(unsigned domain, size_t bytes)
{
	struct total *total = &totals[domain];
	uint64_t hard = read_limit(&total->hard_bytes);
	int64_t live = add_reported(total, (int64_t)bytes);
	if (hard != 0 && at_least_zero(live) + (uint64_t)DOMAIN_BATCH * record_count() > hard &&
	    at_least_zero(live + count_pending(domain)) > hard) {
		count_unclaim(domain, bytes);
		return false;
	}
	return true;
}

void count_set_limits(unsigned domain, uint64_t soft_bytes, uint64_t hard_bytes)
{
	struct total *total = &totals[domain];
	atomic_store_explicit(&total->soft_bytes, soft_bytes, memory_order_relaxed);
	atomic_store_explicit(&total->hard_bytes, hard_bytes, memory_order_relaxed);
	atomic_store_explicit(&total->over, false, memory_order_relaxed);
}

/* ---- Reporting ------------------------------------------------------------------------------------------------------ */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* How much may be allocated before a limit that is not passed could be; 0 above a hard one: each call asks then. */
static int64_t room(const struct total *total, int64_t live)
{
	int64_t soft = (int64_t)read_limit(&total->soft_bytes);
	int64_t hard = (int64_t)read_limit(&total->hard_bytes);
	int64_t result = INT64_MAX;
	if (hard != 0)
		result = live < hard ? hard - live : 0;
	if (soft != 0 && live <= soft)
		result = least(result, soft - live);
	return result;
}

/* Tells all what is pending if it is much, or if there are limits; and gives the thread new credits. */
static void report(struct domain_record *record, unsigned domain)
{
	struct total *total = &totals[domain];
	int64_t pending = pending_now(record, domain);
	bool limited = read_limit(&total->soft_bytes) != 0 || read_limit(&total->hard_bytes) != 0;
	thread_divert_next();
	if (!limited && pending <= DOMAIN_BATCH / 2 && pending >= -DOMAIN_BATCH / 2) {
		set_credits(record, domain, pending, DOMAIN_BATCH - pending, DOMAIN_BATCH + pending);
		return;
	}
	begin_changes(record);
	int64_t live = add_reported(total, pending);
	note_peak(total, live);
	int64_t to_soft = live - (int64_t)read_limit(&total->soft_bytes);
	bool over = atomic_load_explicit(&total->over, memory_order_relaxed);
	store_credits(record, domain, 0, least(DOMAIN_BATCH, room(total, live)),
		      over && to_soft >= 0 ? least(DOMAIN_BATCH, to_soft) : DOMAIN_BATCH);
	end_changes(record);
}

void count_report_all(struct domain_record *record)
{
	for (unsigned domain = 0; domain < DOMAINS; domain++) {
		begin_changes(record);
		note_peak(&totals[domain], add_reported(&totals[domain], pending_now(record, domain)));
		store_credits(record, domain, 0, DOMAIN_BATCH, DOMAIN_BATCH);
		end_changes(record);
	}
}

/* In which of the domains the thread was stopped, before or after it had reported, is not known: what is pending in each is
 * at most a batch. */
static void forget_pending(struct domain_record *record)
{
	owner_add(record->changes, 1);
	for (unsigned domain = 0; domain < DOMAINS; domain++)
		count_reset(record, domain);
}

void count_orphan(struct domain_record *record)
{
	if (record->changes % 2 != 0)
		forget_pending(record);
	else
		count_report_all(record);
}

/* Not by the credits, of which a thread that is stopped while it sets them may show a batch too much. */
static bool is_large(int64_t bytes)
{
	return bytes > DOMAIN_BATCH || bytes < -DOMAIN_BATCH;
}

static bool claim_or_refuse(const struct domain_record *record, unsigned domain, size_t bytes)
{
	if (!count_claim(domain, bytes)) {
		count_refused(domain);
		return false;
	}
	note_own_peak(record, domain);
	return true;
}

bool count_report_allocated(struct domain_record *record, unsigned domain, size_t bytes)
{
	owner_add(record->allocate_credit[domain], (int64_t)bytes);
	bool large = is_large((int64_t)bytes);
	if (large ? !claim_or_refuse(record, domain, bytes) : count_refuses(domain, bytes)) {
		owner_add(record->allocations[domain], -1);
		return false;
	}
	if (!large)
		owner_add(record->allocate_credit[domain], -(int64_t)bytes);
	report(record, domain);
	look_at_soft_limit(domain);
	return true;
}

void count_report_freed(struct domain_record *record, unsigned domain)
{
	report(record, domain);
	note_fall(domain);
}

/* ---- One block ------------------------------------------------------------------------------------------------------ */

/* To the totals: where there is no record, and what is large. What the thread may do by itself changes with it. */
static void count_at_once(struct domain_record *record, unsigned domain, int64_t bytes, bool grew)
{
	add_reported(&totals[domain], bytes);
	note_own_peak(record, domain);
	if (record != NULL)
		report(record, domain);
	look_after_change(domain, grew);
}

bool count_allocated(unsigned domain, size_t bytes)
{
	struct domain_record *record = record_own();
	if (unlikely(record == NULL)) {
		if (!claim_or_refuse(record, domain, bytes))
			return false;
		look_at_soft_limit(domain);
		atomic_fetch_add_explicit(&totals[domain].allocations, 1, memory_order_relaxed);
		return true;
	}
	owner_add(record->allocations[domain], 1);
	owner_add(record->allocate_credit[domain], -(int64_t)bytes);
	return record->allocate_credit[domain] >= 0 || count_report_allocated(record, domain, bytes);
}

void count_freed(unsigned domain, size_t bytes)
{
	struct domain_record *record = record_own();
	if (unlikely(record == NULL)) {
		atomic_fetch_add_explicit(&totals[domain].frees, 1, memory_order_relaxed);
		count_at_once(NULL, domain, -(int64_t)bytes, false);
		return;
	}
	owner_add(record->frees[domain], 1);
	if (is_large((int64_t)bytes)) {
		count_at_once(record, domain, -(int64_t)bytes, false);
		return;
	}
	owner_add(record->free_credit[domain], -(int64_t)bytes);
	if (record->free_credit[domain] < 0)
		count_report_freed(record, domain);
}

void count_resized(unsigned domain, size_t old, size_t claimed, size_t bytes)
{
	struct domain_record *record = record_own();
	int64_t more = (int64_t)bytes - (int64_t)(old + claimed);
	if (record == NULL || claimed != 0 || is_large(more)) {
		count_at_once(record, domain, more, bytes > old);
		return;
	}
	if (more >= 0)
		owner_add(record->allocate_credit[domain], -more);
	else
		owner_add(record->free_credit[domain], more);
	if (record->allocate_credit[domain] < 0 || record->free_credit[domain] < 0) {
		report(record, domain);
		look_after_change(domain, more > 0);
	}
}

/* ---- Reading -------------------------------------------------------------------------------------------------------- */

void count_read(unsigned domain, struct strata_domain_stats *stats)
{
	struct total *total = &totals[domain];
	int64_t live = count_live(domain);
	note_peak(total, live);
	stats->live_bytes = at_least_zero(live);
	stats->peak_bytes = (uint64_t)atomic_load_explicit(&total->peak, memory_order_relaxed);
	stats->refused = atomic_load_explicit(&total->refused, memory_order_relaxed);
	/* Frees first: a block that is freed meanwhile was allocated, too, by the time that is read. */
	stats->frees = atomic_load_explicit(&total->frees, memory_order_relaxed);
	for (uint32_t number = record_count(); number > 0; number--)
		stats->frees += others_read(record_at(number)->frees[domain]);
	/* The reads stay in that order. What a block's allocation wrote came before its free by whatever handed the block on. */
	atomic_thread_fence(memory_order_acquire);
	stats->allocations = atomic_load_explicit(&total->allocations, memory_order_relaxed);
	for (uint32_t number = record_count(); number > 0; number--)
		stats->allocations += others_read(record_at(number)->allocations[domain]);
	stats->live_blocks = at_least_zero((int64_t)(stats->allocations - stats->frees));
}

void count_reset_peak(unsigned domain)
{
	atomic_store_explicit(&totals[domain].peak, (int64_t)at_least_zero(count_live(domain)), memory_order_relaxed);
}
