/* SPDX-License-Identifier: MIT */
/*
 * libc's setrlimit and prlimit, with what libc's do, which is one system call. Before a limit on address space is in force what is only
 * reserved makes room for it: else the program's next thread, or library, would be refused, and the heap would not be limited at all.
 * In the shared library only: a static program would have two of each.
 */
#include "compiler.h"

#ifdef PIC

#include "os.h"
#include "os_call.h"
#include "region.h"
#include "region_fit.h"

#include <errno.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* libc's headers declare these only on request, with another name for the same structure. */
int prlimit(pid_t pid, int resource, const struct rlimit *next, struct rlimit *former);
int prlimit64(pid_t pid, int resource, const struct rlimit *next, struct rlimit *former);
int setrlimit64(int resource, const struct rlimit *limit);

static size_t bytes_of(const struct rlimit *limit)
{
	return limit->rlim_cur == RLIM_INFINITY ? SIZE_MAX : limit->rlim_cur;
}

STRATA_PUBLIC int prlimit(pid_t pid, int resource, const struct rlimit *next, struct rlimit *former)
{
	bool own = next != NULL && (pid == 0 || pid == os_process());
	bool ours = own && resource == RLIMIT_AS;
	bool barred = (ours || (own && resource == RLIMIT_DATA)) && region_is_own();
	if (ours && bytes_of(next) < os_address_limit())
		region_fit(bytes_of(next));
	if (barred)
		os_bar_moves();
	long result = os_call(SYS_prlimit64, pid, resource, next, former);
	if (barred)
		os_allow_moves();
	if (ours)
		region_fit_to_limit();
	if (result == 0)
		return 0;
	errno = (int)-result;
	return -1;
}

STRATA_PUBLIC int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	return prlimit(0, resource, limit, NULL);
}

STRATA_PUBLIC int prlimit64(pid_t pid, int resource, const struct rlimit *next, struct rlimit *former)
{
	return prlimit(pid, resource, next, former);
}

STRATA_PUBLIC int setrlimit64(int resource, const struct rlimit *limit)
{
	return prlimit(0, resource, limit, NULL);
}

#endif
