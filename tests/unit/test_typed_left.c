/* SPDX-License-Identifier: MIT */
/* A thread that ends while another has claimed its typed lists: who may not run callbacks runs none for it either. */
#include <pthread.h>
#include <semaphore.h>

#include <strata/typed.h>

#include "limit_support.h"

/* The test build of the library has it (src/os.h). */
void strata_os_before_barrier(void (*call)(void));

#define OBJECTS 300

static size_t destroyed;

static void destroy(void *object, size_t size, void *context)
{
	(void)object, (void)size, (void)context;
	destroyed++;
}

static strata_type *plain, *watched;
static pthread_t owner;
static sem_t has_lists, may_end;

static void fill(strata_type *type)
{
	static void *objects[OBJECTS];

	for (size_t i = 0; i < OBJECTS; i++)
		if ((objects[i] = strata_type_alloc(type)) == NULL)
			fatal("no memory");
	for (size_t i = 0; i < OBJECTS; i++)
		strata_type_free(type, objects[i]);
}

static void *fills_and_ends(void *unused)
{
	fill(plain);
	fill(watched);
	sem_post(&has_lists);
	sem_wait(&may_end);
	return unused;
}

static bool has_ended;
static size_t destroyed_by_the_owner;

/* The lists of the one type, which may be claimed, are claimed just now, and the owner's cache with them. */
static void the_owner_ends(void)
{
	strata_os_before_barrier(NULL);
	sem_post(&may_end);
	if (pthread_join(owner, NULL) != 0)
		fatal("pthread_join");
	has_ended = true;
	destroyed_by_the_owner = destroyed;
}

static uint64_t cached(strata_type *type)
{
	struct strata_type_stats stats;

	assert_int_equal(strata_type_stats_read(type, &stats, sizeof stats), 0);
	return stats.cached_objects;
}

static void a_refused_call_destroys_nothing_of_who_ended(void **state)
{
	struct strata_type_info info = {.name = "plain", .size = 1000};
	uint64_t before;
	void *most;

	(void)state;
	plain = strata_type_register(&info, sizeof info);
	info.name = "watched";
	info.destroy = destroy;
	watched = strata_type_register(&info, sizeof info);
	assert_true(plain && watched);
	sem_init(&has_lists, 0, 0);
	sem_init(&may_end, 0, 0);
	assert_int_equal(pthread_create(&owner, NULL, fills_and_ends, NULL), 0);
	sem_wait(&has_lists);
	/* Who has none does not look for others'. */
	strata_type_free(plain, strata_type_alloc(plain));
	before = cached(watched);
	assert_true(cached(plain) > 0 && before > 0);
	destroyed = 0;
	/* No other list has room for them. */
	set("typed_cache_all", 1);
	/* Not by a trim, which would take them. */
	set("limit", totals().heap_bytes + ROOM);
	most = malloc(opaque(ROOM / 2));
	assert_non_null(most);
	strata_os_before_barrier(the_owner_ends);
	assert_null(malloc(opaque(ROOM - MIB)));
	free(most);
	assert_true(has_ended);
	assert_int_equal(destroyed_by_the_owner, 0);
	assert_int_equal(destroyed, 0);
	assert_int_equal(cached(plain), 0);
	assert_int_equal(cached(watched), before);
	assert_int_equal(strata_type_unregister(watched, NULL), 0);
	assert_int_equal(destroyed, before);
	assert_int_equal(strata_type_unregister(plain, NULL), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_refused_call_destroys_nothing_of_who_ended, no_limits),
	};

	(void)argc;
	leave_out_the_container(argv);
	require_strata_serves_malloc();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
