/* SPDX-License-Identifier: MIT */
/* A C program without any C++ library that calls operator new by its symbol. Argument 1: with a size that is
 * refused. */
#include <stddef.h>
#include <stdint.h>

void *_Znwm(size_t size);
void _ZdlPv(void *block);

int main(int argc, char **argv)
{
	void *block = _Znwm(argc > 1 ? SIZE_MAX / 2 : 24);

	(void)argv;
	_ZdlPv(block);
	return 0;
}
