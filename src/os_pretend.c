/* SPDX-License-Identifier: MIT */
#include "os_pretend.h"

#ifdef STRATA_TEST_BUILD

#include "compiler.h"
#include "os.h"

#include <errno.h>
#include <stdio.h>

/* Set by the test, read and counted down by every call; each stands for itself. */
static _Atomic long calls_made;
static _Atomic long calls_left = -1;
static _Atomic bool failure_is_sticky;

void strata_os_fail_after(long calls)
{
	calls_left = calls;
}

void strata_os_fail_sticky(bool sticky)
{
	failure_is_sticky = sticky;
}

long strata_os_calls(void)
{
	return calls_made;
}

/* Set before the first allocation. */
static size_t pretended_page_size;
static _Atomic int64_t commit_left = INT64_MAX;

void strata_os_pretend_page_size(size_t size)
{
	pretended_page_size = size;
}

void strata_os_pretend_commit_limit(size_t bytes)
{
	commit_left = (int64_t)bytes;
}

size_t pretend_page_size(void)
{
	return pretended_page_size;
}

static _Atomic bool pretended_locked;

void strata_os_pretend_locked(bool locked)
{
	pretended_locked = locked;
}

bool pretend_locked(void)
{
	return pretended_locked;
}

static _Atomic uint64_t pretended_clock;

void strata_os_pretend_clock(uint64_t ms)
{
	pretended_clock = ms;
}

uint64_t pretend_clock(void)
{
	return pretended_clock;
}

static void (*_Atomic before_barrier)(void);

void strata_os_before_barrier(void (*call)(void))
{
	before_barrier = call;
}

void pretend_moment(void)
{
	void (*call)(void) = before_barrier;
	if (call != NULL)
		call();
}

static int (*_Atomic pretended_node)(void);

void strata_os_pretend_node(int (*node)(void))
{
	pretended_node = node;
}

bool pretend_node(int *node)
{
	int (*pretended)(void) = pretended_node;
	if (pretended == NULL)
		return false;
	*node = pretended();
	return true;
}

const char *pretend_path(const char *path, char *buffer, size_t size)
{
	const char *root = os_setting("STRATA_TEST_ROOT");
	if (root == NULL)
		return path;
	snprintf(buffer, size, "%s%s", root, path);
	return buffer;
}

bool pretend_commit_refused(size_t size)
{
	return atomic_fetch_sub(&commit_left, (int64_t)size) < (int64_t)size;
}

int pretend_pages(const void *start, size_t *size)
{
	if (pretended_page_size == 0)
		return 0;
	*size = round_up(*size, pretended_page_size);
	return (uintptr_t)start % pretended_page_size == 0 ? 0 : -EINVAL;
}

bool pretend_refusal(void)
{
	calls_made++;
	long left = calls_left;
	while (left > 0 && !atomic_compare_exchange_weak(&calls_left, &left, left - 1 ? left - 1 : failure_is_sticky ? 0 : -1))
		;
	return left == 1 || left == 0;
}

#endif
