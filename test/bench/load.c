/*
 * load.c
 *		A bare curl_multi loop that sends the requests that echosync sends, to
 *		be compared with: no database, no JSON, no decisions.
 *
 *	load BASE_URL CA_FILE REQUESTS HEADERS LEADS FIRST_PHONE IN_FLIGHT HTTP_VERSION
 *
 * REQUESTS has the requests of one lead, one a line: method, path, body (or
 * "-"), divided by tabs; {phone} in them stands for the lead's phone.  HEADERS
 * has one header a line.  The requests of a lead go one after the other, those
 * of IN_FLIGHT leads at once, on connections that are kept.  HTTP_VERSION is
 * 1.1 or 2.  Prints the number of requests, the seconds they took, and how many of
 * these this process had a core.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <curl/curl.h>

#include "clock.h"

#define MAX_REQUESTS 8
#define MAX_TEXT 8192
#define EVENTS 64

typedef struct Template
{
	char		method[16];
	char		path[MAX_TEXT];
	char		body[MAX_TEXT];
} Template;

/* One lead under way. */
typedef struct Lane
{
	CURL	   *easy;
	int			next;			/* request of the lead */
	char		phone[32];
	char		url[MAX_TEXT];
	char		body[MAX_TEXT];
} Lane;

static const char *base_url;
static const char *ca_file;
static long http_version;
static Template templates[MAX_REQUESTS];
static int	n_templates;
static struct curl_slist *headers;
static long leads_left;
static long next_phone;
static long n_sent;
static long n_failed;
static int	n_active;
static CURLM *multi;
static int	epoll_fd;
static long timeout_ms = -1;

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static void
substitute(char *out, const char *text, const char *phone)
{
	const char *mark;

	*out = '\0';
	while ((mark = strstr(text, "{phone}")) != NULL)
	{
		strncat(out, text, mark - text);
		strcat(out, phone);
		text = mark + strlen("{phone}");
	}
	strcat(out, text);
}

static void
read_templates(const char *path)
{
	FILE	   *file = fopen(path, "r");
	char		line[2 * MAX_TEXT + 64];

	if (file == NULL)
		fail(path);
	while (n_templates < MAX_REQUESTS && fgets(line, sizeof(line), file) != NULL)
	{
		Template   *template = &templates[n_templates++];
		char	   *method = strtok(line, "\t\n");
		char	   *target = strtok(NULL, "\t\n");
		char	   *body = strtok(NULL, "\t\n");

		if (body == NULL)
			exit(2);
		snprintf(template->method, sizeof(template->method), "%s", method);
		snprintf(template->path, sizeof(template->path), "%s", target);
		snprintf(template->body, sizeof(template->body), "%s", strcmp(body, "-") == 0 ? "" : body);
	}
	fclose(file);
}

static void
read_headers(const char *path)
{
	FILE	   *file = fopen(path, "r");
	char		line[MAX_TEXT];

	if (file == NULL)
		fail(path);
	while (fgets(line, sizeof(line), file) != NULL)
	{
		line[strcspn(line, "\n")] = '\0';
		headers = curl_slist_append(headers, line);
	}
	fclose(file);
}

static size_t
discard(char *data, size_t size, size_t n, void *arg)
{
	(void) data;
	(void) arg;
	return size * n;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct epoll_event event = {.data.fd = fd};

	(void) easy;
	(void) arg;
	(void) socket_arg;
	if (what == CURL_POLL_REMOVE)
	{
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT)
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
	return 0;
}

static int
on_timer(CURLM *handle, long ms, void *arg)
{
	(void) handle;
	(void) arg;
	timeout_ms = ms;
	return 0;
}

/* What echosync sets, as far as it costs something. */
static void
lane_prepare(Lane *lane)
{
	lane->easy = curl_easy_init();
	curl_easy_setopt(lane->easy, CURLOPT_CAINFO, ca_file);
	curl_easy_setopt(lane->easy, CURLOPT_HTTP_VERSION, http_version);
	curl_easy_setopt(lane->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(lane->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(lane->easy, CURLOPT_TIMEOUT_MS, 30000L);
	curl_easy_setopt(lane->easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(lane->easy, CURLOPT_WRITEFUNCTION, discard);
	curl_easy_setopt(lane->easy, CURLOPT_PRIVATE, lane);
}

static void
lane_send(Lane *lane)
{
	const Template *template = &templates[lane->next++];
	char		path[MAX_TEXT];

	substitute(path, template->path, lane->phone);
	substitute(lane->body, template->body, lane->phone);
	snprintf(lane->url, sizeof(lane->url), "%.2000s%.6000s", base_url, path);
	curl_easy_setopt(lane->easy, CURLOPT_URL, lane->url);
	if (lane->body[0] != '\0')
	{
		curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDSIZE, (long) strlen(lane->body));
		curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDS, lane->body);
	}
	else
		curl_easy_setopt(lane->easy, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(lane->easy, CURLOPT_CUSTOMREQUEST, template->method);
	curl_multi_add_handle(multi, lane->easy);
	n_sent++;
	n_active++;
}

/* The lane's next request, or the next lead's first. */
static void
lane_go_on(Lane *lane)
{
	if (lane->next == n_templates)
	{
		if (leads_left == 0)
			return;
		leads_left--;
		lane->next = 0;
		snprintf(lane->phone, sizeof(lane->phone), "%ld", next_phone++);
	}
	lane_send(lane);
}

static void
collect(void)
{
	CURLMsg    *message;
	int			n;

	while ((message = curl_multi_info_read(multi, &n)) != NULL)
	{
		CURL	   *easy = message->easy_handle;
		CURLcode	code = message->data.result;
		Lane	   *lane;
		long		status = 0;

		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &lane);
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		if (code != CURLE_OK || status != 200)
			n_failed++;
		curl_multi_remove_handle(multi, easy);
		n_active--;
		lane_go_on(lane);
	}
}

/* libcurl's time has come: it says anew when it wants to be called next. */
static void
run_timer(void)
{
	int			running;

	timeout_ms = -1;
	curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static void
run(void)
{
	struct epoll_event events[EVENTS];
	int			running;

	while (n_active > 0)
	{
		int			n = epoll_wait(epoll_fd, events, EVENTS, timeout_ms < 0 ? 1000 : (int) timeout_ms);

		for (int i = 0; i < n; i++)
		{
			int			what = 0;

			if (events[i].events & (EPOLLIN | EPOLLHUP))
				what |= CURL_CSELECT_IN;
			if (events[i].events & EPOLLOUT)
				what |= CURL_CSELECT_OUT;
			if (events[i].events & EPOLLERR)
				what |= CURL_CSELECT_ERR;
			curl_multi_socket_action(multi, events[i].data.fd, what, &running);
		}
		if (n == 0 || timeout_ms == 0)
			run_timer();
		collect();
	}
}

int
main(int argc, char **argv)
{
	double		start,
				cpu;
	int			n_lanes;
	Lane	   *lanes;

	if (argc != 9)
	{
		fprintf(stderr, "usage: load BASE_URL CA_FILE REQUESTS HEADERS LEADS FIRST_PHONE IN_FLIGHT HTTP_VERSION\n");
		return 2;
	}
	base_url = argv[1];
	ca_file = argv[2];
	read_templates(argv[3]);
	read_headers(argv[4]);
	leads_left = atol(argv[5]);
	next_phone = atol(argv[6]);
	n_lanes = atoi(argv[7]);
	http_version = strcmp(argv[8], "2") == 0 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) n_lanes);
	curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long) n_lanes);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) n_lanes);

	start = clock_seconds(CLOCK_MONOTONIC);
	cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
	lanes = calloc(n_lanes, sizeof(Lane));
	for (int i = 0; i < n_lanes; i++)
	{
		lanes[i].next = n_templates;
		lane_prepare(&lanes[i]);
		lane_go_on(&lanes[i]);
	}
	run();
	start = clock_seconds(CLOCK_MONOTONIC) - start;
	cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	if (n_failed > 0)
	{
		fprintf(stderr, "%ld of %ld requests failed\n", n_failed, n_sent);
		return 1;
	}
	printf("%ld %.6f %.6f\n", n_sent, start, cpu);
	return 0;
}
