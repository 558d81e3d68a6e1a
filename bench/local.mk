# SPDX-License-Identifier: MIT
# The benchmarks. Usage: bench/README.md.

bench_scripts = bench/run bench/programs bench/report bench/compare bench/memory-report
bench_modules = bench/measure.py bench/drive.py bench/analysis.py bench/plots.py bench/real.py

EXTRA_DIST += $(bench_scripts) $(bench_modules) bench/bump.c bench/memory.md.in bench/README.md bench/packages

# CPython on strata's domains against pymalloc: bench/python/compare tools/strata-run.
EXTRA_DIST += \
	bench/python/compare \
	bench/python/asyncio_echo.py \
	bench/python/comprehensions.py \
	bench/python/json_documents.py \
	bench/python/nbody.py \
	bench/python/pickling.py \
	bench/python/regex.py \
	bench/python/sorting.py \
	bench/python/strings.py \
	bench/python/tasks.py \
	bench/python/threads.py

# Real programs: bench/programs.
EXTRA_DIST += \
	bench/runners/clang.sh \
	bench/runners/compiler.sh \
	bench/runners/gcc.sh \
	bench/runners/lib.sh \
	bench/runners/mariadb.sh \
	bench/runners/objects.rb \
	bench/runners/python.sh \
	bench/runners/redis.sh \
	bench/runners/rocksdb.sh \
	bench/runners/ruby.sh \
	bench/runners/z3.sh

# Calls of malloc and free are what is measured: the compiler must not leave any out.
bench_cflags = $(STRATA_CFLAGS) -fno-builtin-malloc -fno-builtin-free -fno-builtin-calloc -fno-builtin-realloc

if ENABLE_BENCH
noinst_PROGRAMS += bench/loads bench/hello bench/pairs bench/scaling bench/maintain bench/rss bench/timed

bench_loads_SOURCES = \
	bench/bench.h \
	bench/check.c \
	bench/check.h \
	bench/clock.h \
	bench/draw.c \
	bench/floor.c \
	bench/floor.h \
	bench/harness.c \
	bench/load_burst.c \
	bench/load_churn.c \
	bench/load_cpython.c \
	bench/load_large.c \
	bench/load_larson.c \
	bench/load_latency.c \
	bench/load_objects.c \
	bench/load_pair.c \
	bench/load_phases.c \
	bench/load_realloc.c \
	bench/load_sharing.c \
	bench/load_slots.c \
	bench/load_typed.c \
	bench/load_xmalloc.c \
	bench/memory.c \
	bench/memory.h \
	bench/register.c \
	bench/shapes.h \
	bench/shim.cc
bench_loads_CFLAGS = $(bench_cflags)
bench_loads_CXXFLAGS = $(STRATA_CXXFLAGS) $(BENCHMARK_CFLAGS)
bench_loads_LDADD = $(BENCHMARK_LIBS) -lpthread -ldl

bench_hello_SOURCES = bench/hello.c bench/memory.c bench/memory.h
bench_hello_CFLAGS = $(bench_cflags)

bench_pairs_SOURCES = bench/pairs.c
bench_pairs_CFLAGS = $(bench_cflags)

bench_scaling_SOURCES = bench/scaling.c bench/clock.h bench/memory.c bench/memory.h
bench_scaling_CFLAGS = $(bench_cflags)
bench_scaling_LDADD = -lpthread

bench_maintain_SOURCES = bench/maintain.c bench/clock.h
bench_maintain_CFLAGS = $(bench_cflags)
bench_maintain_LDADD = src/libstrata.la -lpthread

bench_rss_SOURCES = bench/rss.c bench/clock.h bench/memory.c bench/memory.h
bench_rss_CFLAGS = $(bench_cflags) -D_GNU_SOURCE -pthread
bench_rss_LDADD = -lpthread

bench_timed_SOURCES = bench/timed.c bench/clock.h

# Only ever preloaded, so no library for libtool.
bench/bump.so: $(srcdir)/bench/bump.c
	@$(MKDIR_P) bench
	$(AM_V_GEN)$(CC) $(CPPFLAGS) $(STRATA_CFLAGS) $(CFLAGS) -fno-builtin -fPIC -shared -o $@ $(srcdir)/bench/bump.c

bench_built = src/libstrata.la bench/loads bench/hello bench/pairs bench/timed bench/bump.so

bench: $(bench_built)
	$(srcdir)/bench/run --build $(abs_builddir) --quick

bench-programs: $(bench_built)
	$(srcdir)/bench/programs --build $(abs_builddir)

bench-report: $(bench_built)
	$(srcdir)/bench/report --build $(abs_builddir) --measure --output $(abs_srcdir)/docs

bench-memory: src/libstrata.la bench/rss
	$(srcdir)/bench/memory-report --build $(abs_builddir) --output $(abs_srcdir)/docs

CLEANFILES += bench/bump.so bench/results.jsonl
else
bench bench-programs bench-report bench-memory:
	@echo "configured with --disable-bench" >&2; exit 1
endif

PHONY_TARGETS += bench bench-programs bench-report bench-memory
