/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "domain_quota.h"

#include "domain_count.h"
#include "os.h"

#include <strata/domain.h>

#include <errno.h>
#include <pthread.h>

/*
 * No read section of RCU guards the callback: it is called on the way of the built-in table. Whoever calls back, or reads the
 * quota, counts himself in before he looks which it is, and the setter waits until nobody is counted who may have seen the
 * former one. Only setters take the mutex: a callback that they wait for may read.
 */
static struct quota {
	/* Written by setters under the mutex, the one that is not current; read by whoever is counted. Ordered by current and
	 * inside. */
	struct strata_domain_quota versions[2];
	_Atomic unsigned current; /* written by setters */
	/* Threads that use the current version, written by each of them. Sequentially consistent, as current: either the setter
	 * sees the user counted, or the user sees the new quota. */
	_Atomic uint32_t inside;
} quotas[DOMAINS];

static pthread_mutex_t setting = PTHREAD_MUTEX_INITIALIZER;

static __thread bool in_callback;

/* What the calling thread has in each domain's inside: all that is in it in the child of its fork. */
static __thread unsigned own_inside[DOMAINS];

static const struct strata_domain_quota *enter(unsigned domain)
{
	own_inside[domain]++;
	atomic_fetch_add(&quotas[domain].inside, 1);
	return &quotas[domain].versions[atomic_load(&quotas[domain].current)];
}

static void leave(unsigned domain)
{
	atomic_fetch_sub(&quotas[domain].inside, 1);
	own_inside[domain]--;
}

bool quota_may_call_back(void)
{
	return !in_callback;
}

void quota_call_back(unsigned domain, uint64_t live_bytes)
{
	int saved_errno = errno;
	const struct strata_domain_quota *quota = enter(domain);
	in_callback = true;
	if (quota->over != NULL)
		quota->over(quota->ctx, (enum strata_domain)domain, live_bytes);
	in_callback = false;
	leave(domain);
	errno = saved_errno;
}

void quota_after_fork_in_child(void)
{
	pthread_mutex_init(&setting, NULL);
	for (unsigned domain = 0; domain < DOMAINS; domain++)
		atomic_store(&quotas[domain].inside, own_inside[domain]);
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
	of->versions[next] = *quota;
	atomic_store(&of->current, next);
	count_set_limits(domain, quota->soft_bytes, quota->hard_bytes);
	/* Asleep: a yield leaves the processor to none who ranks below, as whoever is inside may. */
	for (uint32_t users; (users = atomic_load(&of->inside)) != 0;)
		os_wait(&of->inside, users, 1);
	pthread_mutex_unlock(&setting);
	return 0;
}

STRATA_PUBLIC int strata_domain_get_quota(enum strata_domain domain, struct strata_domain_quota *quota)
{
	if (domain >= DOMAINS || quota == NULL)
		return EINVAL;
	*quota = *enter(domain);
	leave(domain);
	return 0;
}
