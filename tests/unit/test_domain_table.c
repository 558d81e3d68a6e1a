/* SPDX-License-Identifier: MIT */
/*
 * Tables of functions of domains: read, exchanged, wrapped.
 */
#include "domain_support.h"

static void every_call_goes_through_the_table(void **state)
{
	struct wrapper wrapper;

	(void)state;
	for (int i = 0; i < 4; i++) {
		enum strata_domain domain = (enum strata_domain)i;
		uint64_t live = read_stats(domain).live_blocks;

		call_all(domain);
		wrap(domain, &wrapper);
		call_all(domain);
		assert_int_equal(strata_domain_set_table(domain, NULL), 0);
		call_all(domain);
		assert_int_equal(wrapper.mallocs, 2);
		assert_int_equal(wrapper.callocs, 1);
		assert_int_equal(wrapper.reallocs, 1);
		assert_int_equal(wrapper.aligned, 1);
		assert_int_equal(wrapper.frees, 5);
		/* What the wrapper hands on is counted as ever. */
		assert_int_equal(read_stats(domain).live_blocks, live);
	}
}

static void other_domains_keep_theirs(void **state)
{
	struct wrapper wrapper;

	(void)state;
	wrap(OBJ, &wrapper);
	call_all(STRATA_DOMAIN_RAW);
	call_all(STRATA_DOMAIN_BUF);
	assert_int_equal(wrapper.mallocs + wrapper.frees, 0);
	assert_int_equal(strata_domain_set_table(OBJ, NULL), 0);
}

static void wrappers_wrap_wrappers(void **state)
{
	struct wrapper inner, outer;
	struct strata_domain_table got;

	(void)state;
	wrap(OBJ, &inner);
	wrap(OBJ, &outer);
	call_all(OBJ);
	assert_int_equal(outer.mallocs, 2);
	assert_int_equal(inner.mallocs, 2);
	assert_int_equal(strata_domain_set_table(OBJ, &outer.former), 0);
	assert_int_equal(strata_domain_get_table(OBJ, &got), 0);
	assert_ptr_equal(got.ctx, &inner);
	call_all(OBJ);
	assert_int_equal(outer.mallocs, 2);
	assert_int_equal(inner.mallocs, 4);
	assert_int_equal(strata_domain_set_table(OBJ, &inner.former), 0);
	call_all(OBJ);
	assert_int_equal(inner.mallocs, 4);
}

static void failures_can_be_injected(void **state)
{
	struct wrapper wrapper;
	void *blocks[3];

	(void)state;
	wrap(OBJ, &wrapper);
	wrapper.fail_from = 3;
	for (int i = 0; i < 3; i++) {
		errno = 0;
		blocks[i] = strata_domain_malloc(OBJ, 64);
	}
	assert_non_null(blocks[1]);
	assert_null(blocks[2]);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(strata_domain_set_table(OBJ, NULL), 0);
	strata_domain_free(OBJ, blocks[0]);
	strata_domain_free(OBJ, blocks[1]);
}

/* malloc's alignment reaches to 16, with the size a multiple of it; above, the table would have to know how. */
static void a_table_may_lack_aligned_alloc(void **state)
{
	struct wrapper wrapper;
	struct strata_domain_table table;
	void *block;

	(void)state;
	wrap(OBJ, &wrapper);
	table = table_of(&wrapper);
	table.aligned_alloc = NULL;
	assert_int_equal(strata_domain_set_table(OBJ, &table), 0);
	for (size_t size = 0; size < 100; size++) {
		block = strata_domain_aligned_alloc(OBJ, 16, size);
		assert_non_null(block);
		assert_true(is_aligned(block, 16));
		strata_domain_free(OBJ, block);
	}
	errno = 0;
	assert_null(strata_domain_aligned_alloc(OBJ, 32, 10));
	assert_int_equal(errno, ENOTSUP);
	assert_int_equal(strata_domain_set_table(OBJ, NULL), 0);
}

static void incomplete_tables_are_refused(void **state)
{
	struct wrapper wrapper = {.mallocs = 0};
	struct strata_domain_table table, got;

	(void)state;
	for (int missing = 0; missing < 4; missing++) {
		table = table_of(&wrapper);
		if (missing == 0)
			table.malloc = NULL;
		if (missing == 1)
			table.calloc = NULL;
		if (missing == 2)
			table.realloc = NULL;
		if (missing == 3)
			table.free = NULL;
		assert_int_equal(strata_domain_set_table(OBJ, &table), EINVAL);
	}
	table = table_of(&wrapper);
	assert_int_equal(strata_domain_set_table(STRATA_DOMAIN_TYPED, &table), EINVAL);
	assert_int_equal(strata_domain_set_table((enum strata_domain)17, NULL), EINVAL);
	assert_int_equal(strata_domain_get_table(STRATA_DOMAIN_TYPED, &got), EINVAL);
	assert_int_equal(strata_domain_get_table(OBJ, NULL), EINVAL);
	call_all(OBJ);
	assert_int_equal(wrapper.mallocs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_goes_through_the_table),
		cmocka_unit_test(other_domains_keep_theirs),
		cmocka_unit_test(wrappers_wrap_wrappers),
		cmocka_unit_test(failures_can_be_injected),
		cmocka_unit_test(a_table_may_lack_aligned_alloc),
		cmocka_unit_test(incomplete_tables_are_refused),
	};

	return cmocka_run_group_tests_name("domain tables", tests, NULL, NULL);
}
