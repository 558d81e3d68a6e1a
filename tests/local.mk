# SPDX-License-Identifier: MIT
# Tests from the contract, stress programs, refusals of memory; and the targets that run them longer or under sanitizers.

if ENABLE_TESTS

# -fno-builtin: a compiler that knows malloc drops, merges or folds the very calls that are tested.
CONTRACT_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -D_GNU_SOURCE -fno-builtin -pthread
CONTRACT_LIBS = tests/unit/libsupport.la src/libstrata.la $(CMOCKA_LIBS) -ldl
# With the test build of the library, whose system pretends.
INSIDE_LIBS = tests/unit/libsupport.la src/libstrata_test.la $(CMOCKA_LIBS) -ldl
STRESS_LIBS = tests/stress/libstress.la tests/unit/libsupport.la src/libstrata.la -ldl

check_LTLIBRARIES += tests/unit/libsupport.la tests/stress/libstress.la
tests_unit_libsupport_la_SOURCES = tests/unit/support.h tests/unit/support.c
tests_unit_libsupport_la_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_libstress_la_SOURCES = tests/stress/stress.h tests/stress/stress.c
tests_stress_libstress_la_CFLAGS = $(CONTRACT_CFLAGS)

# ---- The contract ---------------------------------------------------------------------------------------------------
CONTRACT_TESTS = \
	tests/unit/test_contract_malloc \
	tests/unit/test_contract_realloc \
	tests/unit/test_contract_aligned \
	tests/unit/test_contract_native \
	tests/unit/test_contract_stats \
	tests/unit/test_options \
	tests/unit/test_limit \
	tests/unit/test_pressure \
	tests/unit/test_emergency \
	tests/unit/test_resize_refused \
	tests/unit/test_profile \
	tests/unit/test_profile_changes \
	tests/unit/test_bounds \
	tests/unit/test_retain \
	tests/unit/test_pool_purge \
	tests/unit/test_bins \
	tests/unit/test_arena \
	tests/unit/test_heap_bins \
	tests/unit/test_decline \
	tests/unit/test_huge \
	tests/unit/test_bit_word \
	tests/unit/test_compiler \
	tests/unit/test_stack_depot \
	tests/unit/test_size_class \
	tests/unit/test_slots \
	tests/unit/test_os_move \
	tests/unit/test_run_account \
	tests/unit/test_run_cache \
	tests/unit/test_watch \
	tests/unit/test_account \
	tests/unit/test_metadata \
	tests/unit/test_dead_heaps \
	tests/unit/test_fork_handlers \
	tests/unit/test_across_threads \
	tests/unit/test_cgroup \
	tests/unit/test_cgroup_tree \
	tests/unit/test_numa \
	tests/unit/test_should_move \
	tests/unit/test_domain_blocks \
	tests/unit/test_domain_count \
	tests/unit/test_domain_quota \
	tests/unit/test_domain_table \
	tests/unit/test_domain_exchange \
	tests/unit/test_typed \
	tests/unit/test_typed_cached \
	tests/unit/test_typed_idle \
	tests/unit/test_typed_threads \
	tests/unit/test_typed_asleep \
	tests/unit/test_typed_left \
	tests/unit/test_typed_stats \
	tests/unit/test_typed_tuple \
	tests/unit/test_typed_list \
	tests/unit/test_typed_dict

tests_unit_test_contract_malloc_SOURCES = tests/unit/test_contract_malloc.c
tests_unit_test_contract_malloc_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_contract_malloc_LDADD = $(CONTRACT_LIBS)
tests_unit_test_contract_realloc_SOURCES = tests/unit/test_contract_realloc.c
tests_unit_test_contract_realloc_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_contract_realloc_LDADD = $(CONTRACT_LIBS)
tests_unit_test_contract_aligned_SOURCES = tests/unit/test_contract_aligned.c
tests_unit_test_contract_aligned_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_contract_aligned_LDADD = $(CONTRACT_LIBS)
tests_unit_test_contract_native_SOURCES = tests/unit/test_contract_native.c
tests_unit_test_contract_native_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_contract_native_LDADD = $(CONTRACT_LIBS)
tests_unit_test_contract_stats_SOURCES = tests/unit/test_contract_stats.c tests/unit/well_formed.h
tests_unit_test_contract_stats_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_contract_stats_LDADD = $(CONTRACT_LIBS)

tests_unit_test_options_SOURCES = tests/unit/test_options.c
tests_unit_test_options_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_options_LDADD = $(CONTRACT_LIBS)
tests_unit_test_domain_blocks_SOURCES = tests/unit/test_domain_blocks.c
tests_unit_test_domain_blocks_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_domain_blocks_LDADD = $(CONTRACT_LIBS)
tests_unit_test_domain_count_SOURCES = tests/unit/test_domain_count.c tests/unit/domain_support.h
tests_unit_test_domain_count_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_domain_count_LDADD = $(CONTRACT_LIBS)
tests_unit_test_domain_quota_SOURCES = tests/unit/test_domain_quota.c tests/unit/domain_support.h
tests_unit_test_domain_quota_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_domain_quota_LDADD = $(CONTRACT_LIBS)
tests_unit_test_domain_table_SOURCES = tests/unit/test_domain_table.c tests/unit/domain_support.h
tests_unit_test_domain_table_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_domain_table_LDADD = $(CONTRACT_LIBS)
# Stands in front of a function of liburcu, which it must reach as a shared library.
tests_unit_test_domain_exchange_SOURCES = tests/unit/test_domain_exchange.c tests/unit/domain_support.h
tests_unit_test_domain_exchange_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_domain_exchange_LDADD = $(CONTRACT_LIBS) $(URCU_LIBS)
tests_unit_test_typed_SOURCES = tests/unit/test_typed.c tests/unit/typed_support.h
tests_unit_test_typed_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_typed_LDADD = $(CONTRACT_LIBS)
tests_unit_test_typed_cached_SOURCES = tests/unit/test_typed_cached.c tests/unit/typed_support.h
tests_unit_test_typed_cached_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_typed_cached_LDADD = $(CONTRACT_LIBS)
tests_unit_test_typed_threads_SOURCES = tests/unit/test_typed_threads.c tests/unit/typed_support.h
tests_unit_test_typed_threads_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_typed_threads_LDADD = $(CONTRACT_LIBS)
tests_unit_test_typed_asleep_SOURCES = tests/unit/test_typed_asleep.c tests/unit/typed_support.h
tests_unit_test_typed_asleep_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_typed_asleep_LDADD = $(CONTRACT_LIBS)
tests_unit_test_typed_left_SOURCES = tests/unit/test_typed_left.c tests/unit/limit_support.h
tests_unit_test_typed_left_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_typed_left_LDADD = $(INSIDE_LIBS) -lpthread
tests_unit_test_typed_stats_SOURCES = tests/unit/test_typed_stats.c tests/unit/typed_support.h
tests_unit_test_typed_stats_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_typed_stats_LDADD = $(CONTRACT_LIBS) -lpthread
tests_unit_test_typed_tuple_SOURCES = tests/unit/test_typed_tuple.c tests/unit/typed_support.h
tests_unit_test_typed_tuple_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_typed_tuple_LDADD = $(CONTRACT_LIBS)
tests_unit_test_typed_list_SOURCES = tests/unit/test_typed_list.c tests/unit/typed_support.h
tests_unit_test_typed_list_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_typed_list_LDADD = $(CONTRACT_LIBS)
tests_unit_test_typed_dict_SOURCES = tests/unit/test_typed_dict.c tests/unit/typed_support.h
tests_unit_test_typed_dict_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_typed_dict_LDADD = $(CONTRACT_LIBS)

tests_unit_test_limit_SOURCES = tests/unit/test_limit.c tests/unit/limit_support.h
tests_unit_test_limit_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_limit_LDADD = $(CONTRACT_LIBS)
tests_unit_test_pressure_SOURCES = tests/unit/test_pressure.c tests/unit/limit_support.h
tests_unit_test_pressure_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_pressure_LDADD = $(CONTRACT_LIBS)
tests_unit_test_emergency_SOURCES = tests/unit/test_emergency.c tests/unit/limit_support.h
tests_unit_test_emergency_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_emergency_LDADD = $(CONTRACT_LIBS)
tests_unit_test_resize_refused_SOURCES = tests/unit/test_resize_refused.c tests/unit/limit_support.h
tests_unit_test_resize_refused_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_resize_refused_LDADD = $(CONTRACT_LIBS)
tests_unit_test_profile_SOURCES = tests/unit/test_profile.c tests/unit/profile_support.h
tests_unit_test_profile_changes_SOURCES = tests/unit/test_profile_changes.c tests/unit/profile_support.h
tests_unit_test_profile_changes_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_profile_changes_LDADD = $(CONTRACT_LIBS) -lpthread -lm
tests_unit_test_profile_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_profile_LDADD = $(CONTRACT_LIBS) -lpthread -lm
tests_unit_test_account_SOURCES = tests/unit/test_account.c tests/unit/limit_support.h
tests_unit_test_account_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_account_LDADD = $(INSIDE_LIBS) -lpthread

tests_unit_test_metadata_SOURCES = tests/unit/test_metadata.c tests/unit/typed_support.h
tests_unit_test_metadata_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_metadata_LDADD = $(INSIDE_LIBS) -lpthread

tests_unit_test_os_move_SOURCES = tests/unit/test_os_move.c tests/mremap.h
tests_unit_test_os_move_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_os_move_LDADD = $(INSIDE_LIBS) -lpthread
tests_unit_test_slots_SOURCES = tests/unit/test_slots.c
tests_unit_test_slots_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_slots_LDADD = $(INSIDE_LIBS) -lpthread

tests_unit_test_dead_heaps_SOURCES = tests/unit/test_dead_heaps.c
tests_unit_test_dead_heaps_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_dead_heaps_LDADD = $(INSIDE_LIBS) -lpthread

tests_unit_test_fork_handlers_SOURCES = tests/unit/test_fork_handlers.c
tests_unit_test_fork_handlers_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_fork_handlers_LDADD = $(CONTRACT_LIBS) -lpthread

tests_unit_test_bit_word_SOURCES = tests/unit/test_bit_word.c
tests_unit_test_bit_word_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_bit_word_LDADD = $(INSIDE_LIBS)

tests_unit_test_compiler_SOURCES = tests/unit/test_compiler.c
tests_unit_test_compiler_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_compiler_LDADD = $(INSIDE_LIBS)
tests_unit_test_stack_depot_SOURCES = tests/unit/test_stack_depot.c
tests_unit_test_stack_depot_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_stack_depot_LDADD = $(INSIDE_LIBS)

tests_unit_test_size_class_SOURCES = tests/unit/test_size_class.c
tests_unit_test_size_class_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_size_class_LDADD = $(INSIDE_LIBS)
tests_unit_test_bins_SOURCES = tests/unit/test_bins.c
tests_unit_test_bins_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_bins_LDADD = $(CONTRACT_LIBS)
tests_unit_test_watch_SOURCES = tests/unit/test_watch.c
tests_unit_test_watch_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_watch_LDADD = $(INSIDE_LIBS)
tests_unit_test_run_account_SOURCES = tests/unit/test_run_account.c
tests_unit_test_run_account_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_run_account_LDADD = $(INSIDE_LIBS)

tests_unit_test_run_cache_SOURCES = tests/unit/test_run_cache.c
tests_unit_test_run_cache_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_run_cache_LDADD = $(INSIDE_LIBS)

tests_unit_test_arena_SOURCES = tests/unit/test_arena.c
tests_unit_test_arena_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_arena_LDADD = $(INSIDE_LIBS)
tests_unit_test_typed_idle_SOURCES = tests/unit/test_typed_idle.c tests/unit/typed_support.h
tests_unit_test_typed_idle_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_typed_idle_LDADD = $(INSIDE_LIBS)
tests_unit_test_huge_SOURCES = tests/unit/test_huge.c
tests_unit_test_huge_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_huge_LDADD = $(INSIDE_LIBS)
tests_unit_test_decline_SOURCES = tests/unit/test_decline.c
tests_unit_test_decline_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_decline_LDADD = $(INSIDE_LIBS)
tests_unit_test_heap_bins_SOURCES = tests/unit/test_heap_bins.c
tests_unit_test_heap_bins_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_heap_bins_LDADD = $(INSIDE_LIBS)
tests_unit_test_across_threads_SOURCES = tests/unit/test_across_threads.c
tests_unit_test_across_threads_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_across_threads_LDADD = $(CONTRACT_LIBS)
tests_unit_test_pool_purge_SOURCES = tests/unit/test_pool_purge.c
tests_unit_test_pool_purge_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_pool_purge_LDADD = $(CONTRACT_LIBS)
tests_unit_test_retain_SOURCES = tests/unit/test_retain.c
tests_unit_test_retain_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_retain_LDADD = $(CONTRACT_LIBS)

tests_unit_test_bounds_SOURCES = tests/unit/test_bounds.c tests/unit/typed_support.h
tests_unit_test_bounds_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_bounds_LDADD = $(CONTRACT_LIBS)
tests_unit_test_cgroup_SOURCES = tests/unit/test_cgroup.c
tests_unit_test_cgroup_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_cgroup_LDADD = $(CONTRACT_LIBS)
tests_unit_test_cgroup_tree_SOURCES = tests/unit/test_cgroup_tree.c
tests_unit_test_cgroup_tree_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_cgroup_tree_LDADD = $(INSIDE_LIBS)
tests_unit_test_numa_SOURCES = tests/unit/test_numa.c tests/unit/numa_support.h
tests_unit_test_numa_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_numa_LDADD = $(INSIDE_LIBS)
tests_unit_test_should_move_SOURCES = tests/unit/test_should_move.c
tests_unit_test_should_move_CFLAGS = $(CONTRACT_CFLAGS)
tests_unit_test_should_move_LDADD = $(CONTRACT_LIBS)

# ---- Stress: short by default, STRATA_STRESS_SECONDS lengthens -------------------------------------------------------
STRESS_TESTS = \
	tests/stress/stress_mixed \
	tests/stress/stress_handround \
	tests/stress/stress_threads \
	tests/stress/stress_producer_consumer \
	tests/stress/stress_fork \
	tests/stress/stress_realloc \
	tests/stress/stress_typed \
	tests/stress/stress_sleeping_owner \
	tests/stress/stress_claim \
	tests/stress/stress_claim_inside \
	tests/stress/stress_claim_steps \
	tests/stress/stress_domain_tables \
	tests/stress/stress_domain_parts \
	tests/stress/stress_nodes \
	tests/stress/stress_asleep

tests_stress_stress_mixed_SOURCES = tests/stress/stress_mixed.c
tests_stress_stress_mixed_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_mixed_LDADD = $(STRESS_LIBS)
tests_stress_stress_handround_SOURCES = tests/stress/stress_handround.c
tests_stress_stress_handround_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_handround_LDADD = $(STRESS_LIBS)
tests_stress_stress_threads_SOURCES = tests/stress/stress_threads.c
tests_stress_stress_threads_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_threads_LDADD = $(STRESS_LIBS)
tests_stress_stress_producer_consumer_SOURCES = tests/stress/stress_producer_consumer.c
tests_stress_stress_producer_consumer_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_producer_consumer_LDADD = $(STRESS_LIBS)
tests_stress_stress_fork_SOURCES = tests/stress/stress_fork.c
tests_stress_stress_fork_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_fork_LDADD = $(STRESS_LIBS)
tests_stress_stress_realloc_SOURCES = tests/stress/stress_realloc.c
tests_stress_stress_realloc_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_realloc_LDADD = $(STRESS_LIBS)
tests_stress_stress_typed_SOURCES = tests/stress/stress_typed.c
tests_stress_stress_typed_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_typed_LDADD = $(STRESS_LIBS)
tests_stress_stress_sleeping_owner_SOURCES = tests/stress/stress_sleeping_owner.c
tests_stress_stress_sleeping_owner_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_sleeping_owner_LDADD = $(STRESS_LIBS)
tests_stress_stress_claim_SOURCES = tests/stress/stress_claim.c
tests_stress_stress_claim_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_claim_LDADD = $(STRESS_LIBS)
tests_stress_stress_claim_steps_SOURCES = tests/stress/stress_claim_steps.c tests/lifecycle/lifecycle.h
tests_stress_stress_claim_steps_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_claim_steps_LDADD = src/libstrata_test.la -lpthread
tests_stress_stress_claim_inside_SOURCES = tests/stress/stress_claim.c
tests_stress_stress_claim_inside_CFLAGS = $(CONTRACT_CFLAGS) -DCLAIM_INSIDE
tests_stress_stress_claim_inside_LDADD = tests/stress/libstress.la tests/unit/libsupport.la src/libstrata_test.la -ldl
tests_stress_stress_domain_tables_SOURCES = tests/stress/stress_domain_tables.c
tests_stress_stress_domain_tables_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_domain_tables_LDADD = $(STRESS_LIBS)
tests_stress_stress_domain_parts_SOURCES = tests/stress/stress_domain_parts.c
tests_stress_stress_domain_parts_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_domain_parts_LDADD = $(STRESS_LIBS)
tests_stress_stress_nodes_SOURCES = tests/stress/stress_nodes.c tests/unit/numa_support.h
tests_stress_stress_nodes_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_nodes_LDADD = tests/stress/libstress.la tests/unit/libsupport.la src/libstrata_test.la -ldl
tests_stress_stress_asleep_SOURCES = tests/stress/stress_asleep.c
tests_stress_stress_asleep_CFLAGS = $(CONTRACT_CFLAGS)
tests_stress_stress_asleep_LDADD = $(STRESS_LIBS)

# ---- Memory refused -------------------------------------------------------------------------------------------------
OOM_TESTS = tests/oom/oom_nth tests/oom/oom_domain tests/oom/oom_limit tests/oom/oom_sleeper tests/oom/pretended tests/oom/purge_calls

tests_oom_oom_nth_SOURCES = tests/oom/oom_nth.c
tests_oom_oom_nth_CFLAGS = $(CONTRACT_CFLAGS)
tests_oom_oom_nth_LDADD = tests/unit/libsupport.la src/libstrata_test.la -ldl
tests_oom_oom_domain_SOURCES = tests/oom/oom_domain.c
tests_oom_oom_domain_CFLAGS = $(CONTRACT_CFLAGS)
tests_oom_oom_domain_LDADD = tests/unit/libsupport.la src/libstrata_test.la -ldl
tests_oom_purge_calls_SOURCES = tests/oom/purge_calls.c
tests_oom_purge_calls_CFLAGS = $(CONTRACT_CFLAGS)
tests_oom_purge_calls_LDADD = tests/unit/libsupport.la src/libstrata_test.la -ldl
tests_oom_oom_sleeper_SOURCES = tests/oom/oom_sleeper.c
tests_oom_oom_sleeper_CFLAGS = $(CONTRACT_CFLAGS)
tests_oom_oom_sleeper_LDADD = tests/unit/libsupport.la src/libstrata_test.la -lpthread -ldl
tests_oom_pretended_SOURCES = tests/oom/pretended.c
tests_oom_pretended_CFLAGS = $(CONTRACT_CFLAGS)
tests_oom_pretended_LDADD = tests/unit/libsupport.la src/libstrata_test.la -ldl
tests_oom_oom_limit_SOURCES = tests/oom/oom_limit.c
tests_oom_oom_limit_CFLAGS = $(CONTRACT_CFLAGS)
tests_oom_oom_limit_LDADD = tests/unit/libsupport.la src/libstrata.la -ldl

# ---- Targets --------------------------------------------------------------------------------------------------------
check_PROGRAMS += $(CONTRACT_TESTS) $(STRESS_TESTS) $(OOM_TESTS)
TESTS += $(CONTRACT_TESTS) tests/unit/test_cgroup_own.sh tests/unit/test_contract_checked.sh $(STRESS_TESTS) $(OOM_TESTS)

# Those that use native names where libc's belong to the sanitizer, and can live with it: ThreadSanitizer does not follow
# a fork into threads; address space cannot be limited under either.
TSAN_TESTS = $(filter-out %/stress_fork %/stress_asleep %/stress_claim_inside %/stress_claim_steps,$(STRESS_TESTS))
# stress_asleep measures what is resident, of which shadow memory is a part.
ASAN_TESTS = tests/unit/test_contract_native tests/oom/oom_nth \
	$(filter-out %/stress_claim_inside %/stress_claim_steps %/stress_asleep,$(STRESS_TESTS))
SANITIZE = CC='$(CC)' CXX='$(CXX)' MAKE='$(MAKE)' $(SHELL) $(top_srcdir)/tests/sanitize.sh

PHONY_TARGETS += check-long check-tsan check-asan
check-long:
	seconds=$${STRATA_STRESS_SECONDS:-30}; STRATA_STRESS_SECONDS=$$seconds; export STRATA_STRESS_SECONDS; \
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(STRESS_TESTS) $(OOM_TESTS) $(MODEL_TESTS)'
check-tsan:
	$(SANITIZE) thread $(abs_top_srcdir) $(TSAN_TESTS)
check-asan:
	$(SANITIZE) address $(abs_top_srcdir) $(ASAN_TESTS)

endif

CLEAN_TARGETS += clean-sanitized
clean-sanitized:
	rm -rf build-thread build-address

EXTRA_DIST += tests/unit/test_cgroup_own.sh tests/unit/test_contract_checked.sh tests/packages tests/mremap.h tests/programs.sh tests/sanitize.sh
