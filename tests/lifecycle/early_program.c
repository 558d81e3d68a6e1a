/* SPDX-License-Identifier: MIT */
/* Uses early_library.c. */
#include "lifecycle.h"

int early_library(void);

int main(void)
{
	churn(13, 100);
	return early_library();
}
