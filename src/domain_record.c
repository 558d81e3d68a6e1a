/* SPDX-License-Identifier: MIT */
#include "domain_record.h"

#include "domain_count.h"
#include "domain_table.h"
#include "number_stack.h"
#include "region.h"
#include "thread.h"

struct domain_record empty_record;

/* Incremented by whoever makes a record; read by whoever walks them all. Sequentially consistent, for the sake of table_set_routes:
 * either a setter, having stored diverted, sees the new record and writes to it (divert), or who made the record sees what it stored
 * (domain_table.c). */
static _Atomic uint32_t records_created;

uint32_t record_count(void)
{
	return atomic_load(&records_created);
}

/* ---- Taking and giving up ------------------------------------------------------------------------------------------- */

/* Records without a thread. */
static number_stack unused;

static _Atomic uint32_t *next_of(uint32_t number)
{
	return &record_at(number)->next_free;
}

static struct domain_record *create(void)
{
	uint32_t count = record_count();
	do {
		if (region_extend_records(count + 1) != 0)
			return NULL;
	} while (!atomic_compare_exchange_strong(&records_created, &count, count + 1));
	struct domain_record *record = record_at(count + 1);
	for (unsigned domain = 0; domain < DOMAINS; domain++)
		count_reset(record, domain);
	return record;
}

struct domain_record *record_own(void)
{
	if (likely(thread_fast.record != &empty_record))
		return thread_fast.record;
	/* The heap comes first: with it comes the call at the thread's end. */
	if (thread_self.leaving || thread_attach() == NULL)
		return NULL;
	uint32_t number = number_stack_pop(&unused, next_of);
	struct domain_record *record = number != 0 ? record_at(number) : create();
	if (record == NULL)
		return NULL;
	atomic_store_explicit(&record->taken, true, memory_order_relaxed);
	table_set_routes(record);
	thread_fast.record = record;
	return record;
}

static void give_up(struct domain_record *record)
{
	atomic_store_explicit(&record->taken, false, memory_order_relaxed);
	number_stack_push(&unused, (uint32_t)(record - region.records), next_of);
}

void record_give_up(void)
{
	struct domain_record *record = thread_fast.record;
	thread_fast.record = &empty_record;
	if (record == &empty_record)
		return;
	count_report_all(record);
	give_up(record);
}

void record_orphan_all(void)
{
	for (uint32_t number = record_count(); number > 0; number--) {
		struct domain_record *record = record_at(number);
		if (record == thread_fast.record || !atomic_load_explicit(&record->taken, memory_order_relaxed))
			continue;
		count_orphan(record);
		give_up(record);
	}
}
