/* SPDX-License-Identifier: MIT */
/*
 * The load for json_server: connections that each send a number of requests, one after the other, and hold the answers
 * against what they sent.
 *
 *	json_load PORT CONNECTIONS REQUESTS
 *
 * Prints requests per second over all connections; status 1 when an answer was wrong.
 */
#include "text.h"
#include "wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KINDS_OF_REQUEST 64u
#define CONNECTIONS_MOST 256u

struct request {
	struct text text; /* with its length in front */
	char answer[64];  /* how many values the answer must tell of */
};

static struct request requests[KINDS_OF_REQUEST];
static unsigned port;
static size_t requests_each;

static void fail(const char *what)
{
	fprintf(stderr, "json_load: %s\n", what);
	exit(1);
}

/* ---- Documents ------------------------------------------------------------------------------------------------------ */

static uint64_t random_state = 88172645463325252u;

static unsigned random_below(unsigned limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % limit;
}

static struct value *some_string(void)
{
	static const char letters[] = "the quick brown fox jumps over the lazy dog and all that was said of it before";

	return string_new(letters + random_below(20), random_below(random_below(8) ? 12 : 58));
}

static struct value *document(unsigned depth)
{
	struct value *items[6], *value;
	unsigned count = random_below(7);
	char key[16];

	switch (random_below(depth == 0 ? 2 : 6)) {
	case 0:
		return some_string();
	case 1:
		return number_new(random_below(100000) / 4.0);
	case 2:
		for (unsigned i = 0; i < count && i < 6; i++)
			items[i] = document(depth - 1);
		return tuple_new(items, count < 6 ? count : 6);
	case 3:
		value = list_new();
		for (unsigned i = 0; i < 2 * count; i++)
			list_append(value, document(depth - 1));
		return value;
	default:
		value = dict_new();
		for (unsigned i = 0; i < count; i++)
			dict_set(value, string_new(key, (size_t)snprintf(key, sizeof key, "key %u", i * 7)),
			         document(depth - 1));
		return value;
	}
}

static struct value *top_document(void)
{
	struct value *top = dict_new();
	char key[16];

	for (unsigned i = 0; i < 6; i++)
		dict_set(top, string_new(key, (size_t)snprintf(key, sizeof key, "field %u", i)), document(3));
	return top;
}

static void make_request(struct request *request, unsigned id)
{
	struct value *top = dict_new(), *doc = top_document();
	uint32_t length = 0;

	snprintf(request->answer, sizeof request->answer, "\"values\":%zu", value_count(doc));
	dict_set(top, string_new("id", 2), number_new(id));
	dict_set(top, string_new("doc", 3), doc);
	text_put(&request->text, (char *)&length, sizeof length);
	text_put_value(&request->text, top);
	length = (uint32_t)(request->text.used - sizeof length);
	memcpy(request->text.data, &length, sizeof length);
	value_drop(top);
}

/* ---- Connections ---------------------------------------------------------------------------------------------------- */

static int connect_to_server(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
	int on = 1, server = socket(AF_INET, SOCK_STREAM, 0);

	if (server < 0 || connect(server, (struct sockaddr *)&address, sizeof address) != 0)
		fail("no connection");
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return server;
}

static void ask(int server, const struct request *request, char *answer)
{
	uint32_t length = 0;

	if (!wire_write(server, request->text.data, request->text.used) ||
	    !wire_read(server, &length, sizeof length) || length > MESSAGE_MOST || !wire_read(server, answer, length))
		fail("the connection broke");
	answer[length] = '\0';
	if (!strstr(answer, request->answer))
		fail("a wrong answer");
}

static void *run(void *argument)
{
	size_t number = (size_t)argument;
	char *answer = malloc(MESSAGE_MOST + 1);
	int server = connect_to_server();

	for (size_t i = 0; answer && i < requests_each; i++)
		ask(server, &requests[(i * 7 + number) % KINDS_OF_REQUEST], answer);
	close(server);
	free(answer);
	return NULL;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int main(int count, char **arguments)
{
	pthread_t threads[CONNECTIONS_MOST];
	size_t connections;
	double begin;

	if (count != 4)
		fail("usage: json_load PORT CONNECTIONS REQUESTS");
	port = (unsigned)strtoul(arguments[1], NULL, 10);
	connections = strtoul(arguments[2], NULL, 10);
	requests_each = strtoul(arguments[3], NULL, 10);
	if (connections == 0 || connections > CONNECTIONS_MOST || !value_begin(false))
		fail("too many connections");
	for (unsigned i = 0; i < KINDS_OF_REQUEST; i++)
		make_request(&requests[i], i * 5);
	begin = now();
	for (size_t i = 0; i < connections; i++)
		if (pthread_create(&threads[i], NULL, run, (void *)i) != 0)
			fail("no thread");
	for (size_t i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	printf("%.0f requests/s\n", (double)(connections * requests_each) / (now() - begin));
	for (unsigned i = 0; i < KINDS_OF_REQUEST; i++)
		free(requests[i].text.data);
	return 0;
}
