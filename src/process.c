/* SPDX-License-Identifier: MIT */
/*
 * The library's beginning and end, a thread's end as all tiers see it, and fork. Nothing relies on when the constructor runs:
 * calls that come before it find all that they need, but for a thread's end and for fork.
 */
#include "background.h"
#include "call_stack.h"
#include "check.h"
#include "checked.h"
#include "claim.h"
#include "domain_count.h"
#include "domain_debug.h"
#include "domain_quota.h"
#include "domain_record.h"
#include "domain_table.h"
#include "fork.h"
#include "libc_names.h"
#include "options.h"
#include "profile.h"
#include "region_fit.h"
#include "run_arenas.h"
#include "stats.h"
#include "thread.h"
#include "typed_tier.h"

#include <pthread.h>

/* ---- A thread's end ------------------------------------------------------------------------------------------------- */

void process_thread_ends(void)
{
	typed_thread_end();
	debug_thread_end("free");
	checked_thread_end();
}

/* ---- Fork ----------------------------------------------------------------------------------------------------------- */

/* The forking thread's heap that the child goes on with, if no other library's handler made it leave that; NULL: none. */
static __thread struct heap *barred;

static void before_fork(void)
{
	call_stack_before_fork();
	region_fit_before_fork();
	table_before_fork();
	barred = thread_bar_heap();
	fork_begin(barred);
}

static void after_fork_in_parent(void)
{
	fork_end_in_parent();
	/* Another library's handler may have made it leave that: while a fork of another thread held it, to come home later. */
	if (barred != NULL && (thread_self.own == barred || thread_self.home == barred))
		claim_allow(barred);
	table_after_fork_in_parent();
	region_fit_after_fork_in_parent();
	call_stack_after_fork_in_parent();
}

static void after_fork_in_child(void)
{
	background_forget();
	struct heap *mine = thread_self.own == barred ? barred : NULL;
	region_fit_after_fork_in_child();
	fork_end_in_child(mine);
	thread_in_child(mine);
	if (mine != NULL)
		claim_allow(mine);
	record_orphan_all();
	quota_after_fork_in_child();
	table_after_fork_in_child();
	typed_fork_child();
	call_stack_after_fork_in_child();
	profile_fork_child();
	run_fork_child();
}

/* ---- The library's beginning and end -------------------------------------------------------------------------------- */

__attribute__((constructor(101))) static void begin(void)
{
	options();
	thread_begin();
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
	background_allow();
}

/* One that the system gives to nobody. */
static void pass_over_signal(void)
{
	message("profile_signal: %u cannot be had; passed over", (unsigned)options()->profile_signal);
	option_keep(option_find("profile_signal"), 0, NULL);
}

/* Among the program's own: of a static program the tables by which stacks are walked are registered before those, and after the first. A
 * library may be loaded for it, by a malloc that may not be called yet if it is the program's own. */
__attribute__((constructor)) static void begin_with_stacks(void)
{
	/* clang takes two names for two functions, and would decide. */
	void *(*programs_malloc)(size_t) = malloc;
	forget(programs_malloc);
	call_stack_allow();
	if (programs_malloc == own_malloc)
		profile_prepare();
	if (profile_begin() != 0)
		pass_over_signal();
	if (options()->check && profile_is_on())
		message("profile: nothing is sampled under check:1");
}

__attribute__((destructor(101))) static void end(void)
{
	background_end();
	profile_end();
	debug_thread_end("exit");
	checked_process_end();
	if (options()->print_domains)
		domain_stats_print();
	if (options()->print_types)
		typed_print_live();
	if (options()->print_stats)
		stats_print();
}
