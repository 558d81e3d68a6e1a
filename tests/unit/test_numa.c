/* SPDX-License-Identifier: MIT */
/*
 * Free arenas are kept by node: with the test build of the library, to which a file of the test's own says which nodes the
 * machine has, and a function on which of them a thread runs. What the machine has is learnt at the first call, which is before
 * main: the program begins itself again for each topology.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "arena.h"
#include "arena_node.h"
#include "arena_purge.h"
#include "arena_whole.h"
#include "heap.h"
#include "numa.h"
#include "numa_support.h"
#include "region.h"
#include "support.h"

#define ALL_PAGES UINT64_MAX
#define SOME_PAGES UINT64_C(0xffff)

/* ---- Claimed by a thread of that node ------------------------------------------------------------------------------- */

/* An arena without a free page. */
static arena_index full_arena(int node)
{
	arena_index arena;

	node_now = node;
	assert_true(arena_claim_pages(64, 64, NULL, &arena) == ALL_PAGES);
	return arena;
}

/* One of which 16 pages are free: in a bucket of fuller arenas than any that the program itself uses. */
static arena_index listed_arena(int node)
{
	arena_index arena = full_arena(node);

	arena_return(arena, SOME_PAGES);
	return arena;
}

static arena_index whole_arena(int node)
{
	arena_index arena;

	node_now = node;
	arena = arena_claim_whole(1, 1);
	assert_true(arena != NO_ARENA);
	arena_count_taken(arena, 1);
	arena_mark_dirty(arena, ALL_PAGES);
	return arena;
}

/* Where a thread on that node finds 8 pages; they go back. */
static arena_index found_by(int node)
{
	arena_index arena;
	uint64_t pages;

	node_now = node;
	pages = arena_claim_pages(8, 8, NULL, &arena);
	assert_int_equal(__builtin_popcountll(pages), 8);
	arena_return(arena, pages);
	return arena;
}

/* Returns what is in use of listed arenas. */
static void give_up(arena_index arena)
{
	arena_return(arena, ~atomic_load(&region.arenas[arena].free));
}

/* Nothing that is free costs memory, and so nothing has a node. */
static int purged(void **state)
{
	(void)state;
	arena_purge(SIZE_MAX, 0);
	return 0;
}

/* ---- By node -------------------------------------------------------------------------------------------------------- */

static void an_arena_is_on_the_node_of_who_claims_it(void **state)
{
	arena_index two = full_arena(2), three = full_arena(3);

	(void)state;
	assert_int_equal(arena_node(two), 2);
	assert_int_equal(arena_node(three), 3);
	give_up(two);
	give_up(three);
}

static void so_are_all_arenas_of_a_large_block(void **state)
{
	char *block;

	(void)state;
	node_now = 3;
	block = strata_malloc(20 * MIB);
	assert_non_null(block);
	for (size_t at = 0; at < 20 * MIB; at += ARENA_SIZE)
		assert_int_equal(arena_node(page_of(block + at) / ARENA_PAGES), 3);
	strata_free(block);
}

/* By address alone node 3 would find what lies first. */
static void pages_are_found_on_the_own_node(void **state)
{
	arena_index two = listed_arena(2), three = listed_arena(3), second_two = listed_arena(2);

	(void)state;
	assert_true(two < three && three < second_two);
	assert_int_equal(found_by(3), three);
	assert_int_equal(found_by(2), two);
	node_now = 2;
	assert_true(arena_claim_exactly(two, SOME_PAGES));
	assert_int_equal(found_by(2), second_two);
	arena_return(two, SOME_PAGES);
	give_up(two);
	give_up(three);
	give_up(second_two);
}

/* Nor does it matter how many of another node lie before it: the search goes through those of the own one alone. */
static void and_behind_many_of_another(void **state)
{
	enum { MANY = 3 * CHUNK_ARENAS };
	static arena_index others[MANY];
	arena_index three;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		others[i] = listed_arena(2);
	three = listed_arena(3);
	assert_int_equal(found_by(3), three);
	assert_true(found_by(2) < three);
	for (size_t i = 0; i < MANY; i++)
		give_up(others[i]);
	give_up(three);
}

static void what_another_node_has_free_comes_before_new_memory(void **state)
{
	arena_index two = listed_arena(2);

	(void)state;
	assert_int_equal(found_by(3), two);
	assert_int_equal(arena_node(two), 2);
	give_up(two);
}

/* It would be new memory as well, and lie among the other node's. */
static void what_costs_nothing_is_left_to_its_node(void **state)
{
	arena_index two = listed_arena(2), three;

	(void)state;
	purged(NULL);
	three = found_by(3);
	assert_true(three != two);
	assert_int_equal(found_by(2), two);
	give_up(two);
}

static void whole_arenas_are_found_on_the_own_node(void **state)
{
	arena_index two = whole_arena(2), three = whole_arena(3);

	(void)state;
	arena_return_whole(two, 1);
	arena_return_whole(three, 1);
	assert_true(two < three);
	assert_int_equal(whole_arena(3), three);
	assert_int_equal(whole_arena(2), two);
	arena_return_whole(two, 1);
	assert_int_equal(whole_arena(1), two);
	assert_int_equal(arena_node(two), 1);
	arena_return_whole(two, 1);
	arena_return_whole(three, 1);
}

static void an_unused_arena_comes_before_pages_of_another_node(void **state)
{
	arena_index two = listed_arena(2), three = whole_arena(3);

	(void)state;
	arena_return_whole(three, 1);
	assert_int_equal(found_by(3), three);
	give_up(two);
}

/* Claimed by a thread there, as it is: of what it has on that node nothing is lost; on another all is, for as much there. */
static void claim_from(int node, arena_index arena, char content)
{
	char *start = page_start(arena * ARENA_PAGES);

	node_now = node;
	assert_true(arena_claim_whole_exactly(arena, 1));
	assert_int_equal(arena_node(arena), node);
	assert_int_equal(*start, content);
	*start = 1;
	arena_count_taken(arena, 1);
	arena_mark_dirty(arena, ALL_PAGES);
	arena_return_whole(arena, 1);
}

static void what_another_node_has_goes_back(void **state)
{
	arena_index arena = whole_arena(2);

	(void)state;
	arena_return_whole(arena, 1);
	claim_from(3, arena, 0);
	claim_from(3, arena, 1);
	claim_from(2, arena, 0);
	claim_from(2, arena, 1);
}

static struct heap *heap_from(int node)
{
	struct heap *heap;

	node_now = node;
	heap = heap_acquire(false);
	assert_non_null(heap);
	return heap;
}

static void leave_heap(int node, struct heap *heap)
{
	node_now = node;
	heap_release(heap);
}

/* The last that was left comes first where nodes are not told apart. */
static void the_heaps_of_threads_that_ended_are_found_on_their_node(void **state)
{
	struct heap *two = heap_from(2), *three = heap_from(3), *first;

	(void)state;
	leave_heap(2, two);
	leave_heap(3, three);
	assert_ptr_equal(heap_from(2), two);
	leave_heap(2, two);
	assert_ptr_equal(heap_from(3), three);
	leave_heap(3, three);
	first = heap_from(1);
	assert_true(first == two || first == three);
	leave_heap(1, first);
}

/* Neither known nor told apart: the lowest address, as without nodes. */
static void a_thread_whose_node_is_not_known_is_served(void **state)
{
	const int unknown[] = {-ENOSYS, -EFAULT, 4, 63, 64, 100000, INT32_MAX, INT32_MIN};
	arena_index two = listed_arena(2), three = listed_arena(3), nowhere;

	(void)state;
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		node_now = unknown[i];
		assert_int_equal(numa_here(), ANY_NODE);
		assert_int_equal(found_by(unknown[i]), two);
		nowhere = full_arena(unknown[i]);
		assert_int_equal(arena_node(nowhere), ANY_NODE);
		give_up(nowhere);
		purged(NULL);
	}
	give_up(two);
	give_up(three);
}

/* ---- Through malloc ------------------------------------------------------------------------------------------------- */

#define BLOCKS 3000
#define BLOCK_BYTES 3000

struct tenant {
	pthread_t thread;
	int node;
	pthread_barrier_t *barrier;
	char *blocks[BLOCKS];
};

static void *take_turns(void *argument)
{
	struct tenant *tenant = argument;

	node_now = tenant->node;
	for (size_t i = 0; i < BLOCKS; i++) {
		tenant->blocks[i] = strata_malloc(BLOCK_BYTES);
		if (tenant->blocks[i] == NULL)
			fatal("no memory");
		if (i % 100 == 0)
			pthread_barrier_wait(tenant->barrier);
	}
	return NULL;
}

static size_t blocks_on(const struct tenant *tenant, unsigned node)
{
	size_t count = 0;

	for (size_t i = 0; i < BLOCKS; i++)
		count += arena_node(page_of(tenant->blocks[i]) / ARENA_PAGES) == node;
	return count;
}

/* Both grow at the same time: neither takes pages from the arenas of the other, but for those that it gave back. */
static void two_threads_that_grow_keep_apart(void **state)
{
	static struct tenant tenants[2] = {{.node = 2}, {.node = 3}};
	pthread_barrier_t barrier;

	(void)state;
	pthread_barrier_init(&barrier, NULL, 2);
	for (size_t i = 0; i < 2; i++) {
		tenants[i].barrier = &barrier;
		assert_int_equal(pthread_create(&tenants[i].thread, NULL, take_turns, &tenants[i]), 0);
	}
	for (size_t i = 0; i < 2; i++)
		pthread_join(tenants[i].thread, NULL);
	pthread_barrier_destroy(&barrier);
	assert_in_range(blocks_on(&tenants[0], 2), BLOCKS * 9 / 10, BLOCKS);
	assert_in_range(blocks_on(&tenants[1], 3), BLOCKS * 9 / 10, BLOCKS);
	for (size_t i = 0; i < 2; i++)
		for (size_t block = 0; block < BLOCKS; block++)
			strata_free(tenants[i].blocks[block]);
}

static int on_four_nodes(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_arena_is_on_the_node_of_who_claims_it, purged),
		cmocka_unit_test_setup(so_are_all_arenas_of_a_large_block, purged),
		cmocka_unit_test_setup(pages_are_found_on_the_own_node, purged),
		cmocka_unit_test_setup(and_behind_many_of_another, purged),
		cmocka_unit_test_setup(what_another_node_has_free_comes_before_new_memory, purged),
		cmocka_unit_test_setup(what_costs_nothing_is_left_to_its_node, purged),
		cmocka_unit_test_setup(whole_arenas_are_found_on_the_own_node, purged),
		cmocka_unit_test_setup(an_unused_arena_comes_before_pages_of_another_node, purged),
		cmocka_unit_test_setup(what_another_node_has_goes_back, purged),
		cmocka_unit_test_setup(the_heaps_of_threads_that_ended_are_found_on_their_node, purged),
		cmocka_unit_test_setup(a_thread_whose_node_is_not_known_is_served, purged),
		cmocka_unit_test_setup(two_threads_that_grow_keep_apart, purged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* ---- Where memory is refused ---------------------------------------------------------------------------------------- */

#define REGION_ARENAS 4096 /* 1 GiB */

/* The last arena alone has free pages, which first cost memory and then do not. */
static void in_a_full_region_any_nodes_pages_serve(void **state)
{
	static arena_index arenas[REGION_ARENAS];
	size_t count = 0;
	arena_index last;

	(void)state;
	assert_int_equal(region.arena_limit, REGION_ARENAS);
	node_now = 2;
	while (count < REGION_ARENAS && arena_claim_pages(64, 64, NULL, &arenas[count]) != 0)
		count++;
	assert_in_range(count, REGION_ARENAS - 16, REGION_ARENAS - 1);
	last = arenas[count - 1];
	arena_return(last, SOME_PAGES);
	assert_int_equal(found_by(3), last);
	purged(NULL);
	assert_int_equal(found_by(3), last);
	assert_int_equal(found_by(2), last);
	give_up(last);
	for (size_t i = 0; i + 1 < count; i++)
		arena_return(arenas[i], ALL_PAGES);
}

static int in_a_small_region(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup(in_a_full_region_any_nodes_pages_serve, purged)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* ---- Not by node ---------------------------------------------------------------------------------------------------- */

static void nothing_is_kept_by_node(void **state)
{
	arena_index two = listed_arena(2), three = listed_arena(3);

	(void)state;
	assert_int_equal(numa_nodes(), 1);
	assert_int_equal(numa_here(), ANY_NODE);
	assert_null(region.node_arenas);
	assert_null(region.node_listed);
	assert_int_equal(arena_node(three), ANY_NODE);
	assert_int_equal(found_by(3), two);
	give_up(two);
	give_up(three);
}

static int on_one_node(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup(nothing_is_kept_by_node, purged)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* ---- What the machine says ------------------------------------------------------------------------------------------ */

static void expect_nodes(const char *list, const char *expected)
{
	if (run_on_nodes(list, "numa:auto", expected) != 0)
		fatal("not %s nodes by the list %s", expected, list != NULL ? list : "that is not there");
}

static void lists_are_understood(void **state)
{
	(void)state;
	expect_nodes("0\n", "1");
	expect_nodes("1\n", "1");
	expect_nodes("0-1\n", "2");
	expect_nodes("0,8\n", "9");
	expect_nodes("0-1,16-17\n", "18");
	expect_nodes("0-99\n", "64");
	expect_nodes("0-4294967297\n", "64");
	expect_nodes("\n", "1");
	expect_nodes("none\n", "1");
	expect_nodes("", "1");
	expect_nodes(NULL, "1");
}

static void arenas_are_kept_by_node(void **state)
{
	(void)state;
	assert_int_equal(run_on_nodes("0-3\n", "numa:auto", "four"), 0);
	assert_int_equal(run_on_nodes("0-3\n", "numa:auto,purge:free", "four"), 0);
	assert_int_equal(run_on_nodes("0-3\n", "numa:auto,reserve:1G", "small"), 0);
}

static void and_not_where_there_is_one_or_it_is_off(void **state)
{
	(void)state;
	assert_int_equal(run_on_nodes("0\n", "numa:auto", "one"), 0);
	assert_int_equal(run_on_nodes("0-3\n", "numa:off", "one"), 0);
}

static int begin_again(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_understood),
		cmocka_unit_test(arenas_are_kept_by_node),
		cmocka_unit_test(and_not_where_there_is_one_or_it_is_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int count, char **arguments)
{
	if (count == 1)
		return begin_again();
	set_decay(STOPPED);
	strata_os_pretend_node(pretended_node);
	if (strcmp(arguments[1], "four") == 0)
		return on_four_nodes();
	if (strcmp(arguments[1], "small") == 0)
		return in_a_small_region();
	if (strcmp(arguments[1], "one") == 0)
		return on_one_node();
	return numa_nodes() != (unsigned)atoi(arguments[1]);
}
