/* SPDX-License-Identifier: MIT */
/*
 * The depot of call stacks (src/stack_depot.c): each stack has one number, by which it is found again; and while the
 * system refuses memory, the room that there is for them is not used up. And of what the loader calls no stack is taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call_stack.h"
#include "os.h"
#include "stack_depot.h"
#include "support.h"

void strata_os_fail_after(long calls);
void strata_os_fail_sticky(bool sticky);

#define FRAMES 60
#define STACKS 2000
#define AGAIN 300000 /* of stacks of so many frames there is room for less than half as many */

static void *frames[FRAMES];

static stack_number put(uintptr_t number)
{
	for (uintptr_t i = 0; i < FRAMES; i++)
		frames[i] = (void *)(number << 16 | i);
	return depot_put(frames, FRAMES);
}

static void assert_known(stack_number number)
{
	void *const *found = NULL;

	assert_int_not_equal(number, 0);
	assert_int_equal(depot_get(number, &found), FRAMES);
	assert_memory_equal(found, frames, sizeof frames);
}

static void each_stack_has_one_number(void **state)
{
	static stack_number numbers[STACKS];

	(void)state;
	for (uintptr_t i = 0; i < STACKS; i++)
		numbers[i] = put(i);
	for (uintptr_t i = 0; i < STACKS; i++) {
		assert_int_equal(put(i), numbers[i]);
		assert_known(numbers[i]);
		assert_true(i == 0 || numbers[i] != numbers[i - 1]);
	}
}

static void what_is_refused_for_a_while_uses_no_room_up(void **state)
{
	uintptr_t next = STACKS;

	(void)state;
	strata_os_fail_sticky(true);
	strata_os_fail_after(1);
	while (put(next) != 0)
		next++;
	for (size_t i = 0; i < AGAIN; i++)
		if (put(next) != 0)
			fail_msg("room without memory");
	strata_os_fail_after(-1);
	assert_known(put(next));
	assert_known(put(next + 1));
}

extern void *__tls_get_addr(void *); /* a function of the loader's */

static void the_loader_is_told_from_others(void **state)
{
	(void)state;
	assert_true(os_is_loader((void *)(uintptr_t)__tls_get_addr));
	assert_false(os_is_loader((void *)(uintptr_t)put));
	assert_false(os_is_loader((void *)(uintptr_t)strlen));
	assert_false(os_is_loader(NULL));
}

static void a_call_of_the_loader_has_one_frame(void **state)
{
	void *caller = (void *)(uintptr_t)__tls_get_addr;
	void *const *found = NULL;

	(void)state;
	assert_int_equal(depot_get(call_stack_from(caller, FRAMES / 2), &found), 1);
	assert_ptr_equal(found[0], caller);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_stack_has_one_number),
		cmocka_unit_test(what_is_refused_for_a_while_uses_no_room_up),
		cmocka_unit_test(the_loader_is_told_from_others),
		cmocka_unit_test(a_call_of_the_loader_has_one_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
