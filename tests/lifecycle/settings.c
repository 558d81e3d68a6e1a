/* SPDX-License-Identifier: MIT */
/*
 * A program with defaults of its own, which takes strata's messages itself. argv[1] is the value of "retain" that is expected.
 */
#include "lifecycle.h"

#include <strata/strata.h>

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

int main(int argc, char **argv)
{
	struct strata_option option;
	char *block;

	check(argc == 2);
	check(strata_option_get("profile_signal", &option) == 0);
	option.number = SIGUSR2;
	if (strata_option_set("profile_signal", &option) == 0)
		check(raise(SIGUSR2) == 0); /* and does not end the program */
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
