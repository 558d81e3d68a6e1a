/* SPDX-License-Identifier: MIT */
/*
 * A program with defaults of its own, which takes strata's messages itself. argv[1] is the value of "retain" that is expected.
 */
#include "lifecycle.h"

#include <strata/strata.h>

#include <errno.h>
#include <signal.h>

const char strata_options[] = "retain:3M,nonsense,decay_ms:77";

static char said[1000];

/* Async-signal-safe. */
static void keep(struct strata_message_handler *self, const char *line, size_t length)
{
	check(self->context == said && strlen(said) + length < sizeof said);
	strncat(said, line, length);
}

static struct strata_message_handler handler = {keep, said};

static void set_signal(uint64_t number, int result)
{
	struct strata_option option;

	check(strata_option_get("profile_signal", &option) == 0);
	option.number = number;
	check(strata_option_set("profile_signal", &option) == result);
}

/* Nothing was allocated yet. What a signal does while it is ours does not end the program; after that it does what it did. */
static void set_the_signal(void)
{
	struct strata_option option;
	struct sigaction action;

	check(strata_option_get("profile_signal", &option) == 0);
	if (option.fixed) {
		puts("a signal: too late, libc has allocated before main");
		return;
	}
	check(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	set_signal(SIGUSR1, 0);
	check(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler != SIG_IGN);
	set_signal(SIGKILL, EINVAL);
	check(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler != SIG_IGN);
	set_signal(SIGUSR2, 0);
	check(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
	check(raise(SIGUSR2) == 0);
}

int main(int argc, char **argv)
{
	struct strata_option option;
	char *block;

	check(argc == 2);
	set_the_signal();
	check(strata_option_get("retain", &option) == 0 && option.number == strtoull(argv[1], NULL, 10));
	check(strata_option_get("decay_ms", &option) == 0 && option.number == 77);
	check(strata_on_message(&handler) == NULL);
	check(strata_option_get("misuse", &option) == 0);
	option.word = "warn";
	check(strata_option_set("misuse", &option) == 0);
	block = block_new(100);
	strata_free(block + 4096 * 1000);
	check(strncmp(said, "strata: free(0x", 15) == 0 && strchr(said, '\n') == said + strlen(said) - 1);
	block_free(block);
	check(strata_on_message(NULL) == &handler);
	strata_free(&handler);
	puts("fine");
	return 0;
}
