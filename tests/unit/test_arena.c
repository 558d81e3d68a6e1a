/* SPDX-License-Identifier: MIT */
/*
 * Pages of an arena that are free, but not in a row (src/arena_list.c): who looks for some in a row passes over it, until pages come back
 * that make such a row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "arena.h"
#include "region.h"
#include "support.h"

#define EVERY_FOURTH UINT64_C(0x1111111111111111)

static uint8_t lack(arena_index arena)
{
	return atomic_load(&chunk_of(arena)->lacks[arena % CHUNK_ARENAS]);
}

/* The fullest arena with free pages: it is looked at before others. */
static void a_row_that_comes_back_is_found(void **state)
{
	page_index whole, row;
	arena_index arena;

	(void)state;
	assert_int_equal(region_ready(), 0);
	whole = arena_claim_span(ARENA_PAGES, 1, NULL);
	assert_int_not_equal(whole, NO_PAGE);
	arena = whole / ARENA_PAGES;
	arena_return(arena, EVERY_FOURTH);
	row = arena_claim_span(2, 1, NULL);
	assert_int_not_equal(row / ARENA_PAGES, arena);
	assert_int_equal(lack(arena), 256 - 2);
	arena_return(row / ARENA_PAGES, UINT64_C(3) << row % ARENA_PAGES);

	/* One that makes no row leaves that as it is. */
	arena_return(arena, UINT64_C(1) << 6);
	assert_int_equal(lack(arena), 256 - 2);
	arena_return(arena, UINT64_C(1) << 1);
	row = arena_claim_span(2, 1, NULL);
	assert_int_equal(row, whole);
	arena_return(arena, UINT64_C(3));
	arena_return(arena, ~(EVERY_FOURTH | UINT64_C(1) << 6 | UINT64_C(1) << 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_that_comes_back_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
