/*
 * http_test.c
 *		Tests of the HTTP engine, against http_server.py; prints TAP.
 *
 * Run by run_http.sh.  The test waits for facts (an outcome, a counter of the
 * server's), never for time to pass; the times it states are upper bounds,
 * multiplied by HTTP_TEST_SLOWNESS where the machine is slow (valgrind).
 *
 * It defines getaddrinfo, so that names resolve, fail to or hang as a test
 * wants, and wraps free, to see that nothing secret is in freed memory.
 */
#define _GNU_SOURCE				/* memmem, strcasestr, RTLD_NEXT */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "curl_prelude.h"
#include "http.h"

#define SECRET			"SECRET-TOKEN-1234"
#define SECRET_REPLY	"SECRET-IN-REPLY"
#define PATIENCE_MS		(20 * 1000)
#define MAX_CALLS		600

/* ---- TAP ---- */

static int	n_tests;
static int	n_failed;
static int	slowness = 1;

static bool
ok(bool passed, const char *format,...)
{
	va_list		args;

	n_tests++;
	if (!passed)
		n_failed++;
	printf("%s %d - ", passed ? "ok" : "not ok", n_tests);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	return passed;
}

static void
is_int(long got, long want, const char *name)
{
	if (!ok(got == want, "%s", name))
		printf("# got %ld, want %ld\n", got, want);
}

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- the server ---- */

static FILE *control_in;
static FILE *control_out;

/* A port by the server's name for it. */
static int
port_of(const char *name)
{
	char		path[512];
	char		line[128];
	size_t		len = strlen(name);
	FILE	   *file;
	int			port = 0;

	snprintf(path, sizeof(path), "%s/ports", getenv("HTTP_TEST_DIR"));
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
	{
		if (strncmp(line, name, len) == 0 && line[len] == '=')
			port = atoi(line + len + 1);
	}
	if (file != NULL)
		fclose(file);
	return port;
}

static void
control_open(void)
{
	struct sockaddr_in address;
	int			fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(&address, 0, sizeof(address));
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t) port_of("control"));
	if (connect(fd, (struct sockaddr *) &address, sizeof(address)) != 0)
	{
		printf("Bail out! no server\n");
		exit(1);
	}
	control_in = fdopen(fd, "r");
	control_out = fdopen(dup(fd), "w");
}

/* "get NAME", "wait NAME N", "set NAME N": the counter's value. */
static long
control(const char *format,...)
{
	char		line[64] = "";
	va_list		args;

	va_start(args, format);
	vfprintf(control_out, format, args);
	va_end(args);
	fprintf(control_out, "\n");
	fflush(control_out);
	if (fgets(line, sizeof(line), control_in) == NULL)
		return -1;
	return atol(line);
}

static char *
url(const char *port_name, const char *path)
{
	static char texts[4][256];
	static int	next;
	char	   *text = texts[next++ % 4];

	snprintf(text, 256, "https://127.0.0.1:%d%s", port_of(port_name), path);
	return text;
}

static char *
url_at(const char *host, const char *path)
{
	static char text[256];

	snprintf(text, sizeof(text), "https://%s:%d%s", host, port_of("main"), path);
	return text;
}

/* ---- name lookups, on libcurl's threads ---- */

static pthread_mutex_t lookup_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t lookup_changed = PTHREAD_COND_INITIALIZER;
static int	n_lookups;
static int	lookups_hanging;
static int	lookups_ended;
static bool lookups_released;
static bool lookup_saw_signals;

static void
lookup_hang(void)
{
	struct timespec give_up;

	clock_gettime(CLOCK_REALTIME, &give_up);
	give_up.tv_sec += PATIENCE_MS / 1000;
	pthread_mutex_lock(&lookup_mutex);
	lookups_hanging++;
	pthread_cond_broadcast(&lookup_changed);
	while (!lookups_released &&
		   pthread_cond_timedwait(&lookup_changed, &lookup_mutex,
								  &give_up) != ETIMEDOUT)
		;
	lookups_ended++;
	pthread_cond_broadcast(&lookup_changed);
	pthread_mutex_unlock(&lookup_mutex);
}

static void
lookup_wait(const int *counter, int at_least)
{
	pthread_mutex_lock(&lookup_mutex);
	while (*counter < at_least)
		pthread_cond_wait(&lookup_changed, &lookup_mutex);
	pthread_mutex_unlock(&lookup_mutex);
}

int
getaddrinfo(const char *node, const char *service,
			const struct addrinfo *hints, struct addrinfo **result)
{
	typedef int (*Lookup) (const char *, const char *,
						   const struct addrinfo *, struct addrinfo **);
	Lookup		real = (Lookup) dlsym(RTLD_NEXT, "getaddrinfo");
	size_t		len = node ? strlen(node) : 0;

	if (len > 5 && strcmp(node + len - 5, ".test") == 0)
	{
		static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM};
		sigset_t	blocked;
		size_t		i;

		pthread_mutex_lock(&lookup_mutex);
		n_lookups++;
		pthread_mutex_unlock(&lookup_mutex);
		pthread_sigmask(SIG_BLOCK, NULL, &blocked);
		for (i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		{
			if (!sigismember(&blocked, handled[i]))
				lookup_saw_signals = true;
		}
		if (strcmp(node, "hang.test") == 0)
			lookup_hang();
		if (strcmp(node, "missing.test") == 0)
			return EAI_NONAME;
		node = "127.0.0.1";
	}
	return real(node, service, hints, result);
}

/* ---- freed memory ---- */

extern void __real_free(void *memory);
extern void __wrap_free(void *memory);
extern void __real_curl_slist_free_all(struct curl_slist *list);
extern void __wrap_curl_slist_free_all(struct curl_slist *list);

static bool look_at_freed = true;
static int	secrets_freed;
static long bytes_looked_at;

static bool
holds_secret(const void *memory, size_t size)
{
	return memmem(memory, size, SECRET, strlen(SECRET)) != NULL ||
		memmem(memory, size, SECRET_REPLY, strlen(SECRET_REPLY)) != NULL;
}

/* What our files free; the test frees its own copies by __real_free. */
void
__wrap_free(void *memory)
{
	if (memory != NULL && look_at_freed)
	{
		size_t		size = malloc_usable_size(memory);

		bytes_looked_at += (long) size;
		if (holds_secret(memory, size))
			secrets_freed++;
	}
	__real_free(memory);
}

void
__wrap_curl_slist_free_all(struct curl_slist *list)
{
	struct curl_slist *item;

	for (item = list; item != NULL; item = item->next)
	{
		if (holds_secret(item->data, malloc_usable_size(item->data)))
			secrets_freed++;
	}
	__real_curl_slist_free_all(list);
}

/* ---- calls ---- */

/* A request made, and a copy of what came of it. */
typedef struct Call
{
	HttpTransfer *transfer;
	int			n_callbacks;
	HttpResult	result;
	bool		maybe_sent;
	int			status;
	char	   *body;
	size_t		body_len;
	bool		terminated;
	int			n_headers;
	char		x_header[64];	/* the header named by want_header */
	const char *want_header;
	int64_t		duration_us;
	int64_t		first_byte_us;
	char		detail[160];

	/* what to do in the callback */
	void		(*then) (struct Call *call);
	struct Call *other;
} Call;

static HttpEngine *engine;
static HttpEngineOptions options;
static Call calls[MAX_CALLS];
static int	n_calls;
static int	leaky_details;

static void
call_back(const HttpReply *reply, void *arg)
{
	Call	   *call = arg;
	const char *value;

	call->n_callbacks++;
	call->transfer = NULL;
	call->result = reply->result;
	call->maybe_sent = reply->maybe_sent;
	call->status = reply->status;
	call->body_len = reply->body_len;
	__real_free(call->body);
	call->body = malloc(reply->body_len + 1);
	memcpy(call->body, reply->body, reply->body_len);
	call->terminated = reply->body[reply->body_len] == '\0';
	call->body[reply->body_len] = '\0';
	call->n_headers = reply->n_headers;
	call->duration_us = reply->duration_us;
	call->first_byte_us = reply->first_byte_us;
	memcpy(call->detail, reply->detail, sizeof(call->detail));
	if (call->want_header != NULL &&
		(value = http_reply_header(reply, call->want_header)) != NULL)
		snprintf(call->x_header, sizeof(call->x_header), "%s", value);
	if (getenv("HTTP_TEST_VERBOSE") != NULL && reply->detail[0] != '\0')
		printf("# %s\n", reply->detail);
	if (strstr(reply->detail, "127.0.0.1") || strstr(reply->detail, ".test") ||
		strstr(reply->detail, "://") || strstr(reply->detail, "SECRET") ||
		(reply->detail[0] == '\0') != (reply->result == HTTP_RESULT_RESPONSE))
	{
		leaky_details++;
		printf("# detail: %s\n", reply->detail);
	}
	if (call->then != NULL)
		call->then(call);
}

static Call *
new_call(void)
{
	Call	   *call = &calls[n_calls++];

	memset(call, 0, sizeof(*call));
	return call;
}

static void
forget_calls(void)
{
	int			i;

	for (i = 0; i < n_calls; i++)
		__real_free(calls[i].body);
	n_calls = 0;
}

static Call *
start_with(const char *method, const char *where, const char *const *headers,
		   int n_headers, const char *body, size_t body_len)
{
	HttpRequest request = {0};
	Call	   *call = new_call();

	request.method = method;
	request.url = where;
	request.headers = headers;
	request.n_headers = n_headers;
	request.body = body;
	request.body_len = body_len;
	call->transfer = http_engine_submit(engine, &request, call_back, call);
	return call;
}

static Call *
start(const char *method, const char *where)
{
	return start_with(method, where, NULL, 0, NULL, 0);
}

static int64_t longest_run_us;

/* One turn of an event loop. */
static void
turn(void)
{
	struct pollfd poller;
	long		timeout = http_engine_timeout_ms(engine);
	int64_t		before;

	poller.fd = http_engine_fd(engine);
	poller.events = POLLIN;
	poll(&poller, 1, timeout < 0 || timeout > 1000 ? 1000 : (int) timeout);
	before = now_us();
	http_engine_run(engine);
	if (now_us() - before > longest_run_us)
		longest_run_us = now_us() - before;
}

static void
finish(const Call *call)
{
	int64_t		give_up = now_us() + PATIENCE_MS * (int64_t) 1000 * slowness;

	while (call->n_callbacks == 0 && now_us() < give_up)
		turn();
}

static void
finish_all(void)
{
	int64_t		give_up = now_us() + PATIENCE_MS * (int64_t) 1000 * slowness;

	while (http_engine_in_flight(engine) > 0 && now_us() < give_up)
		turn();
}

/* Drive the engine until the server has counted so many. */
static void
drive_until(const char *counter, long at_least)
{
	int64_t		give_up = now_us() + PATIENCE_MS * (int64_t) 1000 * slowness;

	while (control("get %s", counter) < at_least && now_us() < give_up)
	{
		struct pollfd poller;

		poller.fd = http_engine_fd(engine);
		poller.events = POLLIN;
		poll(&poller, 1, 5);
		http_engine_run(engine);
	}
}

static Call *
fetch(const char *method, const char *where)
{
	Call	   *call = start(method, where);

	finish(call);
	return call;
}

static void
explain(const Call *call)
{
	printf("# result %d sent %d status %d len %zu callbacks %d: %s\n",
		   (int) call->result, call->maybe_sent, call->status, call->body_len,
		   call->n_callbacks, call->detail);
}

/* A call that got no response: why, could the peer have acted, in what words. */
static void
failed_as(const Call *call, HttpResult result, bool sent, const char *words,
		  const char *name)
{
	if (!ok(call->n_callbacks == 1 && call->result == result &&
			call->maybe_sent == sent && call->status == 0 &&
			call->body_len == 0 && call->n_headers == 0 &&
			strstr(call->detail, words) != NULL &&
			(call->first_byte_us > 0) == sent, "%s", name))
		explain(call);
}

static void
responded(const Call *call, int status, const char *body, const char *name)
{
	if (!ok(call->n_callbacks == 1 && call->result == HTTP_RESULT_RESPONSE &&
			call->maybe_sent && call->status == status && call->terminated &&
			(body == NULL || strcmp(call->body, body) == 0), "%s", name))
		explain(call);
}

static void
default_options(void)
{
	static char ca_file[512];

	snprintf(ca_file, sizeof(ca_file), "%s/ca.crt", getenv("HTTP_TEST_DIR"));
	memset(&options, 0, sizeof(options));
	options.max_requests = 50;
	options.max_connections = 40;
	options.max_host_connections = 20;
	options.connect_timeout_ms = 5000 * slowness;
	options.request_timeout_ms = 10000 * slowness;
	options.max_body = 100000;
	options.ca_file = ca_file;
	options.user_agent = "echosync-test/1";
}

static void
open_engine(void)
{
	const char *error = NULL;

	engine = http_engine_create(&options, &error);
	if (engine == NULL)
	{
		printf("Bail out! %s\n", error);
		exit(1);
	}
}

static void
close_engine(void)
{
	http_engine_free(engine);
	engine = NULL;
	forget_calls();
}

/* ---- tests: what works ---- */

static void
test_response(void)
{
	Call	   *call = new_call();
	HttpRequest request = {.method = "GET", .url = url("main", "/ok")};

	call->want_header = "X-MIXED-case";
	call->transfer = http_engine_submit(engine, &request, call_back, call);
	ok(call->transfer != NULL && call->n_callbacks == 0,
	   "submit does not call back");
	is_int(http_engine_in_flight(engine), 1, "one in flight");
	finish(call);
	responded(call, 200, "hello", "a response");
	ok(strcmp(call->x_header, "padded value") == 0,
	   "header value trimmed, name looked up in any case");
	ok(call->first_byte_us > 0 && call->first_byte_us <= call->duration_us,
	   "times are told");
	is_int(http_engine_in_flight(engine), 0, "none in flight");
	is_int(http_engine_timeout_ms(engine) == 0, 0, "nothing more to do at once");

	call = new_call();
	call->want_header = "x-twice";
	http_engine_submit(engine, &request, call_back, call);
	finish(call);
	ok(strcmp(call->x_header, "first") == 0, "of two values the first");

	call = new_call();
	request.url = url("main", "/interim");
	call->want_header = "x-early";
	http_engine_submit(engine, &request, call_back, call);
	finish(call);
	responded(call, 200, "late", "an interim reply is not the reply");
	ok(call->x_header[0] == '\0', "nor are its headers");

	call = new_call();
	request.url = url("main", "/trailer");
	call->want_header = "x-trailer";
	http_engine_submit(engine, &request, call_back, call);
	finish(call);
	responded(call, 200, "abc", "chunked, with a trailer");
	ok(call->x_header[0] == '\0', "a trailer is no header");
}

static void
test_statuses(void)
{
	static const int statuses[] = {201, 400, 401, 404, 429, 500, 503};
	char		path[32];
	size_t		i;

	for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
	{
		snprintf(path, sizeof(path), "/status/%d", statuses[i]);
		responded(fetch("GET", url("main", path)), statuses[i], "{}",
				  "any status is a response");
	}
	responded(fetch("GET", url("main", "/nocontent")), 204, "", "204");
	responded(fetch("POST", url("main", "/empty")), 200, "", "an empty body");
}

static bool
holds(const Call *call, const char *text)
{
	return strcasestr(call->body, text) != NULL;
}

static void
test_request_head(void)
{
	static const char *const headers[] = {
		"Authorization: Bearer " SECRET, "X-System: Echo Safe"
	};
	Call	   *call;

	call = start_with("GET", url("main", "/echo?a=b%20c&d"), headers, 2, NULL, 0);
	finish(call);
	ok(call->status == 200 && holds(call, "GET /echo?a=b%20c&d HTTP/1.1\r\n"),
	   "the URL is sent as it is");
	ok(holds(call, "\r\nAuthorization: Bearer " SECRET "\r\n") &&
	   holds(call, "\r\nX-System: Echo Safe\r\n"), "header lines are sent");
	ok(holds(call, "\r\nUser-Agent: echosync-test/1\r\n"), "User-Agent is sent");
	ok(holds(call, "\r\nAccept-Encoding: gzip\r\n"), "gzip is offered");
	ok(!holds(call, "\nExpect:") && !holds(call, "\nReferer:") &&
	   !holds(call, "\nCookie:") && !holds(call, "\nContent-"),
	   "nothing is sent that was not asked for");

	call = fetch("GET", url("main", "/echo/../ok"));
	ok(holds(call, "GET /echo/../ok "), "the path is not rewritten");
	call = fetch("GET", url("main", "/echo"));
	ok(!holds(call, "Authorization"), "a header is not kept for the next request");
}

static void
test_request_body(const char *method)
{
	static const char *const headers[] = {"Content-Type: application/json"};
	static char body[90000];
	char		line[64];
	const char *end;
	Call	   *call;
	size_t		i;

	for (i = 0; i < sizeof(body); i++)
		body[i] = (char) (i * 7 + i / 256);
	call = start_with(method, url("main", "/echo"), headers, 1, body, sizeof(body));
	memset(body, 0, sizeof(body));	/* the engine has its own copy */
	for (i = 0; i < sizeof(body); i++)
		body[i] = (char) (i * 7 + i / 256);
	finish(call);
	snprintf(line, sizeof(line), "%s /echo HTTP/1.1\r\n", method);
	ok(strncmp(call->body, line, strlen(line)) == 0, "%s is the method", method);
	end = strstr(call->body, "\r\n\r\n");
	ok(end != NULL &&
	   call->body_len - (size_t) (end + 4 - call->body) == sizeof(body) &&
	   memcmp(end + 4, body, sizeof(body)) == 0,
	   "%s: the body arrives exactly", method);
	ok(holds(call, "\r\nContent-Length: 90000\r\n") && !holds(call, "\nExpect:") &&
	   holds(call, "\r\nContent-Type: application/json\r\n") &&
	   !holds(call, "urlencoded"), "%s: headers of the body", method);
}

static void
test_bodies(void)
{
	char	   *large;
	Call	   *call;

	test_request_body("POST");
	test_request_body("PUT");

	call = start_with("POST", url("main", "/echo"), NULL, 0, "a=b", 3);
	finish(call);
	ok(!holds(call, "Content-Type"), "no Content-Type is made up");
	call = fetch("POST", url("main", "/echo"));
	ok(holds(call, "POST /echo ") && holds(call, "Content-Length: 0\r\n"),
	   "POST without a body has an empty one");
	call = fetch("DELETE", url("main", "/echo"));
	ok(holds(call, "DELETE /echo ") && !holds(call, "Content-Length"),
	   "DELETE without a body");
	call = start_with("DELETE", url("main", "/echo"), NULL, 0, "{}", 2);
	finish(call);
	ok(holds(call, "DELETE /echo ") && holds(call, "\r\n\r\n{}"),
	   "DELETE with a body");

	/* libcurl would only ask for leave to send a body of a megabyte or more */
	large = calloc(1, 1500000);
	call = start_with("POST", url("main", "/empty"), NULL, 0, large, 1500000);
	__real_free(large);
	finish(call);
	responded(call, 200, "", "a large body");
	is_int(control("get expect"), 0, "is sent without Expect");
}

/* ---- tests: what is refused ---- */

static void
refused(const char *method, const char *where, const char *header,
		const char *body, const char *name)
{
	const char *const headers[] = {header};
	Call	   *call;

	call = start_with(method, where, headers, header ? 1 : 0, body,
					  body ? strlen(body) : 0);
	if (call->transfer == NULL || call->n_callbacks != 0)
		ok(false, "%s: called back too early", name);
	finish(call);
	failed_as(call, HTTP_RESULT_INTERNAL, false, "", name);
}

static void
test_refusals(void)
{
	char		plain[128];
	long		requests = control("get GET.ok");

	snprintf(plain, sizeof(plain), "http://127.0.0.1:%d/ok", port_of("trap"));
	refused("GET", plain, NULL, NULL, "http is not spoken");
	refused("GET", "ftp://127.0.0.1/x", NULL, NULL, "nor is ftp");
	refused("GET", "file:///etc/passwd", NULL, NULL, "nor file");
	refused("GET", "127.0.0.1/x", NULL, NULL, "nor a URL without a scheme");
	refused("GET", "https://u:" SECRET "@127.0.0.1/x", NULL, NULL,
			"no user in the URL");
	refused("GET", "https://127.0.0.1/a\r\nb", NULL, NULL, "no line break in a URL");
	refused("PATCH", url("main", "/ok"), NULL, NULL, "unknown method");
	refused("get", url("main", "/ok"), NULL, NULL, "method in lower case");
	refused("GET", url("main", "/ok"), NULL, "body", "GET with a body");
	refused("GET", url("main", "/ok"), "A: b\r\nC: d", NULL,
			"no line break in a header");
	refused("GET", url("main", "/ok"), "A: b\nC: d", NULL,
			"not even a lone line feed");
	refused("GET", url("main", "/ok"), "nothing", NULL, "header without a value");
	refused("GET", url("main", "/ok"), "A b: c", NULL, "space in a header's name");
	refused("GET", NULL, NULL, NULL, "no URL");
	is_int(control("get GET.ok"), requests, "none of them was sent");
	is_int(control("get trapped"), 0, "nobody was contacted");
}

static void
test_elsewhere(void)
{
	responded(fetch("GET", url("main", "/redirect/https")), 302, "",
			  "a redirect is a response");
	responded(fetch("POST", url("main", "/redirect/http")), 302, "",
			  "so is one to http");
	is_int(control("get trapped"), 0, "it is not followed");

	{
		char		proxy[64];

		snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", port_of("trap"));
		setenv("https_proxy", proxy, 1);
		setenv("ALL_PROXY", proxy, 1);
		responded(fetch("GET", url("other", "/ok")), 200, "hello",
				  "a proxy in the environment");
		unsetenv("https_proxy");
		unsetenv("ALL_PROXY");
		is_int(control("get trapped"), 0, "is not used");
	}
}

/* ---- tests: size ---- */

static void
test_sizes(void)
{
	responded(fetch("GET", url("main", "/big/100000")), 200, NULL,
			  "a body as large as the cap");
	failed_as(fetch("GET", url("main", "/big/100001")), HTTP_RESULT_TOO_LARGE,
			  true, "larger than allowed reading the reply", "one byte more");
	responded(fetch("GET", url("main", "/bigchunked/100000")), 200, NULL,
			  "a body of unknown length");
	failed_as(fetch("GET", url("main", "/bigchunked/101000")),
			  HTTP_RESULT_TOO_LARGE, true, "larger than allowed",
			  "too large a body of unknown length");
	responded(fetch("GET", url("main", "/gzip/50000")), 200, NULL,
			  "gzip is undone");
	is_int((long) calls[n_calls - 1].body_len, 50000, "its size is the decoded one");
	failed_as(fetch("GET", url("main", "/gzip/50000000")), HTTP_RESULT_TOO_LARGE,
			  true, "larger than allowed", "gzip bomb");
	responded(fetch("GET", url("main", "/headers/200")), 200, "", "200 headers");
	is_int(calls[n_calls - 1].n_headers, 200, "all of them are there");
	failed_as(fetch("GET", url("main", "/headers/201")), HTTP_RESULT_TOO_LARGE,
			  true, "larger than allowed", "201 headers");
	failed_as(fetch("GET", url("main", "/flood")), HTTP_RESULT_TOO_LARGE,
			  true, "larger than allowed", "endless headers");
	failed_as(fetch("GET", url("main", "/longline")), HTTP_RESULT_TOO_LARGE,
			  true, "larger than allowed", "an endless header line");
}

/* ---- tests: what breaks ---- */

static void
test_lost(void)
{
	static const char *const paths[] = {
		"/cut", "/cutchunked", "/cuthead", "/reset", "/drop", "/garbage"
	};
	size_t		i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
	{
		/* on a connection of its own, and on one used before */
		failed_as(fetch("POST", url("main", paths[i])), HTTP_RESULT_LOST,
				  true, "", paths[i]);
		responded(fetch("GET", url("main", "/ok")), 200, "hello", "and on");
		failed_as(fetch("POST", url("main", paths[i])), HTTP_RESULT_LOST,
				  true, "", paths[i]);
	}
}

static void
test_timeouts(void)
{
	Call	   *hang;
	Call	   *slow;
	Call	   *mute;
	Call	   *stuffed;

	options.request_timeout_ms = 500 * slowness;
	http_engine_configure(engine, &options);
	hang = start("POST", url("main", "/hang"));
	slow = start("GET", url("main", "/slow"));
	options.connect_timeout_ms = 300 * slowness;
	http_engine_configure(engine, &options);
	mute = start("GET", url("mute", "/"));
	stuffed = start("GET", url("stuffed", "/"));
	finish_all();
	failed_as(hang, HTTP_RESULT_TIMEOUT, true, "waiting for the reply",
			  "no reply");
	ok(strstr(hang->detail, "TLS ") != NULL, "the words say where time went: %s",
	   hang->detail);
	ok(hang->duration_us >= 500000 * slowness &&
	   hang->duration_us < 1500000 * slowness, "in the time given");
	failed_as(slow, HTTP_RESULT_TIMEOUT, true, "reading the reply",
			  "a slow body");
	failed_as(mute, HTTP_RESULT_TIMEOUT, false, "in the TLS handshake",
			  "a peer that does not speak TLS");
	ok(mute->duration_us < 480000 * slowness, "in the time given for connecting");
	failed_as(stuffed, HTTP_RESULT_TIMEOUT, false, "connecting",
			  "a peer that does not answer");
	default_options();
	http_engine_configure(engine, &options);
}

static void
test_no_connection(void)
{
	char		missing_ca[512];

	failed_as(fetch("GET", url("refused", "/")), HTTP_RESULT_CONNECT, false,
			  "connecting", "connection refused");
	failed_as(fetch("GET", url_at("missing.test", "/ok")), HTTP_RESULT_RESOLVE,
			  false, "resolving the host name", "unresolvable name");
	responded(fetch("GET", url_at("good.test", "/ok")), 200, "hello",
			  "resolvable name");
	failed_as(fetch("GET", url("wrongname", "/ok")), HTTP_RESULT_TLS, false,
			  "not for this host", "certificate of another host");
	failed_as(fetch("GET", url("expired", "/ok")), HTTP_RESULT_TLS, false,
			  "expired", "expired certificate");
	failed_as(fetch("GET", url("unknown", "/ok")), HTTP_RESULT_TLS, false,
			  "unknown CA", "certificate of an unknown CA");
	failed_as(fetch("GET", url("oldtls", "/ok")), HTTP_RESULT_TLS, false,
			  "TLS handshake", "TLS 1.1");

	snprintf(missing_ca, sizeof(missing_ca), "%s/none", getenv("HTTP_TEST_DIR"));
	options.ca_file = missing_ca;
	http_engine_configure(engine, &options);
	failed_as(fetch("GET", url("main", "/ok")), HTTP_RESULT_TLS, false,
			  "CA cert", "CA file that is not there");
	options.ca_file = NULL;
	http_engine_configure(engine, &options);
	failed_as(fetch("GET", url("main", "/ok")), HTTP_RESULT_TLS, false,
			  "unknown CA", "the system's CAs do not know ours");
	default_options();
	http_engine_configure(engine, &options);
	responded(fetch("GET", url("main", "/ok")), 200, "hello", "with ours again");
}

/* Only to see whether the peer can be reached: nothing is sent to it. */
static Call *
probe(const char *where, long timeout_ms)
{
	HttpRequest request = {0};
	Call	   *call = new_call();

	request.method = "GET";
	request.url = where;
	request.connect_only = true;
	request.timeout_ms = timeout_ms;
	call->transfer = http_engine_submit(engine, &request, call_back, call);
	finish(call);
	return call;
}

static void
test_connect_only(void)
{
	long		requests = control("get GET.ok");
	long		connections;
	Call	   *call;

	responded(fetch("GET", url("main", "/ok")), 200, "hello", "a request before");
	connections = control("get accepted.main");
	call = probe(url("main", "/ok"), 0);
	ok(call->result == HTTP_RESULT_RESPONSE && call->status == 0 && !call->maybe_sent,
	   "a connection, and no request");
	is_int(control("get accepted.main") - connections, 1, "it is a new one");
	is_int(control("get GET.ok") - requests, 1, "over which nothing was sent");
	failed_as(probe(url("expired", "/ok"), 0), HTTP_RESULT_TLS, false,
			  "expired", "the certificate is looked at");
	failed_as(probe(url("refused", "/"), 0), HTTP_RESULT_CONNECT, false,
			  "connecting", "nobody is there");
	call = probe(url("mute", "/"), 300 * slowness);
	failed_as(call, HTTP_RESULT_TIMEOUT, false, "in the TLS handshake", "nobody answers");
	ok(call->duration_us < 2000000 * slowness, "in the time given for this one");
	responded(fetch("GET", url("main", "/ok")), 200, "hello", "a request after");
}

/* Make a connection of its own: how often was the name looked up for it? */
static int
lookups_for(bool fresh_dns)
{
	HttpRequest request = {0};
	Call	   *call = new_call();
	int			before = n_lookups;

	request.method = "GET";
	request.url = url_at("good.test", "/ok");
	request.connect_only = true;
	request.fresh_dns = fresh_dns;
	call->transfer = http_engine_submit(engine, &request, call_back, call);
	finish(call);
	is_int(call->result, HTTP_RESULT_RESPONSE, "a connection of its own");
	return n_lookups - before;
}

static void
test_fresh_dns(void)
{
	(void) lookups_for(false);
	is_int(lookups_for(false), 0, "a name is known for the next connection");
	ok(lookups_for(true) > 0, "but not for one that is to look it up anew");
	(void) lookups_for(false);
	is_int(lookups_for(false), 0, "which is said for one request only");
}

/* Many at once to a host that is down: none waits for another's failure. */
static void
test_host_down(void)
{
	static const char *const names[] = {"refused", "mute", "stuffed"};
	Call	   *call;
	int			n_prompt;
	size_t		i;
	int			j;

	options.connect_timeout_ms = 300 * slowness;
	http_engine_configure(engine, &options);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		forget_calls();
		for (j = 0; j < 8; j++)
			start("POST", url(names[i], "/"));
		finish_all();
		for (n_prompt = 0, j = 0; j < 8; j++)
		{
			call = &calls[j];
			n_prompt += call->n_callbacks == 1 && !call->maybe_sent &&
				(call->result == HTTP_RESULT_CONNECT ||
				 call->result == HTTP_RESULT_TIMEOUT) &&
				call->duration_us < 600000 * slowness;
		}
		is_int(n_prompt, 8, names[i]);
	}
	default_options();
	http_engine_configure(engine, &options);
}

/* ---- tests: connections ---- */

static void
test_reuse(void)
{
	long		before;
	long		before_closed;
	struct pollfd poller;
	Call	   *call;
	int			i;

	close_engine();				/* closes what earlier tests left */
	open_engine();
	before = control("get accepted.main");
	before_closed = control("get closed.main");
	for (i = 0; i < 5; i++)
		fetch(i % 2 ? "POST" : "GET", url("main", "/echo"));
	is_int(control("get accepted.main") - before, 1,
		   "five requests, one connection");

	/* the reply did not say that the connection would be closed */
	responded(fetch("GET", url("main", "/once")), 200, "once", "closed when idle");
	control("wait closed.main %ld", before_closed + 1);
	poller.fd = http_engine_fd(engine);
	poller.events = POLLIN;
	is_int(poll(&poller, 1, 10), 0, "nor does it wake anybody");
	call = start_with("POST", url("main", "/echo"), NULL, 0, "x", 1);
	finish(call);
	responded(call, 200, NULL, "a dead idle connection is not used");
}

/* A request that may have been acted upon is not sent again by libcurl. */
static void
test_resend(void)
{
	Call	   *call;

	control("set POST.drop 0");
	control("set GET.drop 0");
	responded(fetch("GET", url("main", "/ok")), 200, "hello",
			  "a connection to be used again");
	call = start_with("POST", url("main", "/drop"), NULL, 0, "create", 6);
	finish(call);
	failed_as(call, HTTP_RESULT_LOST, true, "without a reply",
			  "dropped on a connection used before");
	is_int(control("get POST.drop"), 1, "the POST was sent once");

	responded(fetch("GET", url("main", "/ok")), 200, "hello",
			  "a connection to be used again");
	failed_as(fetch("GET", url("main", "/drop")), HTTP_RESULT_LOST, true, "",
			  "a GET that is always dropped");
	is_int(control("get GET.drop"), 2, "was sent twice");
}

static void
test_connection_bounds(void)
{
	Call	   *held[12];
	Call	   *queued;
	int			i;
	int			n_good = 0;

	close_engine();
	options.max_connections = 5;
	options.max_host_connections = 3;
	open_engine();
	control("set release 0");
	control("set holding 0");
	control("set holding.max 0");
	for (i = 0; i < 12; i++)
		held[i] = start("GET", url(i % 2 ? "main" : "other", "/hold"));
	drive_until("holding", 5);
	options.request_timeout_ms = 400 * slowness;
	http_engine_configure(engine, &options);
	queued = start("POST", url("main", "/hold"));
	finish(queued);
	failed_as(queued, HTTP_RESULT_TIMEOUT, false, "waiting for a connection",
			  "a transfer that gets no connection runs out of time");
	is_int(control("get holding"), 5, "no more connections than allowed in all");
	control("set release 1");
	finish_all();
	for (i = 0; i < 12; i++)
		n_good += held[i]->status == 200;
	is_int(n_good, 12, "all are served in the end");
	is_int(control("get holding.max"), 5, "never more than allowed");
	default_options();

	close_engine();
	options.max_host_connections = 3;
	open_engine();
	control("set release 0");
	control("set holding.max 0");
	for (i = 0; i < 9; i++)
		start("GET", url("main", "/hold"));
	drive_until("holding", 3);
	responded(fetch("GET", url("other", "/ok")), 200, "hello",
			  "a host at its bound does not hold up another");
	control("set release 1");
	finish_all();
	is_int(control("get holding.max"), 3, "nor more than allowed to one host");
	default_options();
	close_engine();
	open_engine();
}

static void
test_request_bound(void)
{
	int			accepted = 0;
	int			i;
	Call	   *call;

	control("set release 0");
	for (i = 0; i < 500; i++)
	{
		call = start("GET", url("main", "/hold"));
		accepted += call->transfer != NULL;
	}
	is_int(accepted, 50, "of 500 submits as many as allowed are taken");
	is_int(http_engine_in_flight(engine), 50, "and are in flight");
	control("set release 1");
	finish_all();
	for (i = 0; i < n_calls; i++)
		accepted -= calls[i].n_callbacks == 1 && calls[i].status == 200;
	is_int(accepted, 0, "each is called back once");
	ok(start("GET", url("main", "/ok"))->transfer != NULL, "then there is room again");
	finish_all();
}

/* ---- tests: cancel, free, callbacks ---- */

/* Sockets to the server, but for the test's own, that exec would pass on. */
static int
n_inheritable_sockets(void)
{
	struct sockaddr_in peer;
	socklen_t	len;
	int			n = 0;
	int			seen = 0;
	int			fd;

	for (fd = 3; fd < 200; fd++)
	{
		len = sizeof(peer);
		if (getpeername(fd, (struct sockaddr *) &peer, &len) != 0 ||
			ntohs(peer.sin_port) != port_of("main"))
			continue;
		seen++;
		n += (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
	}
	return seen > 0 ? n : -1;
}

static void
test_cancel(void)
{
	Call	   *call;
	Call	   *queued;
	long		hangups = control("get hangup");

	control("set hanging 0");
	call = start("POST", url("main", "/hang"));
	drive_until("hanging", 1);
	is_int(n_inheritable_sockets(), 0, "no child process would inherit its socket");
	http_engine_cancel(engine, call->transfer);
	failed_as(call, HTTP_RESULT_CANCELLED, true, "waiting for the reply",
			  "cancelled while the server thinks");
	is_int(control("wait hangup %ld", hangups + 1) >= hangups + 1, 1,
		   "the connection is closed");

	queued = start("POST", url("main", "/hang"));
	http_engine_cancel(engine, queued->transfer);
	failed_as(queued, HTTP_RESULT_CANCELLED, false, "Cancelled",
			  "cancelled before it started");
	call = start("NONE", url("main", "/ok"));
	http_engine_cancel(engine, call->transfer);
	failed_as(call, HTTP_RESULT_CANCELLED, false, "Cancelled",
			  "cancelled though already refused");
	is_int(http_engine_in_flight(engine), 0, "none is left");
	responded(fetch("GET", url("main", "/ok")), 200, "hello", "and on");
}

static void
then_submit(Call *call)
{
	HttpRequest request = {.method = "GET", .url = url("main", "/ok")};

	call->other->transfer = http_engine_submit(engine, &request, call_back,
											   call->other);
}

static void
then_submit_bad(Call *call)
{
	HttpRequest request = {.method = "NONE", .url = url("main", "/ok")};

	if (call->n_callbacks < 5)
		http_engine_submit(engine, &request, call_back, call);
}

static void
then_cancel(Call *call)
{
	if (call->other->transfer != NULL)
		http_engine_cancel(engine, call->other->transfer);
}

static HttpTransfer *own_transfer;

static void
then_cancel_self(Call *call)
{
	(void) call;
	http_engine_cancel(engine, own_transfer);
	http_engine_run(engine);
}

static void
test_callbacks(void)
{
	Call	   *first;
	Call	   *second;

	/* a full engine has room in the callback of the one that ended */
	options.max_requests = 1;
	http_engine_configure(engine, &options);
	second = new_call();
	first = start("GET", url("main", "/ok"));
	first->then = then_submit;
	first->other = second;
	finish(second);
	responded(first, 200, "hello", "a callback that submits");
	responded(second, 200, "hello", "what it submitted");
	default_options();
	http_engine_configure(engine, &options);

	first = start("GET", url("main", "/ok"));
	second = start("GET", url("main", "/hang"));
	first->then = then_cancel;
	first->other = second;
	finish_all();
	responded(first, 200, "hello", "a callback that cancels");
	is_int(second->result, HTTP_RESULT_CANCELLED, "what it cancelled");

	/* both are due in one run: the first to be called cancels the other */
	first = start("NONE", url("main", "/ok"));
	second = start("NONE", url("main", "/ok"));
	first->then = second->then = then_cancel;
	first->other = second;
	second->other = first;
	http_engine_run(engine);
	failed_as(first, HTTP_RESULT_INTERNAL, false, "unknown method", "of two due");
	failed_as(second, HTTP_RESULT_CANCELLED, false, "Cancelled",
			  "the first cancels the second");

	first = start("GET", url("main", "/ok"));
	own_transfer = first->transfer;
	first->then = then_cancel_self;
	finish(first);
	responded(first, 200, "hello", "cancel and run in one's own callback do nothing");

	first = start("NONE", url("main", "/ok"));
	first->then = then_submit_bad;
	http_engine_run(engine);
	is_int(first->n_callbacks, 1, "a run ends though each callback submits");
	is_int(http_engine_timeout_ms(engine), 0, "and asks to be called again");
	finish_all();
	is_int(first->n_callbacks, 5, "which it is");
}

static void
test_free(void)
{
	Call	   *submitting;
	int			cancelled = 0;
	int			i;

	forget_calls();
	control("set hanging 0");
	for (i = 0; i < 6; i++)
		start("GET", url("main", "/hang"));
	drive_until("hanging", 6);
	start("NONE", url("main", "/ok"));
	submitting = start("GET", url("other", "/hang"));
	submitting->then = then_submit;
	submitting->other = new_call();
	http_engine_free(engine);
	for (i = 0; i < 8; i++)
		cancelled += calls[i].n_callbacks == 1 &&
			calls[i].result == HTTP_RESULT_CANCELLED;
	is_int(cancelled, 8, "free cancels what is in flight");
	is_int(submitting->other->n_callbacks, 0, "and takes nothing more");
	forget_calls();
	http_engine_free(NULL);
	open_engine();
}

/* ---- tests: lookups ---- */

static void
test_hanging_lookup(void)
{
	Call	   *hang = start("POST", url_at("hang.test", "/ok"));
	Call	   *again;
	int64_t		before;
	int			good = 0;
	int			i;

	while (lookups_hanging == 0)
		turn();
	longest_run_us = 0;
	for (i = 0; i < 5; i++)
	{
		/* a name that must be looked up, and an address */
		good += fetch("GET", url_at(i == 0 ? "fresh.test" : "good.test",
									"/ok"))->result != HTTP_RESULT_NONE;
		good += fetch("GET", url("main", "/ok"))->status == 200;
	}
	is_int(good, 10, "a hanging lookup does not hold up others");
	ok(longest_run_us < 200000 * slowness, "nor the caller: %ld us at most",
	   (long) longest_run_us);
	is_int(hang->n_callbacks, 0, "it hangs still");

	before = now_us();
	http_engine_cancel(engine, hang->transfer);
	ok(now_us() - before < 100000 * slowness, "it is cancelled at once");
	failed_as(hang, HTTP_RESULT_CANCELLED, false, "resolving the host name",
			  "while resolving");

	options.connect_timeout_ms = 200 * slowness;
	http_engine_configure(engine, &options);
	longest_run_us = 0;
	again = fetch("GET", url_at("hang.test", "/ok"));
	failed_as(again, HTTP_RESULT_TIMEOUT, false, "resolving the host name",
			  "a lookup that takes too long");
	ok(again->duration_us < 1000000 * slowness && longest_run_us < 200000 * slowness,
	   "ends in time and without blocking");

	hang = start("GET", url_at("hang.test", "/ok"));
	lookup_wait(&lookups_hanging, 2);
	before = now_us();
	close_engine();
	ok(now_us() - before < 200000 * slowness, "freeing the engine does not wait either");

	pthread_mutex_lock(&lookup_mutex);
	lookups_released = true;
	pthread_cond_broadcast(&lookup_changed);
	pthread_mutex_unlock(&lookup_mutex);
	lookup_wait(&lookups_ended, lookups_hanging);
	default_options();
	open_engine();
}

static void
test_signals(void)
{
	sigset_t	now;

	ok(!lookup_saw_signals, "lookup threads have signals blocked");
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	ok(!sigismember(&now, SIGTERM) && !sigismember(&now, SIGUSR1) &&
	   sigismember(&now, SIGUSR2), "the caller's mask is as it was");
}

/* ---- tests: HTTP/2 ---- */

static void
test_http2(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
	char		body[70000];
	Call	   *call;
	int			good = 0;
	int			i;

	if ((info->features & CURL_VERSION_HTTP2) == 0)
	{
		ok(true, "HTTP/2 # SKIP libcurl was built without it");
		return;
	}

	responded(fetch("GET", url("h2", "/")), 200, "two", "HTTP/2");

	/* the server answers none before it has twelve: they must share */
	forget_calls();
	control("set h2mode 1");
	control("set h2gather 12");
	for (i = 0; i < 12; i++)
		start(i % 2 ? "POST" : "GET", url("h2", "/"));
	finish_all();
	for (i = 0; i < 12; i++)
		good += calls[i].status == 200 && strcmp(calls[i].body, "two") == 0;
	is_int(good, 12, "twelve requests at once by HTTP/2");
	is_int(control("get accepted.h2"), 1, "on one connection");

	control("set h2mode 0");
	memset(body, 'b', sizeof(body));
	call = start_with("PUT", url("h2", "/"), NULL, 0, body, sizeof(body));
	finish(call);
	responded(call, 200, "two", "a body larger than the window");
	is_int(control("get h2.bytes"), (long) sizeof(body), "arrives whole");

	close_engine();
	options.max_host_connections = 3;
	open_engine();
	i = (int) control("get accepted.h2");
	while (n_calls < 30)
		start("POST", url("h2", "/"));
	finish_all();
	for (good = 0; n_calls > 0; n_calls--)
	{
		good += calls[n_calls - 1].status == 200;
		__real_free(calls[n_calls - 1].body);
	}
	is_int(good, 30, "a burst while no connection stands yet");
	ok(control("get accepted.h2") - i <= 3, "opens no more than allowed");
	default_options();
	http_engine_configure(engine, &options);

	control("set h2mode 2");
	failed_as(fetch("POST", url("h2", "/")), HTTP_RESULT_LOST, true, "",
			  "a stream that is reset");

	for (i = 3; i <= 4; i++)
	{
		control("set h2mode %d", i);
		control("set h2.requests 0");
		failed_as(fetch("POST", url("h2", "/")), HTTP_RESULT_LOST, true, "",
				  i == 3 ? "a stream that is refused" : "a connection that is closed");
		is_int(control("get h2.requests"), 1, "the POST is sent once");
		responded(fetch("GET", url("h2", "/")), 200, "two", "and on");
	}
	control("set h2mode 3");
	responded(fetch("GET", url("h2", "/")), 200, "two", "a refused GET is repeated");

	close_engine();				/* with the connections that have died by now */
	open_engine();
	control("set h2mode 5");
	control("set h2.cancelled 0");
	call = start("POST", url("h2", "/"));
	drive_until("h2.hanging", 1);
	i = (int) control("get accepted.h2");
	http_engine_cancel(engine, call->transfer);
	control("set h2mode 0");
	responded(fetch("GET", url("h2", "/")), 200, "two",
			  "after a stream that is cancelled");
	is_int(control("wait h2.cancelled 1"), 1, "the peer is told");
	is_int(control("get accepted.h2"), i, "the connection is kept");
}

/* ---- tests: secrets ---- */

static void
test_secrets(void)
{
	static const char *const headers[] = {"Authorization: Basic " SECRET};
	const char *body = "{\"refresh_token\":\"" SECRET "\"}";
	Call	   *call;

	call = start_with("POST", url("main", "/echo"), headers, 1, body, strlen(body));
	finish(call);
	responded(call, 200, NULL, "a request and a reply with secrets");
	responded(fetch("GET", url("main", "/bigchunked/90000")), 200, NULL,
			  "a reply with secrets that grows");
	call = start_with("POST", url("main", "/hang"), headers, 1, body, strlen(body));
	http_engine_cancel(engine, call->transfer);
	failed_as(call, HTTP_RESULT_CANCELLED, false, "", "one that is cancelled");
	if (look_at_freed)
	{
		ok(bytes_looked_at > 100000, "freed memory was looked at");
		is_int(secrets_freed, 0, "no secret was in what was freed");
	}
	is_int(leaky_details, 0, "nor a host, a URL or a secret in a failure's words");
}

int
main(void)
{
	static void (*const tests[]) (void) = {
		test_response, test_statuses, test_request_head, test_bodies,
		test_refusals, test_elsewhere, test_sizes, test_lost, test_timeouts,
		test_no_connection, test_connect_only, test_fresh_dns, test_host_down, test_reuse, test_resend, test_connection_bounds,
		test_request_bound, test_cancel, test_callbacks, test_free,
		test_hanging_lookup, test_signals, test_http2, test_secrets
	};
	sigset_t	usr2;
	size_t		i;

	if (getenv("HTTP_TEST_SLOWNESS") != NULL)
		slowness = atoi(getenv("HTTP_TEST_SLOWNESS"));
	alarm(120 * (unsigned int) slowness);	/* rather die than hang */
	look_at_freed = getenv("HTTP_TEST_WRAPPED") == NULL;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &usr2, NULL);
	control_open();
	default_options();
	open_engine();
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
	{
		tests[i] ();
		finish_all();
		forget_calls();
	}
	close_engine();
	fclose(control_in);
	fclose(control_out);
	curl_global_cleanup();
	printf("1..%d\n", n_tests);
	return n_failed == 0 ? 0 : 1;
}
