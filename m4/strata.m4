dnl SPDX-License-Identifier: MIT

dnl STRATA_REQUIRE(VARIABLE, MODULE, DEBIAN PACKAGE, FEDORA PACKAGE, [OPTION THAT LEAVES IT OUT])
dnl A library by pkg-config: VARIABLE_CFLAGS, VARIABLE_LIBS and VARIABLE_VERSION, or one line that says what to install.
AC_DEFUN([STRATA_REQUIRE], [
	PKG_CHECK_MODULES([$1], [$2], [],
		[AC_MSG_ERROR([$2 not found: install $3 (Debian), $4 (Fedora)]m4_ifval([$5], [[, or configure with $5]]))])
	$1_VERSION=`$PKG_CONFIG --modversion m4_bpatsubst([$2], [ .*])`
])

dnl STRATA_LINK_AS_NEEDED
dnl libtool puts flags of the linker behind the libraries, where --as-needed comes too late. Put it in front, so that the
dnl shared library depends on what it calls and on nothing else.
AC_DEFUN([STRATA_LINK_AS_NEEDED], [
	AC_REQUIRE([LT_INIT])
	archive_cmds=`AS_ECHO(["$archive_cmds"]) | $SED 's/-shared /-shared $wl--as-needed /'`
])

dnl STRATA_LTO
dnl Optimises the shared library as one unit, since its files call each other in every slow path. Through the flags that libtool
dnl adds for position-independent code: what goes into the static library must serve compilers of other versions. Functions that
dnl are alike stay apart (-fno-ipa-icf): one would reach the other by the procedure linkage table. By gcc alone, with which the
dnl linker's plugin comes; not where the user's flags decide it, or put other instructions into every function.
AC_DEFUN([STRATA_LTO], [
	AS_CASE([" $CFLAGS "], [*-fsanitize*|*--coverage*|*-flto*|*-fno-lto*|*-O0*], [enable_lto=no])
	AS_IF([test "x$enable_debug" = xyes || $CC --version 2>/dev/null | grep -q clang], [enable_lto=no])
	STRATA_LTO_CFLAGS=
	AS_IF([test "x$enable_lto" = xyes], [STRATA_LINKER_FLAGS([STRATA_LTO_CFLAGS], [-flto=2 -fno-ipa-icf])])
	AS_CASE([$STRATA_LTO_CFLAGS], [*-flto*-fno-ipa-icf*],
		[lt_prog_compiler_pic="$lt_prog_compiler_pic$STRATA_LTO_CFLAGS"],
		[enable_lto=no; STRATA_LTO_CFLAGS=])
	AC_SUBST([STRATA_LTO_CFLAGS])
])

dnl STRATA_SMALL_FILE
dnl What the library costs a program that allocates little is mostly pages of its own file: relocations are packed where the loader reads
dnl that (glibc 2.36).
AC_DEFUN([STRATA_SMALL_FILE], [
	STRATA_SMALL_LDFLAGS=
	AC_PREPROC_IFELSE([AC_LANG_SOURCE([[#include <features.h>
#if !defined(__GLIBC__) || !__GLIBC_PREREQ(2, 36)
#error the loader may not know packed relocations
#endif]])],
		[STRATA_LINKER_FLAGS([STRATA_SMALL_LDFLAGS], [-Wl,-z,pack-relative-relocs])])
	AC_SUBST([STRATA_SMALL_LDFLAGS])
])

dnl STRATA_CHECK_LINK_STATIC_URCU
dnl Sets strata_cv_static_urcu: can a program be linked -static with liburcu?
AC_DEFUN([STRATA_CHECK_LINK_STATIC_URCU], [
	AC_CACHE_CHECK([for a static liburcu-bp], [strata_cv_static_urcu],
		[strata_save_LIBS=$LIBS; strata_save_LDFLAGS=$LDFLAGS
		LDFLAGS="$LDFLAGS -static"
		LIBS="-lurcu-bp -lurcu-common -lpthread $LIBS"
		AC_LINK_IFELSE([AC_LANG_PROGRAM([[int urcu_bp_read_ongoing(void);]], [[return urcu_bp_read_ongoing();]])],
			[strata_cv_static_urcu=yes], [strata_cv_static_urcu=no])
		LIBS=$strata_save_LIBS; LDFLAGS=$strata_save_LDFLAGS])
	AM_CONDITIONAL([HAVE_STATIC_URCU], [test "x$strata_cv_static_urcu" = xyes])
])

dnl STRATA_COMPILER_FLAGS(VARIABLE, FLAGS): those of the flags that the C compiler takes.
AC_DEFUN([STRATA_COMPILER_FLAGS], [_STRATA_FLAGS([$1], [$2], [CFLAGS], [AC_COMPILE_IFELSE])])

dnl STRATA_LINKER_FLAGS(VARIABLE, FLAGS): those of the flags that the linker takes for a shared library.
AC_DEFUN([STRATA_LINKER_FLAGS], [_STRATA_FLAGS([$1], [$2], [LDFLAGS], [AC_LINK_IFELSE])])

AC_DEFUN([_STRATA_FLAGS], [
	$1=
	for strata_flag in $2; do
		AS_VAR_PUSHDEF([strata_cache], [strata_cv_flag_$strata_flag])
		AC_CACHE_CHECK([for $strata_flag], [strata_cache],
			[strata_save_flags=$$3
			$3="$$3 -Werror $strata_flag"
			$4([AC_LANG_PROGRAM([[]], [[]])], [AS_VAR_SET([strata_cache], [yes])], [AS_VAR_SET([strata_cache], [no])])
			$3=$strata_save_flags])
		AS_VAR_IF([strata_cache], [yes], [$1="$$1 $strata_flag"])
		AS_VAR_POPDEF([strata_cache])
	done
	AC_SUBST([$1])
])
