# SPDX-License-Identifier: MIT
# Misuse: one tiny program each, without strata; the driver preloads it and knows what each must say.

MISUSE_CASES = \
	tests/misuse/alignments \
	tests/misuse/carried_overwritten_by_threads \
	tests/misuse/carried_zeroed_by_threads \
	tests/misuse/carrier_overwritten_by_threads \
	tests/misuse/domain_from_malloc \
	tests/misuse/foreign_by_cancelled \
	tests/misuse/foreign_mapping \
	tests/misuse/foreign_realloc \
	tests/misuse/foreign_stack \
	tests/misuse/foreign_static \
	tests/misuse/foreign_usable_size \
	tests/misuse/freed_usable_size \
	tests/misuse/interior_by_another \
	tests/misuse/interior_medium \
	tests/misuse/interior_object \
	tests/misuse/interior_run \
	tests/misuse/interior_run_start \
	tests/misuse/link_overwritten \
	tests/misuse/link_overwritten_by_threads \
	tests/misuse/link_overwritten_early \
	tests/misuse/random_overwritten \
	tests/misuse/settings \
	tests/misuse/sizes \
	tests/misuse/twice_amid_batches \
	tests/misuse/twice_at_exit_of_thread \
	tests/misuse/twice_after_batch \
	tests/misuse/twice_by_another \
	tests/misuse/twice_by_realloc \
	tests/misuse/twice_by_threads \
	tests/misuse/twice_in_a_row \
	tests/misuse/twice_in_batch \
	tests/misuse/twice_in_empty_arena \
	tests/misuse/twice_in_idle_bin \
	tests/misuse/twice_in_medium_pool \
	tests/misuse/twice_in_pool \
	tests/misuse/twice_into_bin \
	tests/misuse/twice_mapping \
	tests/misuse/twice_run \
	tests/misuse/twice_then_allocated \
	tests/misuse/twice_then_idle \
	tests/misuse/twice_where_kept \
	tests/misuse/typed_foreign \
	tests/misuse/typed_from_malloc \
	tests/misuse/typed_from_malloc_zero \
	tests/misuse/typed_other_length \
	tests/misuse/typed_other_shape \
	tests/misuse/typed_other_shape_list \
	tests/misuse/typed_other_type \
	tests/misuse/typed_other_type_later \
	tests/misuse/typed_other_type_same_size \
	tests/misuse/typed_past_end \
	tests/misuse/typed_twice \
	tests/misuse/typed_twice_in_a_row \
	tests/misuse/typed_unregistered \
	tests/misuse/typed_unregistered_tuple \
	tests/misuse/written_after_free \
	tests/misuse/written_after_free_evicted \
	tests/misuse/written_after_free_kept \
	tests/misuse/written_past_end \
	tests/misuse/written_past_end_full \
	tests/misuse/written_past_end_realloc \
	tests/misuse/written_past_end_run \
	tests/misuse/wrong_size

# The same for the domains' debug hooks.
DOMAIN_CASES = \
	tests/misuse/domain_after_free \
	tests/misuse/domain_after_free_evicted \
	tests/misuse/domain_after_realloc \
	tests/misuse/domain_before_start \
	tests/misuse/domain_far_before_start \
	tests/misuse/domain_foreign \
	tests/misuse/domain_foreign_stack \
	tests/misuse/domain_inside \
	tests/misuse/domain_past_end \
	tests/misuse/domain_past_end_realloc \
	tests/misuse/domain_twice \
	tests/misuse/domain_wrong

if ENABLE_TESTS
check_PROGRAMS += tests/misuse/test_misuse tests/misuse/test_domain_debug $(MISUSE_CASES) $(DOMAIN_CASES)
TESTS += tests/misuse/test_misuse tests/misuse/test_domain_debug

tests_misuse_test_domain_debug_SOURCES = tests/misuse/test_domain_debug.c tests/misuse/driver.h tests/misuse/driver.c
tests_misuse_test_domain_debug_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_misuse_test_domain_debug_LDADD = $(CMOCKA_LIBS)
tests_misuse_domain_after_free_LDADD = -ldl
tests_misuse_domain_after_free_evicted_LDADD = -ldl
tests_misuse_domain_after_realloc_LDADD = -ldl
tests_misuse_domain_before_start_LDADD = -ldl
tests_misuse_domain_far_before_start_LDADD = -ldl
tests_misuse_domain_foreign_LDADD = -ldl
tests_misuse_domain_foreign_stack_LDADD = -ldl
tests_misuse_domain_inside_LDADD = -ldl
tests_misuse_domain_past_end_LDADD = -ldl
tests_misuse_domain_past_end_realloc_LDADD = -ldl
tests_misuse_domain_twice_LDADD = -ldl
tests_misuse_domain_wrong_LDADD = -ldl

tests_misuse_test_misuse_SOURCES = tests/misuse/test_misuse.c tests/misuse/driver.h tests/misuse/driver.c
tests_misuse_test_misuse_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_misuse_test_misuse_LDADD = $(CMOCKA_LIBS)

tests_misuse_carried_overwritten_by_threads_LDADD = -lpthread
tests_misuse_carried_zeroed_by_threads_LDADD = -lpthread
tests_misuse_carrier_overwritten_by_threads_LDADD = -lpthread
tests_misuse_foreign_by_cancelled_LDADD = -lpthread
tests_misuse_interior_by_another_LDADD = -lpthread
tests_misuse_link_overwritten_early_LDADD = -lpthread
tests_misuse_twice_amid_batches_LDADD = -lpthread -ldl
tests_misuse_twice_after_batch_LDADD = -lpthread
tests_misuse_twice_by_another_LDADD = -lpthread
tests_misuse_twice_in_batch_LDADD = -lpthread
tests_misuse_twice_into_bin_LDADD = -lpthread
tests_misuse_link_overwritten_by_threads_LDADD = -lpthread
tests_misuse_twice_at_exit_of_thread_LDADD = -lpthread
tests_misuse_twice_by_threads_LDADD = -lpthread
tests_misuse_twice_then_allocated_LDADD = -lpthread
tests_misuse_twice_where_kept_LDADD = -lpthread
tests_misuse_domain_from_malloc_LDADD = -ldl
tests_misuse_random_overwritten_LDADD = -ldl
tests_misuse_wrong_size_LDADD = -ldl
tests_misuse_typed_foreign_LDADD = -ldl
tests_misuse_typed_from_malloc_LDADD = -ldl
tests_misuse_typed_from_malloc_zero_LDADD = -ldl
tests_misuse_typed_other_length_LDADD = -ldl
tests_misuse_typed_other_shape_LDADD = -ldl
tests_misuse_typed_other_shape_list_LDADD = -ldl
tests_misuse_typed_other_type_LDADD = -ldl
tests_misuse_typed_other_type_later_LDADD = -ldl
tests_misuse_typed_other_type_same_size_LDADD = -ldl
tests_misuse_typed_past_end_LDADD = -ldl
tests_misuse_typed_twice_LDADD = -ldl
tests_misuse_typed_twice_in_a_row_LDADD = -ldl
tests_misuse_typed_unregistered_LDADD = -ldl
tests_misuse_typed_unregistered_tuple_LDADD = -ldl
endif

# Those whose source automake finds by their name are not seen to include it.
EXTRA_DIST += tests/misuse/by_another.h tests/misuse/idle.h tests/misuse/misuse.h tests/misuse/misuse_domain.h tests/misuse/typed_misuse.h
