/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "domain_quota.h"

#include "domain_count.h"

#include <strata/domain.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>

/*
 * No read section of RCU guards the callback: it is called on the way of the built-in table. Who calls back counts himself
 * in before he looks for what to call, and the setter waits until nobody is counted who may have seen the former quota.
 */
static struct quota {
	struct strata_domain_quota slots[2];
	_Atomic unsigned current; /* which of the slots; the other one is the next setter's to write */
	/* Threads that are calling back. Sequentially consistent, as current: either the setter sees the caller counted, or the
	 * caller sees the new quota. */
	_Atomic unsigned calling;
} quotas[DOMAINS];

static pthread_mutex_t setting = PTHREAD_MUTEX_INITIALIZER;

static __thread bool in_callback;

bool quota_may_call_back(void)
{
	return !in_callback;
}

void quota_call_back(unsigned domain, uint64_t live_bytes)
{
	struct quota *quota = &quotas[domain];
	int saved_errno = errno;
	atomic_fetch_add(&quota->calling, 1);
	const struct strata_domain_quota *slot = &quota->slots[atomic_load(&quota->current)];
	in_callback = true;
	if (slot->over != NULL)
		slot->over(slot->ctx, (enum strata_domain)domain, live_bytes);
	in_callback = false;
	atomic_fetch_sub(&quota->calling, 1);
	errno = saved_errno;
}

void quota_after_fork_in_child(void)
{
	pthread_mutex_init(&setting, NULL);
	for (unsigned domain = 0; domain < DOMAINS; domain++)
		atomic_store(&quotas[domain].calling, 0);
}

STRATA_PUBLIC int strata_domain_set_quota(enum strata_domain domain, const struct strata_domain_quota *quota)
{
	static const struct strata_domain_quota none;
	if (domain >= DOMAINS)
		return EINVAL;
	if (in_callback)
		return EDEADLK;
	if (quota == NULL)
		quota = &none;
	struct quota *of = &quotas[domain];
	pthread_mutex_lock(&setting);
	unsigned next = 1 - atomic_load(&of->current);
	of->slots[next] = *quota;
	atomic_store(&of->current, next);
	count_set_limits(domain, quota->soft_bytes, quota->hard_bytes);
	while (atomic_load(&of->calling) != 0)
		sched_yield();
	pthread_mutex_unlock(&setting);
	return 0;
}

STRATA_PUBLIC int strata_domain_get_quota(enum strata_domain domain, struct strata_domain_quota *quota)
{
	if (domain >= DOMAINS || quota == NULL)
		return EINVAL;
	pthread_mutex_lock(&setting);
	*quota = quotas[domain].slots[atomic_load(&quotas[domain].current)];
	pthread_mutex_unlock(&setting);
	return 0;
}
