# SPDX-License-Identifier: MIT
# Tools that are installed: strata-run, and what it preloads into CPython.

bin_SCRIPTS += tools/strata-run
CLEANFILES += tools/strata-run
EXTRA_DIST += tools/strata-run.in tools/settings.awk tools/packages.sh

tools/strata-run: $(srcdir)/tools/strata-run.in $(srcdir)/tools/settings.awk $(srcdir)/src/options.def Makefile
	$(AM_V_GEN)$(MKDIR_P) tools && rm -f $@ $@.settings && \
	$(AWK) -f $(srcdir)/tools/settings.awk $(srcdir)/src/options.def >$@.settings && \
	$(SED) -e '/@SETTINGS[@]/r $@.settings' -e '/@SETTINGS[@]/d' \
		-e 's|@libdir[@]|$(libdir)|g' -e 's|@PACKAGE_VERSION[@]|$(PACKAGE_VERSION)|g' \
		$(srcdir)/tools/strata-run.in >$@.tmp && chmod a+x,a-w $@.tmp && mv -f $@.tmp $@ && rm -f $@.settings

# Manual pages: strata-run(1), and strata(7) with the settings.
MANUALS = tools/strata-run.1 tools/strata.7
man_MANS += $(MANUALS)
CLEANFILES += $(MANUALS)
EXTRA_DIST += tools/strata-run.1.in tools/strata.7.in

$(MANUALS): $(srcdir)/tools/settings.awk $(srcdir)/src/options.def Makefile
	$(AM_V_GEN)$(MKDIR_P) tools && rm -f $@ $@.settings && \
	$(AWK) -v form=man -f $(srcdir)/tools/settings.awk $(srcdir)/src/options.def >$@.settings && \
	$(SED) -e '/@SETTINGS[@]/r $@.settings' -e '/@SETTINGS[@]/d' -e 's|@docdir[@]|$(docdir)|g' \
		-e 's|@includedir[@]|$(includedir)|g' -e 's|@libdir[@]|$(libdir)|g' -e 's|@PACKAGE_VERSION[@]|$(PACKAGE_VERSION)|g' \
		$(srcdir)/$@.in >$@.tmp && mv -f $@.tmp $@ && rm -f $@.settings
tools/strata-run.1: $(srcdir)/tools/strata-run.1.in
tools/strata.7: $(srcdir)/tools/strata.7.in

# What `strata-run --python` preloads beside the library. Not linked with it: it takes whichever library is preloaded.
if ENABLE_SHARED
pkglib_LTLIBRARIES += tools/python/strata-python.la
tools_python_strata_python_la_SOURCES = tools/python/allocators.c
tools_python_strata_python_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden
tools_python_strata_python_la_LDFLAGS = -module -avoid-version -shared -Wl,-z,now
tools_python_strata_python_la_LIBADD = -ldl
endif

if ENABLE_TESTS
TESTS += tools/test_strata_run.sh tools/test_readme.sh tools/test_manuals.sh
endif
EXTRA_DIST += tools/test_strata_run.sh tools/test_readme.sh tools/test_manuals.sh
