/* SPDX-License-Identifier: MIT */
/* A library whose constructor comes before all others' (built with -z initfirst) and whose destructor comes last. */
#include "lifecycle.h"

static char *kept;

__attribute__((constructor(101))) static void first(void)
{
	churn(11, 100);
	kept = block_new(300);
}

__attribute__((destructor(101))) static void last(void)
{
	churn(12, 100);
	block_free(kept);
}

int early_library(void)
{
	return kept == NULL;
}
