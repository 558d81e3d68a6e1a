/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "domain_table.h"

#include "domain_builtin.h"
#include "domain_debug.h"
#include "options.h"
#include "os.h"

#include <errno.h>
#include <pthread.h>
#include <urcu-bp.h>

/*
 * The table in force; NULL: the built-in one. Sequentially consistent, as the routes are. What it points to is one of the domain's two
 * versions: the other is not looked at by anybody once the setter has waited, and so is the next setter's to write.
 */
typedef const struct strata_domain_table *table_pointer;
static STRATA_READ_MOSTLY _Atomic table_pointer in_force[DOMAINS];
/* All calls of the domain ask for the table in force: before one of a user's is, and until after it was. */
static STRATA_READ_MOSTLY _Atomic bool diverted[DOMAINS];
static struct strata_domain_table versions[DOMAINS][2];

static pthread_mutex_t setting = PTHREAD_MUTEX_INITIALIZER;

/* ---- Routes --------------------------------------------------------------------------------------------------------- */

/* The multiple that the domain's sizes are rounded up to, negative; 0: the slow path. */
static void store_route(struct domain_record *record, unsigned domain, bool is_diverted)
{
	bool slow = is_diverted || debug_is_on();
	size_t round = slow ? 0 : (size_t)-(ptrdiff_t)domain_multiple(domain);
	__atomic_store_n(&record->round[domain], round, __ATOMIC_SEQ_CST);
	__atomic_store_n(&record->most_code[domain], slow ? 0 : TAG_CODE_MASK, __ATOMIC_SEQ_CST);
}

/*
 * A setter stores diverted and then writes to all records; whoever takes a record reads diverted and then writes to his own.
 * Should the setter's write come first and be overwritten with what is out of date, the second look finds diverted changed:
 * it comes after our write, as the setter's write comes after its store, all sequentially consistent.
 */
static void set_route(struct domain_record *record, unsigned domain)
{
	bool now = atomic_load(&diverted[domain]);
	bool seen;
	do {
		seen = now;
		store_route(record, domain, seen);
		now = atomic_load(&diverted[domain]);
	} while (now != seen);
}

void table_set_routes(struct domain_record *record)
{
	for (unsigned domain = 0; domain < DOMAINS; domain++)
		set_route(record, domain);
}

static void divert(unsigned domain, bool is_diverted)
{
	atomic_store(&diverted[domain], is_diverted);
	for (uint32_t number = record_count(); number > 0; number--)
		set_route(record_at(number), domain);
}

/* ---- Calls ---------------------------------------------------------------------------------------------------------- */

/* Registration, with the first read section of a thread, may allocate: those calls take the built-in table. */
static __thread bool registering;

const struct strata_domain_table *table_enter(unsigned domain)
{
	if (likely(atomic_load_explicit(&in_force[domain], memory_order_relaxed) == NULL) || registering)
		return NULL;
	int saved_errno = errno;
	registering = true;
	urcu_bp_read_lock();
	registering = false;
	errno = saved_errno;
	const struct strata_domain_table *table = atomic_load(&in_force[domain]);
	if (table == NULL)
		urcu_bp_read_unlock();
	return table;
}

void table_leave(void)
{
	urcu_bp_read_unlock();
}

/* ---- Fork ----------------------------------------------------------------------------------------------------------- */

/* liburcu is called from the first setter on, and its handlers around fork from then on. A fork under way that did not call
 * them keeps setters from beginning: either it sees that liburcu is in use, or the setter sees it. */
static _Atomic bool in_use;    /* written by setters, before they look for forks; read by whoever forks */
static _Atomic bool all_know;  /* written by setters, after no fork was left that did not see in_use; read by setters */
static _Atomic uint32_t forks; /* written by whoever forks, before he looks at in_use; read by setters */
static __thread bool forking;  /* this thread is in between its fork's handlers: a setter would wait for it */
static __thread bool held;     /* this thread's fork has called urcu_bp_before_fork */

static void begin_use(void)
{
	if (atomic_load(&all_know))
		return;
	atomic_store(&in_use, true);
	/* Asleep: a yield leaves the processor to none who ranks below, as whoever forks may. */
	for (uint32_t count; (count = atomic_load(&forks)) != 0;)
		os_wait(&forks, count, 1);
	atomic_store(&all_know, true);
}

void table_before_fork(void)
{
	forking = true;
	atomic_fetch_add(&forks, 1);
	held = atomic_load(&in_use) && options()->urcu_fork;
	if (held)
		urcu_bp_before_fork();
}

void table_after_fork_in_parent(void)
{
	forking = false;
	if (held)
		urcu_bp_after_fork_parent();
	atomic_fetch_sub(&forks, 1);
}

/* A setter that did not come along may have stopped anywhere. */
void table_after_fork_in_child(void)
{
	forking = false;
	if (held)
		urcu_bp_after_fork_child();
	atomic_store(&forks, 0);
	pthread_mutex_init(&setting, NULL);
	for (unsigned domain = 0; domain < DOMAINS; domain++)
		divert(domain, atomic_load(&in_force[domain]) != NULL);
}

/* ---- The control plane ---------------------------------------------------------------------------------------------- */

static bool in_read_section(void)
{
	registering = true;
	int ongoing = urcu_bp_read_ongoing();
	registering = false;
	return ongoing != 0;
}

static bool is_complete(const struct strata_domain_table *table)
{
	return table->malloc != NULL && table->calloc != NULL && table->realloc != NULL && table->free != NULL;
}

/* After the new table is published nobody enters the former one, and after the grace period nobody is in it. Nobody gets a block of a
 * user's table while there is a fast path, which would take it for its own: a table may well lend parts of strata's blocks. */
static void exchange(unsigned domain, const struct strata_domain_table *table)
{
	const struct strata_domain_table *former = atomic_load(&in_force[domain]);
	struct strata_domain_table *version = NULL;
	if (table != NULL) {
		version = &versions[domain][former == &versions[domain][0]];
		*version = *table;
	}
	if (version != NULL)
		divert(domain, true);
	atomic_store(&in_force[domain], version);
	if (former != NULL)
		urcu_bp_synchronize_rcu();
	if (version == NULL)
		divert(domain, false);
}

STRATA_PUBLIC int strata_domain_set_table(enum strata_domain domain, const struct strata_domain_table *table)
{
	if (domain >= DOMAINS || (table != NULL && !is_complete(table)))
		return EINVAL;
	if (table != NULL && is_builtin_table(domain, table))
		table = NULL;
	if (forking)
		return EDEADLK;
	begin_use();
	if (in_read_section())
		return EDEADLK;
	pthread_mutex_lock(&setting);
	exchange(domain, table);
	pthread_mutex_unlock(&setting);
	return 0;
}

STRATA_PUBLIC int strata_domain_get_table(enum strata_domain domain, struct strata_domain_table *table)
{
	if (domain >= DOMAINS || table == NULL)
		return EINVAL;
	const struct strata_domain_table *user = table_enter(domain);
	*table = user != NULL ? *user : builtin_table(domain);
	if (user != NULL)
		table_leave();
	return 0;
}
