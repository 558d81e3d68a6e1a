/* SPDX-License-Identifier: MIT */
/*
 * mlockall, present and future, after memory was used: what is reserved is not memory, so the resident size stays
 * below 64 MiB while little is allocated. Exit status 77: mlockall is refused here.
 */
#include "lifecycle.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

static long resident_kib(void)
{
	char line[256];
	long kib = -1;
	FILE *status = fopen("/proc/self/status", "r");

	check(status != NULL);
	while (fgets(line, sizeof line, status))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	fclose(status);
	check(kib > 0);
	return kib;
}

static void *use(void *argument)
{
	churn((unsigned)(size_t)argument, 300);
	return NULL;
}

int main(void)
{
	pthread_attr_t small_stack;
	pthread_t threads[4];

	/* A locked stack is resident whole. */
	check(pthread_attr_init(&small_stack) == 0 && pthread_attr_setstacksize(&small_stack, 256 << 10) == 0);
	churn(1, 300);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
		printf("skipped: mlockall: %s\n", strerror(errno));
		return 77;
	}
	churn(2, 300);
	for (size_t i = 0; i < 4; i++)
		check(pthread_create(&threads[i], &small_stack, use, (void *)(i + 1)) == 0);
	for (size_t i = 0; i < 4; i++)
		check(pthread_join(threads[i], NULL) == 0);
	printf("resident: %ld KiB\n", resident_kib());
	check(resident_kib() < 64 << 10);
	return 0;
}
