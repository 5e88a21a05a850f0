/*
 * crm.c
 *		The smallest Lofty over TLS that answers what echosync asks, and that
 *		writes down when the first byte of each request was there.
 *
 *	crm PORT CERTIFICATE KEY LOGFILE
 *
 * Prints "ready" when it listens.  LOGFILE gets a line for each request:
 * seconds of CLOCK_REALTIME, method, target.  The time is that of the wake-up
 * with which the request's first byte came, before it is decrypted.  One
 * process, one thread, HTTP/1.1.  It judges nothing: test/crm has the strict
 * fakes, which are too slow to be measured against.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "clock.h"

#define MAX_REQUEST 65536
#define EVENTS 64
#define QUIET_MS 50				/* the log is written when nothing happens */

typedef struct Client
{
	int			fd;
	SSL		   *ssl;
	size_t		n;
	double		first_byte;		/* of the request in the buffer */
	char		buffer[MAX_REQUEST];
} Client;

static FILE *requests;
static long next_lead = 100000000;

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static void
client_close(Client *client)
{
	SSL_free(client->ssl);
	close(client->fd);
	free(client);
}

static void
client_answer(Client *client, const char *method, const char *target)
{
	char		body[256];
	char		reply[1024];
	int			n;

	if (strcmp(method, "POST") == 0)
		snprintf(body, sizeof(body), "{\"leadId\":%ld}", next_lead++);
	else if (strcmp(method, "PUT") == 0)
		snprintf(body, sizeof(body), "{\"leadId\":%s}", strrchr(target, '/') + 1);
	else if (strstr(target, "/me") != NULL)
		snprintf(body, sizeof(body), "{\"id\":113300,\"firstName\":\"Ana\",\"lastName\":\"Reyes\"}");
	else
		snprintf(body, sizeof(body),
				 "{\"_metadata\":{\"collection\":\"leads\",\"limit\":10,\"offset\":0,\"total\":0},\"leads\":[]}");
	n = snprintf(reply, sizeof(reply),
				 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
				 "X-RateLimit-Limit: 100000000\r\nX-RateLimit-Remaining: 99999999\r\n\r\n%s",
				 strlen(body), body);
	if (SSL_write(client->ssl, reply, n) != n)
		shutdown(client->fd, SHUT_RDWR);	/* the next event closes it */
}

/* Answer what is complete in the buffer. */
static void
client_requests(Client *client)
{
	char	   *end;

	client->buffer[client->n] = '\0';
	while ((end = strstr(client->buffer, "\r\n\r\n")) != NULL)
	{
		char	   *length = strcasestr(client->buffer, "\r\nContent-Length:");
		size_t		size = end + 4 - client->buffer;
		char		method[16];
		char		target[1024];

		if (length != NULL && length < end)
			size += strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
		if (size > client->n)
			return;
		if (sscanf(client->buffer, "%15s %1023s", method, target) != 2)
			return;
		fprintf(requests, "%.6f %s %s\n", client->first_byte, method, target);
		client_answer(client, method, target);
		memmove(client->buffer, client->buffer + size, client->n - size + 1);
		client->n -= size;
	}
}

static void
client_readable(Client *client, double now)
{
	for (;;)
	{
		size_t		room = MAX_REQUEST - 1 - client->n;
		int			n = SSL_read(client->ssl, client->buffer + client->n, (int) room);

		if (n <= 0)
		{
			if (room == 0 || SSL_get_error(client->ssl, n) != SSL_ERROR_WANT_READ)
				client_close(client);
			return;
		}
		if (client->n == 0)
			client->first_byte = now;
		client->n += n;
		client_requests(client);
	}
}

static void
client_accept(int epoll, int listener, SSL_CTX *context)
{
	Client	   *client = calloc(1, sizeof(Client));
	struct epoll_event event = {.events = EPOLLIN};
	int			on = 1;

	client->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client->fd < 0)
	{
		free(client);
		return;
	}
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	client->ssl = SSL_new(context);
	SSL_set_fd(client->ssl, client->fd);
	SSL_set_accept_state(client->ssl);
	event.data.ptr = client;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
		fail("epoll_ctl");
}

static int
listen_on(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int			on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *) &address, sizeof(address)) != 0 || listen(fd, 512) != 0)
		fail("listen");
	return fd;
}

static SSL_CTX *
make_context(const char *certificate, const char *key)
{
	SSL_CTX    *context = SSL_CTX_new(TLS_server_method());

	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
		SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		fail("certificate");
	return context;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	struct epoll_event event = {.events = EPOLLIN};
	int			epoll = epoll_create1(EPOLL_CLOEXEC);
	SSL_CTX    *context;
	int			listener;

	if (argc != 5)
	{
		fprintf(stderr, "usage: crm PORT CERTIFICATE KEY LOGFILE\n");
		return 2;
	}
	context = make_context(argv[2], argv[3]);
	requests = fopen(argv[4], "w");
	if (requests == NULL)
		fail(argv[4]);
	setvbuf(requests, NULL, _IOFBF, 1 << 20);
	listener = listen_on(atoi(argv[1]));
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);	/* data.ptr NULL: the listener */
	puts("ready");
	fflush(stdout);

	for (;;)
	{
		int			n = epoll_wait(epoll, events, EVENTS, QUIET_MS);
		double		now = clock_seconds(CLOCK_REALTIME);

		if (n == 0)
			fflush(requests);
		for (int i = 0; i < n; i++)
		{
			if (events[i].data.ptr == NULL)
				client_accept(epoll, listener, context);
			else
				client_readable(events[i].data.ptr, now);
		}
	}
}
