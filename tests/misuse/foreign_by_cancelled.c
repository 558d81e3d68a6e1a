/* SPDX-License-Identifier: MIT */
/*
 * A thread that is to end at its next cancellation point frees a variable on its stack: free is none, whatever it has to say
 * about that.
 */
#include "misuse.h"

#include <pthread.h>

static void *free_variable(void *unused)
{
	long long variable[4] = {0};
	pointer block = (char *)variable;

	name_block(block); /* a cancellation point */
	pthread_cancel(pthread_self());
	free(block);
	return unused;
}

int main(void)
{
	pthread_t thread;
	void *result;

	if (pthread_create(&thread, NULL, free_variable, NULL) != 0 || pthread_join(thread, &result) != 0)
		return 100;
	return result == PTHREAD_CANCELED;
}
