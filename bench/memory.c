/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* The value in KiB that follows label at the start of a line of the file; 0 when it is not there. */
static uint64_t read_kib(const char *path, const char *label)
{
	char text[8192];
	size_t length = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	while (length < sizeof text - 1) {
		ssize_t got = read(fd, text + length, sizeof text - 1 - length);

		if (got <= 0)
			break;
		length += (size_t)got;
	}
	close(fd);
	text[length] = '\0';

	const char *at = strstr(text, label);
	uint64_t value = 0;

	if (!at)
		return 0;
	at += strlen(label);
	while (*at == ' ' || *at == '\t')
		at++;
	for (; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	return value;
}

uint64_t memory_resident(void)
{
	return read_kib("/proc/self/smaps_rollup", "\nRss:") << 10;
}

uint64_t memory_peak(void)
{
	return read_kib("/proc/self/status", "\nVmHWM:") << 10;
}
