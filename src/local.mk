# SPDX-License-Identifier: MIT
# The library: libstrata.so.0 and libstrata.a for users, libstrata_test.la for tests of the inside.

strataincludedir = $(includedir)/strata
stratainclude_HEADERS = include/strata/strata.h include/strata/domain.h include/strata/typed.h \
	include/strata/strata.hpp

STRATA_SOURCES = \
	src/compiler.h \
	src/os.h src/os_result.h src/os_call.h src/os_memory.c src/os_linux.c src/os_clock.c src/os_copy.c src/os_code.c \
	src/os_pretend.h src/os_pretend.c \
	src/size_class.h src/size_class.c \
	src/layout.h src/domain_layout.h \
	src/check.h src/check.c \
	src/options.def src/options.h src/options.c \
	src/numa.h src/numa.c \
	src/region.h src/region.c \
	src/region_fit.h src/region_fit.c \
	src/bit_word.h src/class_set.h src/number_stack.h src/reserve_once.h \
	src/walk.h src/walk.c \
	src/arena_count.h src/arena_count.c \
	src/huge.h src/huge.c \
	src/arena_node.h src/arena_node.c \
	src/arena_list.h src/arena_list.c \
	src/arena_whole.h src/arena_whole.c \
	src/arena.h src/arena.c \
	src/arena_purge.h src/arena_purge.c \
	src/cgroup.h src/cgroup.c \
	src/pressure.h src/pressure.c \
	src/decay.h src/decay.c \
	src/retain.h src/retain.c \
	src/pool.h src/pool.c src/pool_home.c \
	src/pool_purge.h src/pool_purge.c \
	src/bin_decline.h src/bin_decline.c \
	src/bin_limit.h src/bin_limit.c \
	src/bin_slots.h src/bin_slots.c \
	src/heap.h src/heap.c src/heap_bins.c \
	src/bin.h \
	src/carrier.h src/remote.h src/remote.c src/remote_arrive.c \
	src/claim.h src/claim.c \
	src/reclaim.h src/reclaim.c src/idle_look.h \
	src/background.h src/background.c \
	src/page_range.h src/page_range.c \
	src/run.h src/run.c src/run_resize.c \
	src/run_arenas.h src/run_arenas.c \
	src/run_cache.h src/run_cache.c \
	src/run_count.h src/run_count.c \
	src/stack_depot.h src/stack_depot.c \
	src/call_stack.h src/call_stack.c \
	src/sample.h src/sample.c \
	src/profile.h src/profile.c \
	src/fork.h src/fork.c \
	src/thread.h src/thread.c \
	src/process.c \
	src/entry.h src/fast.h src/slow.h src/slow.c \
	src/core.h src/core.c src/core_resize.c \
	src/trim.h src/trim.c \
	src/pressure_handler.h src/pressure_handler.c \
	src/emergency.h src/emergency.c \
	src/limit.h src/limit.c \
	src/relief.h src/relief.c \
	src/should_move.c \
	src/api.c src/options_api.c \
	src/libc_names.h \
	src/malloc.c src/malloc_info.c \
	src/setrlimit.c \
	src/stats_copy.h src/stats.h src/stats.c \
	src/checked.h src/checked.c \
	src/domain_record.h src/domain_record.c \
	src/domain_count.h src/domain_count.c \
	src/domain_stats.c \
	src/domain_quota.h src/domain_quota.c \
	src/domain_debug.h src/domain_debug.c \
	src/domain_builtin.h src/domain_builtin.c \
	src/domain_table.h src/domain_table.c \
	src/domain.c \
	src/typed_layout.h src/typed_tier.h src/typed.c \
	src/typed_slow.h src/typed_slow.c \
	src/typed_checked.h src/typed_checked.c \
	src/typed_registry.c src/typed_stats.c \
	src/typed_cache.h src/typed_cache.c \
	src/typed_list.h src/typed_list.c \
	src/typed_claim.h src/typed_claim.c \
	src/typed_idle.h src/typed_idle.c \
	src/typed_depot.h src/typed_depot.c \
	src/typed_below.h src/typed_below.c

# TLS is initial-exec: a call into the loader to find the thread's heap would cost more than the allocation, and may
# allocate. -fno-builtin keeps the compiler from turning our own calloc into a call of calloc. -fexceptions: what operator new
# throws passes through C.
STRATA_LIBRARY_FLAGS = -fexceptions -fvisibility=hidden -ftls-model=initial-exec $(STRATA_HOT_CFLAGS) $(URCU_CFLAGS)

# ---- For users ------------------------------------------------------------------------------------------------------
lib_LTLIBRARIES += src/libstrata.la

src_libstrata_la_SOURCES = $(STRATA_SOURCES)
src_libstrata_la_CFLAGS = $(AM_CFLAGS) $(STRATA_LIBRARY_FLAGS)
src_libstrata_la_CXXFLAGS = $(AM_CXXFLAGS) $(STRATA_LIBRARY_FLAGS) -fno-rtti
src_libstrata_la_LDFLAGS = \
	-version-info $(STRATA_LIBRARY_VERSION) \
	-Wl,--version-script=$(top_srcdir)/src/libstrata.map \
	$(STRATA_HARDEN_LDFLAGS) $(STRATA_SMALL_LDFLAGS)
src_libstrata_la_LIBADD = $(URCU_LIBS)
src_libstrata_la_DEPENDENCIES = $(top_srcdir)/src/libstrata.map
# Linked by the C compiler although one source is C++, so that libstdc++ is not pulled into C programs. Behind the user's flags: calls of
# operators that a program may replace are not bound to ours by -Bsymbolic-functions, which some distributions link everything with.
src_libstrata_la_LINK = $(LIBTOOL) $(AM_V_lt) --tag=CC $(AM_LIBTOOLFLAGS) $(LIBTOOLFLAGS) --mode=link \
	$(CCLD) $(AM_CFLAGS) $(CFLAGS) $(STRATA_LTO_CFLAGS) $(src_libstrata_la_LDFLAGS) $(LDFLAGS) $(STRATA_UNBOUND_LDFLAGS) -o $@

if HAVE_CXX
src_libstrata_la_SOURCES += src/operators.cc src/new_delete.h src/new_delete.c
# Compiled as it stands, whatever the user's flags say: gcc's link-time optimiser loses weak references that are made by an
# assembler's directive, and takes what is only compared with for a second declaration. Behind the user's flags, so that it wins; by a
# pattern, since automake would leave out its own rule for an object that is named here.
src/%-operators.lo: override CXXFLAGS += -fno-lto
endif

# ---- For tests of the inside ----------------------------------------------------------------------------------------
# The same sources with every internal check on, static, and open to the tests' fault points.
if ENABLE_TESTS
check_LTLIBRARIES += src/libstrata_test.la

src_libstrata_test_la_SOURCES = $(STRATA_SOURCES)
src_libstrata_test_la_CPPFLAGS = $(AM_CPPFLAGS) -DSTRATA_TEST_BUILD -DSTRATA_DEBUG
src_libstrata_test_la_CFLAGS = $(AM_CFLAGS) $(STRATA_LIBRARY_FLAGS) -static
src_libstrata_test_la_LDFLAGS = -static
src_libstrata_test_la_LIBADD = $(URCU_LIBS)

TESTS += src/test_exports.sh src/test_layers.sh
endif

# They try every interleaving of what is modelled, and take long: for check-long.
MODEL_TESTS = src/test_model.sh src/test_model_claim.sh src/test_model_typed.sh
EXTRA_DIST += src/README.md src/libstrata.map src/test_exports.sh src/test_layers.sh src/models.sh $(MODEL_TESTS)
if !HAVE_CXX
EXTRA_DIST += src/operators.cc src/new_delete.h src/new_delete.c
endif
