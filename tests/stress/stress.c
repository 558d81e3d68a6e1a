/* SPDX-License-Identifier: MIT */
#include "stress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

atomic_bool stress_stop;
static const char *stress_name;
static double stress_seconds = 2;

void stress_begin(const char *name)
{
	const char *seconds = getenv("STRATA_STRESS_SECONDS");

	stress_name = name;
	if (seconds != NULL && strtod(seconds, NULL) > 0)
		stress_seconds = strtod(seconds, NULL);
	setvbuf(stdout, NULL, _IONBF, 0);
#ifndef STRESS_NATIVE
	require_strata_serves_malloc();
#endif
	/* Not a bound on speed: without it a hang would keep the whole suite from ending. */
	alarm((unsigned)stress_seconds * 20 + 600);
}

int stress_end(const char *format, ...)
{
	va_list arguments;

	printf("%s: ", stress_name);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("; resident %zu KiB, heaps %zu\n", resident_bytes() / KIB, (size_t)totals().heaps);
	return 0;
}

void stress_run_for(double part)
{
	double seconds = stress_seconds * part;
	struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		continue;
	atomic_store(&stress_stop, true);
}

size_t stress_scale(size_t number)
{
#ifdef STRESS_NATIVE
	return number < 8 ? number : number < 32 ? 8 : number / 4;
#else
	return number;
#endif
}

pthread_t stress_thread(void *(*body)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 * KIB);
	error = pthread_create(&thread, &attributes, body, argument);
	pthread_attr_destroy(&attributes);
	if (error != 0)
		fatal("%s: pthread_create: %s", stress_name, strerror(error));
	return thread;
}

void stress_join(pthread_t thread)
{
	int error = pthread_join(thread, NULL);

	if (error != 0)
		fatal("%s: pthread_join: %s", stress_name, strerror(error));
}

struct piece piece_new(size_t size, uint64_t *random)
{
	struct piece piece = {NULL, size, random_next(random)};
	unsigned how = piece.seed % 16;
	size_t alignment = size >= 16 ? 16 : 8;

	if (how == 0) {
		piece.block = x_calloc(1, size);
		if (piece.block != NULL && !all_zero(piece.block, size))
			fatal("%s: calloc(1, %zu) at %p is not zero", stress_name, size, (void *)piece.block);
	} else if (how == 1) {
		alignment = (size_t)8 << piece.seed / 16 % 10;
		piece.block = x_aligned_alloc(alignment, size);
	} else {
		piece.block = x_malloc(size);
#ifdef STRESS_NATIVE
		alignment = 8;
#endif
	}
	if (piece.block == NULL)
		fatal("%s: no block of %zu bytes", stress_name, size);
	if (how != 0 && !is_aligned(piece.block, alignment))
		fatal("%s: %p is not aligned to %zu", stress_name, (void *)piece.block, alignment);
	if (x_usable_size(piece.block) < size)
		fatal("%s: %p: less than %zu bytes usable", stress_name, (void *)piece.block, size);
	pattern_write(piece.block, size, piece.seed);
	return piece;
}

void piece_verify(const struct piece *piece)
{
	if (!pattern_holds(piece->block, piece->size, piece->seed))
		fatal("%s: contents of %p (%zu bytes) changed", stress_name, (void *)piece->block, piece->size);
}

void piece_free(struct piece *piece)
{
	piece_verify(piece);
	/* Whoever holds this block as well, by mistake, finds another pattern than it wrote. */
	memset(piece->block, 0xdd, piece->size < 64 ? piece->size : 64);
	opaque_pointer(piece->block);
	x_free(piece->block);
	piece->block = NULL;
}

void piece_resize(struct piece *piece, size_t size, uint64_t *random)
{
	size_t kept = size < piece->size ? size : piece->size;

	piece_verify(piece);
	piece->block = x_realloc(piece->block, size);
	if (piece->block == NULL)
		fatal("%s: no block of %zu bytes", stress_name, size);
	if (!pattern_holds(piece->block, kept, piece->seed))
		fatal("%s: realloc from %zu to %zu at %p lost contents", stress_name, piece->size, size,
		      (void *)piece->block);
	piece->size = size;
	piece->seed = random_next(random);
	pattern_write(piece->block, size, piece->seed);
}

void check_resident(const char *what, size_t limit)
{
	size_t resident = resident_bytes();

#ifdef STRESS_NATIVE
	limit = SIZE_MAX;
#endif
	if (resident > limit)
		fatal("%s: %s: resident %zu KiB, limit %zu KiB", stress_name, what, resident / KIB, limit / KIB);
}
