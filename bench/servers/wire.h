/* SPDX-License-Identifier: MIT */
/*
 * Messages over a stream socket: four bytes of length in the machine's order (both ends are this machine), then the text.
 */
#ifndef BENCH_SERVERS_WIRE_H
#define BENCH_SERVERS_WIRE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define MESSAGE_MOST ((uint32_t)1 << 20)

static inline bool wire_read(int socket, void *data, size_t bytes)
{
	for (char *at = data; bytes > 0;) {
		ssize_t got = recv(socket, at, bytes, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		bytes -= (size_t)got;
	}
	return true;
}

static inline bool wire_write(int socket, const void *data, size_t bytes)
{
	for (const char *at = data; bytes > 0;) {
		ssize_t put = send(socket, at, bytes, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		at += put;
		bytes -= (size_t)put;
	}
	return true;
}

#endif
