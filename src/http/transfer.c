/*
 * transfer.c
 *		One transfer: its copy of the request, what libcurl tells us while it
 *		runs, and the reply made of that.
 *
 * The callbacks here run inside libcurl.  They only write to their transfer,
 * within fixed bounds, and report failure by their return value; nothing may
 * jump out of them.  What comes of it all is judged in outcome.c.
 *
 * Headers and bodies hold credentials and personal data: they are copied
 * once and the copies are wiped.  (libcurl's own send and receive buffers
 * are beyond our reach.)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* POLLRDHUP */
#endif

#include <ctype.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "transfer.h"

/* ---- the request ---- */

/* What is wrong with a header line, or NULL. */
static const char *
transfer_header_fault(const char *line)
{
	const char *p = line;

	while (*p != '\0' && (isalnum((unsigned char) *p) || *p == '-' || *p == '_'))
		p++;
	if (p == line || *p != ':')
		return "a header line is not of the form \"Name: value\"";
	/* a line break would start a header, or a request, of its own */
	for (; *p != '\0'; p++)
	{
		if ((unsigned char) *p < ' ' && *p != '\t')
			return "a header line holds a control character";
	}
	return NULL;
}

/* What is wrong with a request, or NULL. */
static const char *
transfer_request_fault(const HttpRequest *request)
{
	const char *fault;
	int			i;

	if (request->url == NULL || request->method == NULL)
		return "no method or no URL";
	if (strcmp(request->method, "GET") != 0 &&
		strcmp(request->method, "POST") != 0 &&
		strcmp(request->method, "PUT") != 0 &&
		strcmp(request->method, "DELETE") != 0)
		return "unknown method";
	if (request->body != NULL && strcmp(request->method, "GET") == 0)
		return "GET with a body";
	if (request->body == NULL && request->body_len > 0)
		return "a length without a body";
	for (i = 0; i < request->n_headers; i++)
	{
		fault = transfer_header_fault(request->headers[i]);
		if (fault != NULL)
			return fault;
	}
	return NULL;
}

static bool
transfer_add_header(HttpTransfer *transfer, const char *line)
{
	struct curl_slist *longer = curl_slist_append(transfer->headers, line);

	if (longer == NULL)
		return false;
	transfer->headers = longer;
	return true;
}

/*
 * Copy the header lines, and take back those that libcurl adds of its own
 * accord to a request with a body: "Expect: 100-continue" costs a second with
 * servers that ignore it, and the Content-Type would be that of a form.
 */
static bool
transfer_copy_headers(HttpTransfer *transfer, const HttpRequest *request)
{
	bool		has_type = false;
	int			i;

	for (i = 0; i < request->n_headers; i++)
	{
		if (strncasecmp(request->headers[i], "Content-Type:", 13) == 0)
			has_type = true;
		if (!transfer_add_header(transfer, request->headers[i]))
			return false;
	}
	if (!transfer_add_header(transfer, "Expect:"))
		return false;
	return has_type || transfer_add_header(transfer, "Content-Type:");
}

/* POST and PUT always have a body, if an empty one. */
static bool
transfer_copy_body(HttpTransfer *transfer, const HttpRequest *request)
{
	bool		wants_body = strcmp(request->method, "POST") == 0 ||
		strcmp(request->method, "PUT") == 0;

	if (request->body == NULL && !wants_body)
		return true;
	transfer->body = malloc(request->body_len + 1);
	if (transfer->body == NULL)
		return false;
	if (request->body != NULL && request->body_len > 0)
		memcpy(transfer->body, request->body, request->body_len);
	transfer->body[request->body_len] = '\0';
	transfer->body_len = request->body_len;
	return true;
}

static void
transfer_wipe_headers(struct curl_slist *headers)
{
	struct curl_slist *item;

	for (item = headers; item != NULL; item = item->next)
		explicit_bzero(item->data, strlen(item->data));
	curl_slist_free_all(headers);
}

/* ---- what libcurl tells us ---- */

/* Note the time of what happens for the first time. */
static void
transfer_stamp(int64_t *stamp)
{
	if (*stamp == 0)
		*stamp = http_clock_us();
}

/* A lookup is about to start; not called for a name that is cached. */
static int
transfer_on_lookup(void *resolver_state, void *reserved, void *arg)
{
	HttpTransfer *transfer = arg;

	(void) resolver_state;
	(void) reserved;
	transfer_stamp(&transfer->lookup_us);
	return 0;
}

/*
 * A socket was made for this transfer, and may be shared by later ones.
 *
 * Without TCP_USER_TIMEOUT the kernel would retransmit into a path that has
 * gone for a quarter of an hour, and all transfers multiplexed on the
 * connection would time out meanwhile, one after the other.
 */
static int
transfer_on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	HttpTransfer *transfer = arg;
	unsigned int silence_ms = (unsigned int) transfer->silence_ms;

	(void) purpose;
	transfer_stamp(&transfer->socket_us);
	/* neither is worth losing the connection for */
	(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (silence_ms > 0)
		(void) setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
						  &silence_ms, sizeof(silence_ms));
	return CURL_SOCKOPT_OK;
}

/* TCP stands, TLS begins. */
static CURLcode
transfer_on_tls(CURL *easy, void *tls, void *arg)
{
	HttpTransfer *transfer = arg;

	(void) easy;
	(void) tls;
	transfer_stamp(&transfer->tls_us);
	return CURLE_OK;
}

/*
 * Has the peer closed the connection that libcurl is about to use again?
 * From 8.22 on libcurl does not look itself within a second of its last use.
 */
static bool
transfer_is_stale(const HttpTransfer *transfer)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	struct pollfd poller;

	if (transfer->socket_us != 0 ||
		curl_easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
		fd == CURL_SOCKET_BAD)
		return false;
	poller.fd = fd;
	poller.events = POLLRDHUP;
	poller.revents = 0;
	return poll(&poller, 1, 0) > 0;
}

/*
 * The connection stands and the request is about to be written.
 *
 * libcurl comes here a second time when a connection it had used before broke
 * without an answer: it means to send the request again on a new one.  The
 * peer may have acted on the first, so only what changes nothing is repeated.
 */
static int
transfer_on_send(void *arg, char *peer, char *local, int peer_port,
				 int local_port)
{
	HttpTransfer *transfer = arg;

	transfer->n_sends++;
	(void) peer;
	(void) local;
	(void) peer_port;
	(void) local_port;
	if (transfer->connect_only)
	{
		transfer->connected = true;
		return CURL_PREREQFUNC_ABORT;
	}
	if (transfer->sent_us != 0 && !transfer->repeatable)
	{
		transfer->fault = HTTP_FAULT_RESEND;
		return CURL_PREREQFUNC_ABORT;
	}
	if (transfer->sent_us == 0 && transfer_is_stale(transfer))
	{
		transfer->fault = HTTP_FAULT_STALE;
		return CURL_PREREQFUNC_ABORT;
	}
	transfer_stamp(&transfer->sent_us);
	return CURL_PREREQFUNC_OK;
}

static bool
transfer_keep(HttpTransfer *transfer, HttpBuffer *buffer, size_t cap,
			  const char *bytes, size_t n)
{
	switch (http_buffer_append(buffer, cap, bytes, n))
	{
		case HTTP_BUFFER_OK:
			return true;
		case HTTP_BUFFER_FULL:
			transfer->fault = HTTP_FAULT_TOO_LARGE;
			break;
		case HTTP_BUFFER_NONE:
		case HTTP_BUFFER_NO_MEMORY:
			transfer->fault = HTTP_FAULT_NO_MEMORY;
			break;
	}
	return false;
}

/* Keep "Name: value" as lower-case name, NUL, trimmed value, NUL. */
static bool
transfer_keep_header(HttpTransfer *transfer, const char *line, size_t len)
{
	HttpBuffer *block = &transfer->header_block;
	const char *colon = memchr(line, ':', len);
	const char *value;
	const char *end = line + len;
	size_t		start = block->len;
	size_t		name_len;
	size_t		i;

	if (colon == NULL || colon == line || memchr(line, '\0', len) != NULL)
		return true;			/* not a header we could name */
	if (++transfer->n_headers > HTTP_MAX_HEADER_COUNT)
	{
		transfer->fault = HTTP_FAULT_TOO_LARGE;
		return false;
	}

	value = colon + 1;
	while (value < end && isspace((unsigned char) *value))
		value++;
	while (end > value && isspace((unsigned char) end[-1]))
		end--;

	/* each line ends in CR LF or LF, so the block is no longer than its lines */
	name_len = (size_t) (colon - line);
	if (!transfer_keep(transfer, block, SIZE_MAX, line, name_len) ||
		!transfer_keep(transfer, block, SIZE_MAX, "", 1) ||
		!transfer_keep(transfer, block, SIZE_MAX, value, (size_t) (end - value)) ||
		!transfer_keep(transfer, block, SIZE_MAX, "", 1))
		return false;
	for (i = 0; i < name_len; i++)
		block->data[start + i] = (char) tolower((unsigned char) block->data[start + i]);
	return true;
}

/*
 * One line of the reply's head: a status line, a header, the empty line, a
 * continuation (dropped: obsolete), or a trailer after the body (dropped: no
 * server of ours may change a header afterwards).
 */
static size_t
transfer_on_header(char *line, size_t size, size_t nitems, void *arg)
{
	HttpTransfer *transfer = arg;
	size_t		len = size * nitems;

	transfer->header_bytes += len;
	if (transfer->header_bytes > HTTP_MAX_HEADER_BYTES)
	{
		transfer->fault = HTTP_FAULT_TOO_LARGE;
		return CURL_WRITEFUNC_ERROR;
	}

	if (len >= 5 && strncmp(line, "HTTP/", 5) == 0)
	{
		/* an interim reply (1xx) may have come before this one */
		http_buffer_wipe(&transfer->header_block);
		transfer->n_headers = 0;
		return len;
	}
	if (len == 0 || isspace((unsigned char) line[0]) ||
		transfer->content.len > 0)
		return len;
	return transfer_keep_header(transfer, line, len) ? len : CURL_WRITEFUNC_ERROR;
}

/* A piece of the decoded body. */
static size_t
transfer_on_body(char *bytes, size_t size, size_t nitems, void *arg)
{
	HttpTransfer *transfer = arg;
	size_t		len = size * nitems;

	if (!transfer_keep(transfer, &transfer->content, transfer->max_body,
					   bytes, len))
		return CURL_WRITEFUNC_ERROR;
	return len;
}

/* ---- making ---- */

#define SET(option, value) \
	do { \
		CURLcode	set_code = curl_easy_setopt(easy, option, value); \
		if (set_code != CURLE_OK) \
			return set_code; \
	} while (0)

static CURLcode
transfer_set_callbacks(CURL *easy, HttpTransfer *transfer)
{
	SET(CURLOPT_PRIVATE, (void *) transfer);
	SET(CURLOPT_RESOLVER_START_FUNCTION, transfer_on_lookup);
	SET(CURLOPT_RESOLVER_START_DATA, transfer);
	SET(CURLOPT_SOCKOPTFUNCTION, transfer_on_socket);
	SET(CURLOPT_SOCKOPTDATA, transfer);
	/* not every TLS library has this one; it is only for a failure's words */
	if (curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION,
						 transfer_on_tls) == CURLE_OK)
		SET(CURLOPT_SSL_CTX_DATA, transfer);
	SET(CURLOPT_PREREQFUNCTION, transfer_on_send);
	SET(CURLOPT_PREREQDATA, transfer);
	SET(CURLOPT_HEADERFUNCTION, transfer_on_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_WRITEFUNCTION, transfer_on_body);
	SET(CURLOPT_WRITEDATA, transfer);
	return CURLE_OK;
}

static CURLcode
transfer_set_request(CURL *easy, HttpTransfer *transfer,
					 const HttpRequest *request)
{
	SET(CURLOPT_URL, request->url);
	SET(CURLOPT_HTTPHEADER, transfer->headers);
	if (transfer->body != NULL)
	{
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) transfer->body_len);
		SET(CURLOPT_POSTFIELDS, transfer->body);	/* not copied */
	}
	else
		SET(CURLOPT_HTTPGET, 1L);
	SET(CURLOPT_CUSTOMREQUEST, request->method);
	if (request->connect_only)
	{
		SET(CURLOPT_FRESH_CONNECT, 1L);
		SET(CURLOPT_FORBID_REUSE, 1L);
	}
	if (request->timeout_ms > 0)
	{
		SET(CURLOPT_CONNECTTIMEOUT_MS, request->timeout_ms);
		SET(CURLOPT_TIMEOUT_MS, request->timeout_ms);
	}
	if (request->fresh_dns)
		SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	return CURLE_OK;
}

HttpTransfer *
http_transfer_make(CURL *easy, const HttpEngineOptions *options,
				   const HttpRequest *request,
				   HttpCallback callback, void *arg)
{
	HttpTransfer *transfer = calloc(1, sizeof(HttpTransfer));
	long		timeout_ms = request->timeout_ms > 0 ?
		request->timeout_ms : options->request_timeout_ms;

	if (transfer == NULL)
		return NULL;
	transfer->easy = easy;
	transfer->callback = callback;
	transfer->arg = arg;
	transfer->max_body = options->max_body;
	transfer->silence_ms = options->connect_timeout_ms;
	transfer->submitted_us = http_clock_us();
	if (timeout_ms > 0)
		transfer->deadline_us = transfer->submitted_us +
			(int64_t) timeout_ms * 1000;

	transfer->fault_text = transfer_request_fault(request);
	if (transfer->fault_text != NULL)
	{
		transfer->fault = HTTP_FAULT_REFUSED;
		return transfer;
	}
	transfer->repeatable = strcmp(request->method, "GET") == 0;
	transfer->connect_only = request->connect_only;
	transfer->own_options = request->timeout_ms > 0 || request->fresh_dns;
	if (!transfer_copy_headers(transfer, request) ||
		!transfer_copy_body(transfer, request))
	{
		http_transfer_free(transfer);
		return NULL;
	}

	transfer->code = transfer_set_callbacks(easy, transfer);
	if (transfer->code == CURLE_OK)
		transfer->code = transfer_set_request(easy, transfer, request);
	if (transfer->code == CURLE_OUT_OF_MEMORY)
	{
		http_transfer_free(transfer);
		return NULL;
	}
	if (transfer->code != CURLE_OK)
	{
		transfer->fault = HTTP_FAULT_REFUSED;
		transfer->fault_text = "libcurl does not take an option";
	}
	return transfer;
}

/* ---- ending ---- */

bool
http_transfer_was_plain(const HttpTransfer *transfer)
{
	return transfer->code == CURLE_OK && transfer->fault == HTTP_FAULT_NONE &&
		transfer->n_sends == 1 && !transfer->connect_only && !transfer->own_options;
}

void
http_transfer_forget(CURL *easy)
{
	(void) curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *) NULL);
	(void) curl_easy_setopt(easy, CURLOPT_URL, (char *) NULL);
	(void) curl_easy_setopt(easy, CURLOPT_HTTPHEADER, (struct curl_slist *) NULL);
	(void) curl_easy_setopt(easy, CURLOPT_POSTFIELDS, (char *) NULL);
	(void) curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) -1);
}

/* Cut the block of kept headers into the reply's array. */
static bool
transfer_list_headers(HttpTransfer *transfer)
{
	char	   *p = transfer->header_block.data;
	int			i;

	if (transfer->n_headers == 0)
		return true;
	transfer->reply_headers = calloc((size_t) transfer->n_headers,
									 sizeof(HttpHeader));
	if (transfer->reply_headers == NULL)
		return false;
	for (i = 0; i < transfer->n_headers; i++)
	{
		transfer->reply_headers[i].name = p;
		p += strlen(p) + 1;
		transfer->reply_headers[i].value = p;
		p += strlen(p) + 1;
	}
	return true;
}

void
http_transfer_fill_reply(HttpTransfer *transfer)
{
	HttpReply  *reply = &transfer->reply;
	long		status = 0;

	reply->duration_us = http_clock_us() - transfer->submitted_us;
	if (transfer->sent_us != 0)
		reply->first_byte_us = transfer->sent_us - transfer->submitted_us;
	reply->body = transfer->no_body;

	if (transfer->fault == HTTP_FAULT_NONE && transfer->code == CURLE_OK &&
		!transfer_list_headers(transfer))
		transfer->fault = HTTP_FAULT_NO_MEMORY;
	http_outcome_judge(transfer);
	if (reply->result != HTTP_RESULT_RESPONSE)
		return;

	(void) curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	reply->status = (int) status;
	reply->headers = transfer->reply_headers;
	reply->n_headers = transfer->n_headers;
	if (transfer->content.len > 0)
	{
		reply->body = transfer->content.data;
		reply->body_len = transfer->content.len;
	}
}

void
http_transfer_free(HttpTransfer *transfer)
{
	transfer_wipe_headers(transfer->headers);
	http_wipe_free(transfer->body, transfer->body_len);
	http_buffer_wipe(&transfer->header_block);
	http_buffer_wipe(&transfer->content);
	free(transfer->reply_headers);
	free(transfer);
}

/* ---- the reply, for callers ---- */

const char *
http_reply_header(const HttpReply *reply, const char *name)
{
	int			i;

	for (i = 0; i < reply->n_headers; i++)
	{
		if (strcasecmp(reply->headers[i].name, name) == 0)
			return reply->headers[i].value;
	}
	return NULL;
}
