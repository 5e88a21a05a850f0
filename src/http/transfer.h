/*
 * transfer.h
 *		Inside the HTTP engine: one transfer, the curl policy, the outcome.
 *
 * Private to src/http.  The sections are named after the .c files.
 */
#ifndef ECHOSYNC_HTTP_TRANSFER_H
#define ECHOSYNC_HTTP_TRANSFER_H

#include "curl_prelude.h"

#include "buffer.h"
#include "http.h"

#define HTTP_MAX_HEADER_BYTES	(64 * 1024) /* all lines of a reply */
#define HTTP_MAX_HEADER_COUNT	200

/* NONE -> RUNNING -> DONE -> CALLING -> freed; NONE -> DONE if refused. */
typedef enum HttpTransferState
{
	HTTP_TRANSFER_NONE = 0,
	HTTP_TRANSFER_RUNNING,		/* libcurl has it */
	HTTP_TRANSFER_DONE,			/* its outcome is known, its callback is due */
	HTTP_TRANSFER_CALLING		/* its callback is running */
} HttpTransferState;

/* Why we ended a transfer ourselves; outranks what libcurl then says. */
typedef enum HttpFault
{
	HTTP_FAULT_NONE = 0,		/* we did not */
	HTTP_FAULT_REFUSED,			/* the request is malformed: never started */
	HTTP_FAULT_TOO_LARGE,		/* the reply passed a cap */
	HTTP_FAULT_NO_MEMORY,
	HTTP_FAULT_RESEND,			/* libcurl was about to send it twice */
	HTTP_FAULT_STALE,			/* the peer had closed the connection before */
	HTTP_FAULT_DEADLINE,		/* out of time while libcurl kept no time */
	HTTP_FAULT_CANCELLED
} HttpFault;

struct HttpTransfer
{
	HttpTransfer *prev;			/* in one of the engine's lists */
	HttpTransfer *next;
	HttpTransferState state;
	HttpCallback callback;
	void	   *arg;
	CURL	   *easy;
	int			generation;		/* of the options that are on it */

	/* the request: copies of our own, wiped before they are freed */
	struct curl_slist *headers;
	char	   *body;			/* NULL: the method has none */
	size_t		body_len;
	bool		repeatable;		/* libcurl may send it a second time */
	bool		connect_only;
	bool		own_options;	/* not the engine's */
	bool		connected;		/* connect_only: the connection stood */

	/* limits as they were at submit */
	size_t		max_body;
	long		silence_ms;		/* give up a connection that acknowledges
								 * nothing for so long */
	int64_t		deadline_us;

	/* what has happened, as the callbacks see it */
	int64_t		submitted_us;
	int64_t		lookup_us;		/* first lookup of the name; 0: none */
	int64_t		socket_us;		/* first socket made; 0: none */
	int64_t		tls_us;			/* TLS began; 0: never */
	int64_t		sent_us;		/* the first byte may have left; 0: none has */
	int			n_sends;		/* how often libcurl was about to write it */
	size_t		header_bytes;	/* of all lines, interim replies included */
	int			n_headers;
	HttpBuffer	header_block;	/* name NUL value NUL name NUL ... */
	HttpBuffer	content;
	HttpFault	fault;
	const char *fault_text;		/* for HTTP_FAULT_REFUSED: static */
	CURLcode	code;

	HttpHeader *reply_headers;
	char		no_body[1];		/* what reply.body points to without one */
	HttpReply	reply;
};

/* ---- clock ---- */

extern int64_t http_clock_us(void);

/* ---- policy.c ---- */

/* Everything about how we speak HTTP that is not one request's own. */
extern CURLcode http_policy_apply(CURL *easy, const HttpEngineOptions *options);
extern CURLMcode http_policy_apply_multi(CURLM *multi,
										 const HttpEngineOptions *options);

/* Why the libcurl that is loaded will not do, or NULL. */
extern const char *http_policy_library_fault(void);

/* ---- transfer.c ---- */

/*
 * Copy a request into a new transfer on the given handle, which stays the
 * engine's and has the policy on it.  NULL if memory is short: then the handle
 * is not to be used again.  A malformed request gives a transfer with its fault
 * set, not to be started.
 */
extern HttpTransfer *http_transfer_make(CURL *easy,
										const HttpEngineOptions *options,
										const HttpRequest *request,
										HttpCallback callback, void *arg);

/*
 * Is its handle now as it was taken, but for the request?  libcurl counts on
 * it, for the life of the handle, the requests that it had to write again.
 */
extern bool http_transfer_was_plain(const HttpTransfer *transfer);

/* Let the handle forget the request. */
extern void http_transfer_forget(CURL *easy);

/* Fill transfer->reply from what happened; the handle is still needed. */
extern void http_transfer_fill_reply(HttpTransfer *transfer);

/* Wipe and free all but the handle. */
extern void http_transfer_free(HttpTransfer *transfer);

/* ---- outcome.c ---- */

/* Fill result, maybe_sent and detail of transfer->reply. */
extern void http_outcome_judge(HttpTransfer *transfer);

#endif							/* ECHOSYNC_HTTP_TRANSFER_H */
