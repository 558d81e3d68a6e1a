# SPDX-License-Identifier: MIT
# The library and its tests for aarch64, built by a cross compiler and run by an emulator. What is left out, and why: check.sh.

if ENABLE_TESTS
PHONY_TARGETS += check-aarch64 check-aarch64-short
CHECK_AARCH64 = MAKE='$(MAKE)' $(SHELL) $(top_srcdir)/tests/aarch64/check.sh $(abs_top_srcdir)
check-aarch64:
	$(CHECK_AARCH64) \
		$(CONTRACT_TESTS) $(STRESS_TESTS) $(OOM_TESTS) $(LIFECYCLE_TESTS) \
		tests/cxx/test_libstdcxx.sh tests/cxx/test_replaced.sh tests/cxx/test_static.sh \
		src/test_exports.sh tests/aarch64/test_fast_paths.sh
# What takes an emulator no more than a few minutes.
check-aarch64-short:
	$(CHECK_AARCH64) tests/unit/test_contract_malloc tests/unit/test_contract_realloc tests/unit/test_contract_aligned \
		tests/unit/test_contract_stats tests/unit/test_options tests/unit/test_typed tests/unit/test_typed_tuple \
		tests/stress/stress_realloc src/test_exports.sh tests/aarch64/test_fast_paths.sh
endif

CLEAN_TARGETS += clean-aarch64
clean-aarch64:
	rm -rf build-aarch64

EXTRA_DIST += \
	tests/aarch64/cc.sh \
	tests/aarch64/check.sh \
	tests/aarch64/one.sh \
	tests/aarch64/packages \
	tests/aarch64/run.sh \
	tests/aarch64/sysroot.sh \
	tests/aarch64/test_fast_paths.sh
