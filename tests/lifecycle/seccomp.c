/* SPDX-License-Identifier: MIT */
/*
 * A sandbox that refuses membarrier (EPERM) and madvise (EINVAL). Without an argument: the filter comes while the
 * program runs, and goes on to one more run of the program, which then starts under it. With "mremap": one that refuses
 * mremap, by a number that the library might take for its own (EACCES). Exit status 77: no filter to be had here.
 */
#include "lifecycle.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int filter_install(struct sock_filter *program, size_t length)
{
	const struct sock_fprog filter = {(unsigned short)length, program};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

#define LOAD_NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define REFUSE(number, error) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int refuse_advice(void)
{
	struct sock_filter program[] = {LOAD_NUMBER, REFUSE(SYS_membarrier, EPERM), REFUSE(SYS_madvise, EINVAL), ALLOW};

	return filter_install(program, sizeof program / sizeof *program);
}

static int refuse_moves(void)
{
	struct sock_filter program[] = {LOAD_NUMBER, REFUSE(SYS_mremap, EACCES), ALLOW};

	return filter_install(program, sizeof program / sizeof *program);
}

/* Then it is copied. */
static void check_growth(void)
{
	char *block = malloc(1 << 20);

	check(block != NULL);
	memset(block, 1, 1 << 20);
	for (size_t size = 2 << 20; size <= 64 << 20; size *= 2) {
		char *behind = malloc(1 << 20);

		check(behind && (block = realloc(block, size)) != NULL);
		for (size_t i = 0; i < 1 << 20; i++)
			check(block[i] == 1);
		free(behind);
	}
	free(block);
}

static void *use(void *argument)
{
	churn((unsigned)(size_t)argument, 1000);
	return NULL;
}

/* Grows to tens of MiB and shrinks, so that memory is due to be given back; with threads that start and end. */
static void load(void)
{
	enum { COUNT = 600 };
	static char *blocks[COUNT];
	pthread_t threads[4];

	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < COUNT; i++)
			blocks[i] = block_new(i * 200 + 10);
		for (size_t i = 0; i < 4; i++)
			check(pthread_create(&threads[i], NULL, use, (void *)(i + 1)) == 0);
		for (size_t i = 0; i < 4; i++)
			check(pthread_join(threads[i], NULL) == 0);
		for (unsigned i = 0; i < COUNT; i++)
			block_free(blocks[i]);
		malloc_trim(0);
	}
}

/* Memory that could not be given back is not taken to be zero. */
static void check_zeroed(void)
{
	for (size_t size = 8; size < (size_t)8 << 20; size = size * 3 + 8) {
		char *block = calloc(1, size);

		check(block != NULL);
		for (size_t i = 0; i < size; i++)
			check(block[i] == 0);
		memset(block, 0xff, size);
		free(block);
	}
}

int main(int argc, char **argv)
{
	load();
	if (argc > 1 && strcmp(argv[1], "mremap") == 0) {
		check(refuse_moves() == 0);
		check_growth();
		return 0;
	}
	if (argc > 1) {
		check(madvise(NULL, 0, MADV_DONTNEED) < 0 && errno == EINVAL);
	} else if (refuse_advice()) {
		perror("prctl");
		return 77;
	}
	for (int round = 0; round < 2; round++) {
		load();
		check_zeroed();
		malloc_trim(0);
		check_zeroed();
	}
	if (argc == 1) {
		execl("/proc/self/exe", argv[0], "again", (char *)NULL);
		check(!"execl");
	}
	return 0;
}
