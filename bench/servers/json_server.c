/* SPDX-License-Identifier: MIT */
/*
 * A server of a JSON-like protocol, a thread for each connection. A request is a dict {"id": NUMBER, "doc": VALUE}; the
 * document replaces that of the same id in a store that all connections share, so that most documents are dropped by
 * another thread than the one that read them. The answer tells of how many values the document was made, and of each of
 * its entries a tuple (name, kind, values).
 *
 *	json_server malloc|typed
 *
 * Prints the port it listens to on the loopback interface. At end of file on standard input it drops the store, says how
 * many requests it answered and how large it was, and ends: status 1 if a value lives that nobody dropped.
 */
#include "text.h"
#include "value.h"
#include "wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DOCUMENTS 512u
#define CONNECTIONS 256u

static _Atomic(struct value *) documents[DOCUMENTS];
static atomic_size_t answered;

static pthread_mutex_t connections_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t connections_change = PTHREAD_COND_INITIALIZER;
static int connections[CONNECTIONS]; /* sockets + 1; 0: free; under the lock */
static unsigned connections_count;
static bool ending;

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

/* ---- Requests ------------------------------------------------------------------------------------------------------- */

static struct value *text_value(const char *text)
{
	return string_new(text, strlen(text));
}

static struct value *row_of(const struct slot *entry)
{
	static const char *const kinds[KINDS] = {"number", "string", "tuple", "list", "dict"};
	struct value *row[] = {
		string_new(entry->key->text, entry->key->head.count),
		text_value(kinds[entry->value->kind]),
		number_new((double)value_count(entry->value)),
	};

	return tuple_new(row, 3);
}

static struct value *answer_of(const struct value *id, const struct value *document)
{
	struct value *answer = dict_new(), *rows = list_new();

	if (document->kind == DICT)
		for (size_t i = 0; i < ((const struct dict *)document)->slots; i++)
			if (((const struct dict *)document)->table[i].key)
				list_append(rows, row_of(&((const struct dict *)document)->table[i]));
	dict_set(answer, text_value("id"), number_new(((const struct number *)id)->number));
	dict_set(answer, text_value("values"), number_new((double)value_count(document)));
	dict_set(answer, text_value("rows"), rows);
	return answer;
}

static void store(size_t place, struct value *request)
{
	struct value *former = atomic_exchange(&documents[place % DOCUMENTS], request);

	if (former)
		value_drop(former);
}

static void answer(const char *data, size_t bytes, struct text *out)
{
	struct value *request = text_parse(data, bytes), *reply;
	const struct value *id, *document;

	id = request && request->kind == DICT ? dict_get(request, "id") : NULL;
	document = request && request->kind == DICT ? dict_get(request, "doc") : NULL;
	if (!id || id->kind != NUMBER || !document) {
		text_put(out, "{\"error\":\"not a request\"}", 25);
		if (request)
			value_drop(request);
		return;
	}
	reply = answer_of(id, document);
	text_put_value(out, reply);
	value_drop(reply);
	store((size_t)((const struct number *)id)->number, request);
}

/* ---- Connections ---------------------------------------------------------------------------------------------------- */

static bool serve_one(int socket, struct text *in, struct text *out)
{
	uint32_t length;

	if (!wire_read(socket, &length, sizeof length) || length > MESSAGE_MOST)
		return false;
	if (length > in->size) {
		in->data = realloc(in->data, length);
		in->size = length;
		if (!in->data)
			abort();
	}
	if (!wire_read(socket, in->data, length))
		return false;
	out->used = 0;
	text_put(out, (const char *)&length, sizeof length); /* its place */
	answer(in->data, length, out);
	length = (uint32_t)(out->used - sizeof length);
	memcpy(out->data, &length, sizeof length);
	atomic_fetch_add_explicit(&answered, 1, memory_order_relaxed);
	return wire_write(socket, out->data, out->used);
}

static void *serve(void *argument)
{
	unsigned place = (unsigned)(uintptr_t)argument;
	int socket = connections[place] - 1;
	struct text in = {0}, out = {0};

	while (serve_one(socket, &in, &out))
		;
	free(in.data);
	free(out.data);
	pthread_mutex_lock(&connections_lock);
	close(socket);
	connections[place] = 0;
	connections_count--;
	pthread_cond_broadcast(&connections_change);
	pthread_mutex_unlock(&connections_lock);
	return NULL;
}

static void begin_connection(int socket)
{
	int on = 1;
	unsigned place = 0;
	pthread_t thread;

	setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	pthread_mutex_lock(&connections_lock);
	while (place < CONNECTIONS && connections[place] != 0)
		place++;
	if (!ending && place < CONNECTIONS) {
		connections[place] = socket + 1;
		if (pthread_create(&thread, NULL, serve, (void *)(uintptr_t)place) == 0) {
			connections_count++;
			pthread_detach(thread);
			socket = -1;
		} else {
			connections[place] = 0;
		}
	}
	pthread_mutex_unlock(&connections_lock);
	if (socket >= 0)
		close(socket);
}

static void *accept_all(void *argument)
{
	int listener = (int)(intptr_t)argument;

	for (;;) {
		int socket = accept(listener, NULL, NULL);

		if (socket >= 0)
			begin_connection(socket);
		else if (errno != EINTR && errno != ECONNABORTED)
			return NULL;
	}
}

static void end_connections(void)
{
	pthread_mutex_lock(&connections_lock);
	ending = true;
	for (unsigned i = 0; i < CONNECTIONS; i++)
		if (connections[i] != 0)
			shutdown(connections[i] - 1, SHUT_RDWR);
	while (connections_count > 0)
		pthread_cond_wait(&connections_change, &connections_lock);
	pthread_mutex_unlock(&connections_lock);
}

/* ---- The whole ------------------------------------------------------------------------------------------------------ */

static int listen_on_loopback(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 128) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) != 0)
		fail("listen");
	printf("%u\n", ntohs(address.sin_port));
	fflush(stdout);
	return listener;
}

/* KiB as the kernel counts them. */
static size_t memory(const char *name)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	size_t value = 0;

	while (status && fgets(line, sizeof line, status))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoul(line + strlen(name) + 1, NULL, 10);
	if (status)
		fclose(status);
	return value;
}

int main(int count, char **arguments)
{
	pthread_t acceptor;
	char byte;

	if (count != 2 || (strcmp(arguments[1], "malloc") != 0 && strcmp(arguments[1], "typed") != 0)) {
		fprintf(stderr, "usage: json_server malloc|typed\n");
		return 2;
	}
	if (!value_begin(strcmp(arguments[1], "typed") == 0)) {
		fprintf(stderr, "json_server: typed needs strata, linked or preloaded\n");
		return 2;
	}
	if (pthread_create(&acceptor, NULL, accept_all, (void *)(intptr_t)listen_on_loopback()) != 0)
		fail("pthread_create");
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	end_connections();
	printf("%zu requests, rss %zu KiB, peak %zu KiB\n", (size_t)answered, memory("VmRSS"), memory("VmHWM"));
	for (unsigned i = 0; i < DOCUMENTS; i++)
		if (documents[i])
			value_drop(documents[i]);
	return value_end() ? 0 : 1;
}
