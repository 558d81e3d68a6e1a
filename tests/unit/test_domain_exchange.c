/* SPDX-License-Identifier: MIT */
/*
 * The exchange of domains' tables: who waits for whom; and that no call of the default way enters a read section of RCU or
 * registers with it.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

#include "domain_support.h"

/* ---- What strata asks of liburcu: these stand in front of it -------------------------------------------------------- */

void urcu_bp_read_lock(void);
void urcu_bp_read_unlock(void);
int urcu_bp_read_ongoing(void);
static atomic_uint sections;
static __thread unsigned own_sections;
/* Called where a thread registers, as registration would: it may allocate. */
static __thread void (*while_registering)(void);

static void *next_of(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (function == NULL)
		fatal("no %s behind this program's", name);
	return function;
}

void urcu_bp_read_lock(void)
{
	static void (*real)(void);

	if (while_registering != NULL)
		while_registering();
	if (real == NULL)
		*(void **)&real = next_of("urcu_bp_read_lock");
	atomic_fetch_add(&sections, 1);
	own_sections++;
	real();
}

/* ---- From within a table -------------------------------------------------------------------------------------------- */

static int inside_result, other_result, quota_result;

static void *curious_malloc(void *ctx, size_t size)
{
	struct wrapper *wrapper = ctx;
	struct strata_domain_table got;
	struct strata_domain_stats stats;

	inside_result = strata_domain_set_table(OBJ, NULL);
	other_result = strata_domain_set_table(STRATA_DOMAIN_RAW, NULL);
	quota_result = strata_domain_set_quota(OBJ, NULL);
	if (strata_domain_get_table(OBJ, &got) != 0 || strata_domain_stats_read(OBJ, &stats, sizeof stats) != 0)
		inside_result = -1;
	/* This domain's calls come here again; others' do not. */
	if (wrapper->mallocs++ == 0)
		strata_domain_free(OBJ, strata_domain_malloc(OBJ, size));
	strata_domain_free(STRATA_DOMAIN_BUF, strata_domain_malloc(STRATA_DOMAIN_BUF, size));
	return wrapper->former.malloc(wrapper->former.ctx, size);
}

static void a_setter_within_a_table_is_refused(void **state)
{
	struct wrapper wrapper;
	struct strata_domain_table table;

	(void)state;
	wrap(OBJ, &wrapper);
	table = table_of(&wrapper);
	table.malloc = curious_malloc;
	assert_int_equal(strata_domain_set_table(OBJ, &table), 0);
	strata_domain_free(OBJ, strata_domain_malloc(OBJ, 10));
	assert_int_equal(wrapper.mallocs, 2);
	assert_int_equal(inside_result, EDEADLK);
	assert_int_equal(other_result, EDEADLK);
	assert_int_equal(quota_result, 0);
	assert_int_equal(strata_domain_set_table(OBJ, NULL), 0);
}

static void a_setter_within_a_read_section_is_refused(void **state)
{
	struct wrapper wrapper = {.mallocs = 0};
	struct strata_domain_table table = table_of(&wrapper);

	(void)state;
	urcu_bp_read_lock();
	assert_int_equal(strata_domain_set_table(OBJ, &table), EDEADLK);
	assert_int_equal(strata_domain_set_table(OBJ, NULL), EDEADLK);
	urcu_bp_read_unlock();
	call_all(OBJ);
	assert_int_equal(wrapper.mallocs, 0);
}

/* ---- The former table's context goes when the setter returns -------------------------------------------------------- */

static pthread_barrier_t inside;
static atomic_bool may_leave, has_left;

static void *slow_malloc(void *ctx, size_t size)
{
	struct wrapper *wrapper = ctx;
	void *block;

	pthread_barrier_wait(&inside);
	while (!atomic_load(&may_leave))
		continue;
	block = wrapper->former.malloc(wrapper->former.ctx, size);
	atomic_store(&has_left, true);
	return block;
}

static void *calls_slowly(void *argument)
{
	strata_domain_free(OBJ, strata_domain_malloc(OBJ, 10));
	return argument;
}

static void *lets_leave(void *argument)
{
	struct strata_domain_table got;

	/* The setter has published the new table, and can only be waiting. */
	do
		strata_domain_get_table(OBJ, &got);
	while (got.malloc == slow_malloc);
	atomic_store(&may_leave, true);
	return argument;
}

static void the_setter_waits_for_those_inside(void **state)
{
	struct wrapper wrapper;
	struct strata_domain_table table;
	pthread_t threads[2];

	(void)state;
	pthread_barrier_init(&inside, NULL, 2);
	wrap(OBJ, &wrapper);
	table = table_of(&wrapper);
	table.malloc = slow_malloc;
	assert_int_equal(strata_domain_set_table(OBJ, &table), 0);
	assert_int_equal(pthread_create(&threads[0], NULL, calls_slowly, NULL), 0);
	pthread_barrier_wait(&inside);
	assert_int_equal(pthread_create(&threads[1], NULL, lets_leave, NULL), 0);
	assert_int_equal(strata_domain_set_table(OBJ, NULL), 0);
	assert_true(atomic_load(&has_left));
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* ---- The default way has nothing to do with RCU --------------------------------------------------------------------- */

static void *counts_sections(void *calls)
{
	unsigned before = own_sections;

	for (int i = 0; i < 2000; i++)
		((void (*)(enum strata_domain))calls)((enum strata_domain)(i % 4));
	return (void *)(uintptr_t)(own_sections - before);
}

static void some_calls(enum strata_domain domain)
{
	static const size_t sizes[] = {0, 8, 100, 512, 600, 9000, 65537, 300000};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		strata_domain_free(domain, strata_domain_realloc(domain, strata_domain_malloc(domain, sizes[i]), 700));
	strata_domain_free(domain, strata_domain_calloc(domain, 3, 3));
	strata_domain_free(domain, strata_domain_aligned_alloc(domain, 64, 3));
}

static uintptr_t sections_of_a_thread(void)
{
	pthread_t thread;
	void *result;

	assert_int_equal(pthread_create(&thread, NULL, counts_sections, (void *)some_calls), 0);
	pthread_join(thread, &result);
	return (uintptr_t)result;
}

static void the_default_way_enters_no_read_section(void **state)
{
	struct wrapper wrapper;

	(void)state;
	assert_int_equal(sections_of_a_thread(), 0);
	wrap(OBJ, &wrapper);
	assert_true(sections_of_a_thread() > 0);
	assert_int_equal(strata_domain_set_table(OBJ, NULL), 0);
	assert_int_equal(sections_of_a_thread(), 0);
}

/* ---- Registration allocates, by this very domain -------------------------------------------------------------------- */

static __thread void *from_registration;

static void allocate_while_registering(void)
{
	while_registering = NULL;
	from_registration = strata_domain_malloc(OBJ, 100);
}

static void *registers(void *argument)
{
	while_registering = allocate_while_registering;
	strata_domain_free(OBJ, strata_domain_malloc(OBJ, 24));
	strata_domain_free(OBJ, from_registration);
	return from_registration != NULL ? argument : NULL;
}

static void registration_may_come_back(void **state)
{
	struct wrapper wrapper;
	uint64_t live = read_stats(OBJ).live_blocks;
	pthread_t thread;
	void *result;

	(void)state;
	wrap(OBJ, &wrapper);
	assert_int_equal(pthread_create(&thread, NULL, registers, &wrapper), 0);
	pthread_join(thread, &result);
	assert_non_null(result);
	assert_int_equal(wrapper.mallocs, 1);
	assert_int_equal(wrapper.frees, 2);
	assert_int_equal(strata_domain_set_table(OBJ, NULL), 0);
	assert_int_equal(read_stats(OBJ).live_blocks, live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_way_enters_no_read_section),
		cmocka_unit_test(a_setter_within_a_table_is_refused),
		cmocka_unit_test(a_setter_within_a_read_section_is_refused),
		cmocka_unit_test(the_setter_waits_for_those_inside),
		cmocka_unit_test(registration_may_come_back),
	};

	return cmocka_run_group_tests_name("exchange of domain tables", tests, NULL, NULL);
}
