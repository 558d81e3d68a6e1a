# SPDX-License-Identifier: MIT
# C++ operators, the headers and strata.hpp, with each C++ library that is found when the tests run.

if ENABLE_TESTS
if HAVE_CXX
TESTS += \
	tests/cxx/test_libstdcxx.sh \
	tests/cxx/test_libcxx.sh \
	tests/cxx/test_headers.sh \
	tests/cxx/test_containers.sh \
	tests/cxx/test_late.sh \
	tests/cxx/test_lto.sh \
	tests/cxx/test_replaced.sh \
	tests/cxx/test_static.sh
endif
endif

EXTRA_DIST += \
	tests/cxx/build.sh \
	tests/cxx/test_libstdcxx.sh \
	tests/cxx/test_libcxx.sh \
	tests/cxx/test_headers.sh \
	tests/cxx/test_containers.sh \
	tests/cxx/test_late.sh \
	tests/cxx/test_lto.sh \
	tests/cxx/test_replaced.sh \
	tests/cxx/test_static.sh \
	tests/cxx/containers.cc \
	tests/cxx/operators.cc \
	tests/cxx/late_host.c \
	tests/cxx/late_plugin.cc \
	tests/cxx/no_library.c \
	tests/cxx/replaced.cc \
	tests/cxx/replaced_some.cc
