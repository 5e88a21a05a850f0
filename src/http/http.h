/*
 * http.h
 *		The HTTP engine: many requests at once on one curl_multi handle, driven
 *		by whoever owns the event loop.
 *
 * The engine knows nothing of CRMs and nothing of PostgreSQL: it is plain C
 * on malloc, so that a unit test can drive it without a server.  It never
 * blocks and never calls back from inside libcurl: completed transfers are
 * handed over from http_engine_run().
 *
 * The caller waits until http_engine_fd() is readable or until
 * http_engine_timeout_ms() has passed, then calls http_engine_run().  An
 * engine belongs to one thread, in a process that ignores SIGPIPE.
 */
#ifndef ECHOSYNC_HTTP_H
#define ECHOSYNC_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What became of a transfer, as far as HTTP is concerned. */
typedef enum HttpResult
{
	HTTP_RESULT_NONE = 0,		/* unset */
	HTTP_RESULT_RESPONSE,		/* a whole response was read, of any status */
	HTTP_RESULT_RESOLVE,		/* the host name could not be resolved */
	HTTP_RESULT_CONNECT,		/* no connection: refused, unreachable */
	HTTP_RESULT_TLS,			/* handshake or certificate verification failed */
	HTTP_RESULT_TIMEOUT,		/* connect or total timeout */
	HTTP_RESULT_LOST,			/* connection broke, reply cut short or not
								 * HTTP, or HTTP/2 stream refused */
	HTTP_RESULT_TOO_LARGE,		/* body or headers larger than the cap */
	HTTP_RESULT_CANCELLED,		/* http_engine_cancel or http_engine_free */
	HTTP_RESULT_INTERNAL		/* malformed request, or out of memory */
} HttpResult;

/*
 * A request.  One that is malformed (another method or scheme, a user in the
 * URL, a control character in a header line, GET with a body) is not sent and
 * ends in HTTP_RESULT_INTERNAL.  POST and PUT without a body have an empty
 * one.  No Content-Type is added.
 *
 * A GET may be sent a second time when a connection that had been used before
 * breaks without a reply; no other request ever is.
 *
 * All memory is the caller's and is copied by http_engine_submit;
 * the engine wipes its copies of headers and body when it frees them, since
 * they carry credentials and personal data.
 */
typedef struct HttpRequest
{
	const char *method;			/* "GET", "POST", "PUT", "DELETE" */
	const char *url;			/* https only; already percent-encoded */
	const char *const *headers; /* n_headers strings "Name: value" */
	int			n_headers;
	const char *body;			/* NULL for none */
	size_t		body_len;
	bool		connect_only;	/* make a new connection, certificate and all,
								 * and close it: nothing is sent, and the result
								 * is a RESPONSE of status 0 */
	long		timeout_ms;		/* instead of the engine's two; 0: those */
	bool		fresh_dns;		/* look the host up anew, should a connection be
								 * made: not what was found a minute ago */
} HttpRequest;

typedef struct HttpHeader
{
	char	   *name;			/* lower case */
	char	   *value;			/* trimmed */
} HttpHeader;

/*
 * What came back.  Valid only during the callback.  Unless the result is
 * HTTP_RESULT_RESPONSE there are no status, headers and body, even if some
 * of them had arrived.
 */
typedef struct HttpReply
{
	HttpResult	result;
	bool		maybe_sent;		/* could the peer have acted on the request?
								 * false only when no byte of it can have
								 * reached the peer */
	int			status;			/* HTTP status, 0 without a response */
	HttpHeader *headers;
	int			n_headers;
	char	   *body;			/* NUL-terminated; never NULL; may hold NULs */
	size_t		body_len;
	int64_t		duration_us;	/* submit to callback */
	int64_t		first_byte_us;	/* submit to the first byte of the request
								 * being sent, 0 if never */
	char		detail[160];	/* on failure: where the time went and curl's
								 * own words for the error code; holds no
								 * URL, header or body text */
} HttpReply;

typedef struct HttpEngineOptions
{
	int			max_requests;	/* concurrent transfers; submit refuses more */
	int			max_connections;	/* sockets in all */
	int			max_host_connections;	/* sockets to one host:port */
	long		connect_timeout_ms; /* lookup, TCP and TLS; also how long a
									 * connection may acknowledge nothing */
	long		request_timeout_ms; /* whole transfer, from submit */
	size_t		max_body;		/* bytes of decoded response body */
	const char *ca_file;		/* PEM; in addition to the system's CA
								 * directory, in place of its bundle file; NULL
								 * for the system's alone */
	const char *user_agent;		/* NULL: none is sent */
} HttpEngineOptions;

typedef struct HttpEngine HttpEngine;
typedef struct HttpTransfer HttpTransfer;

/*
 * Called once for each submitted transfer, from http_engine_run, _cancel or
 * _free.  It may submit (its own place is free again) and cancel.  It has to
 * return: a longjmp out of it leaks the transfer, secrets and all, though the
 * engine stays sound.  A process that exits from within it may free the
 * engine.
 */
typedef void (*HttpCallback) (const HttpReply *reply, void *arg);

/*
 * Make an engine.  Returns NULL and, in *error, a static text when libcurl
 * cannot be set up (curl_global_init is done here on first use).
 */
extern HttpEngine *http_engine_create(const HttpEngineOptions *options,
									  const char **error);

/*
 * Cancel what is in flight (callbacks run with HTTP_RESULT_CANCELLED), free.
 * Does not wait for anything, and NULL is allowed.
 */
extern void http_engine_free(HttpEngine *engine);

/*
 * Timeouts, caps and CA of transfers submitted from now on.  The strings are
 * copied.  Short of memory, the options in force stay.
 */
extern void http_engine_configure(HttpEngine *engine,
								  const HttpEngineOptions *options);

/* An epoll descriptor, readable when http_engine_run has something to do. */
extern int	http_engine_fd(const HttpEngine *engine);

/* Milliseconds until http_engine_run must be called; -1: no deadline. */
extern long http_engine_timeout_ms(const HttpEngine *engine);

extern int	http_engine_in_flight(const HttpEngine *engine);

/*
 * Start a transfer.  Returns NULL if max_requests are in flight or memory is
 * short (the callback is then never called).  Never calls back itself.  The
 * handle is valid until the callback has run.
 */
extern HttpTransfer *http_engine_submit(HttpEngine *engine,
										const HttpRequest *request,
										HttpCallback callback, void *arg);

/*
 * Stop a transfer now; its callback runs with HTTP_RESULT_CANCELLED before
 * this returns.  Does nothing within the transfer's own callback.
 */
extern void http_engine_cancel(HttpEngine *engine, HttpTransfer *transfer);

/* Do what can be done without waiting; runs callbacks of what completed. */
extern void http_engine_run(HttpEngine *engine);

/* First value of a header, its name in any case, or NULL. */
extern const char *http_reply_header(const HttpReply *reply, const char *name);

#endif							/* ECHOSYNC_HTTP_H */
