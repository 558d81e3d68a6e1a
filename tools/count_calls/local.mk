# SPDX-License-Identifier: MIT
# `make demo`: RocksDB on glibc's malloc and on strata by turns; count_calls.so counts allocations for it.

PHONY_TARGETS += demo

# Only ever preloaded, so no library for libtool.
tools/count_calls/count_calls.so: $(srcdir)/tools/count_calls/count_calls.c
	@$(MKDIR_P) tools/count_calls
	$(AM_V_GEN)$(CC) $(CPPFLAGS) $(STRATA_CFLAGS) $(CFLAGS) -fno-builtin -fPIC -shared -o $@ \
		$(srcdir)/tools/count_calls/count_calls.c

demo_programs = tools/count_calls/count_calls.so
if ENABLE_BENCH
demo_programs += bench/scaling$(EXEEXT)
endif

demo: src/libstrata.la $(demo_programs)
	@STRATA_LIB='$(abs_builddir)/src/.libs/libstrata.so.0' \
		COUNT_CALLS='$(abs_builddir)/tools/count_calls/count_calls.so' \
		SCALING='$(abs_builddir)/bench/scaling$(EXEEXT)' \
		$(SHELL) '$(srcdir)/tools/demo.sh'

CLEANFILES += tools/count_calls/count_calls.so
EXTRA_DIST += tools/demo.sh tools/demo.packages tools/count_calls/count_calls.c
