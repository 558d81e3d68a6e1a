/* SPDX-License-Identifier: MIT */
/* What os_*.c return for a call of the system. */
#ifndef STRATA_OS_RESULT_H
#define STRATA_OS_RESULT_H

#include <errno.h>

/* 0 or -errno of a call of the system. errno belongs to the caller of the malloc family: whoever calls the system for us keeps it. */
static inline int os_result(int status, int saved_errno)
{
	int result = status == 0 ? 0 : -errno;
	errno = saved_errno;
	return result;
}

#endif
