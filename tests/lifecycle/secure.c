/* SPDX-License-Identifier: MIT */
/*
 * "as-nobody PROGRAM": runs the program as the user nobody. Without arguments: the program, which allocates and
 * prints whether the system started it in secure mode (AT_SECURE).
 */
#include "lifecycle.h"

#include <sys/auxv.h>

enum { NOBODY = 65534 };

int main(int argc, char **argv)
{
	if (argc == 3) {
		if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0) {
			perror("setuid");
			return 1;
		}
		execl(argv[2], argv[2], (char *)NULL);
		perror(argv[2]);
		return 1;
	}
	churn(1, 100);
	puts(getauxval(AT_SECURE) ? "secure" : "ordinary");
	return 0;
}
