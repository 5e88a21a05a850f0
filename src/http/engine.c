/*
 * engine.c
 *		The HTTP engine: who is in flight, what libcurl waits for, and when
 *		whose callback runs.
 *
 * libcurl says which sockets it waits for (CURLMOPT_SOCKETFUNCTION), which
 * keeps one epoll set up to date, and until when (CURLMOPT_TIMERFUNCTION),
 * which is only noted.  The owner of the event loop waits for both and calls
 * http_engine_run.
 *
 * A transfer that ended is moved to the list `done` and its callback is run
 * from there, when libcurl is not on the stack: a callback may submit and
 * cancel.  Before it runs the engine has forgotten its transfer, so a process
 * that exits from within a callback may free the engine on its way out.
 *
 * One engine belongs to one thread.  Around libcurl all signals are blocked:
 * a lookup starts a thread, which inherits the mask, and a PostgreSQL signal
 * handler must not run on a thread that PostgreSQL does not know.  The owner
 * ignores SIGPIPE, as every PostgreSQL process does.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "transfer.h"

#define ENGINE_EVENTS		64	/* read from the epoll set at once */
#define ENGINE_ROUNDS		8	/* of doing what is due, in one run */

/*
 * libcurl is given this much longer than a transfer's time before the engine
 * itself ends it: its own verdict is the better one.
 */
#define ENGINE_GRACE_US		(50 * 1000)

#define NEVER				INT64_MAX

typedef struct EngineList
{
	HttpTransfer *first;
	HttpTransfer *last;
	int			n;
} EngineList;

struct HttpEngine
{
	CURLM	   *multi;
	int			epoll_fd;
	HttpEngineOptions options;	/* its strings are the engine's own */
	int64_t		curl_due_us;	/* when libcurl wants to be called */
	int64_t		deadline_us;	/* no transfer ends its time before this */
	EngineList	running;
	EngineList	done;
	int			generation;		/* of the options */
	CURL	  **idle;			/* handles for reuse, with these options */
	int			n_idle;
	int			idle_size;
	bool		closing;
};

int64_t
http_clock_us(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- lists ---- */

static void
engine_list_add(EngineList *list, HttpTransfer *transfer)
{
	transfer->next = NULL;
	transfer->prev = list->last;
	if (list->last != NULL)
		list->last->next = transfer;
	else
		list->first = transfer;
	list->last = transfer;
	list->n++;
}

static void
engine_list_remove(EngineList *list, HttpTransfer *transfer)
{
	if (transfer->prev != NULL)
		transfer->prev->next = transfer->next;
	else
		list->first = transfer->next;
	if (transfer->next != NULL)
		transfer->next->prev = transfer->prev;
	else
		list->last = transfer->prev;
	transfer->prev = NULL;
	transfer->next = NULL;
	list->n--;
}

/* ---- signals ---- */

/* Block what has a handler; faults of the program itself stay as they are. */
static void
engine_block_signals(sigset_t *before)
{
	static const int faults[] = {
		SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP
	};
	sigset_t	all;
	size_t		i;

	sigfillset(&all);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&all, faults[i]);
	(void) pthread_sigmask(SIG_BLOCK, &all, before);
}

static void
engine_restore_signals(const sigset_t *before)
{
	(void) pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* ---- what libcurl waits for ---- */

/*
 * libcurl's interest in a socket changed.  A failure is not reported: that
 * would make libcurl drop every transfer.  The one that is no longer watched
 * ends by its timeout.
 */
static int
engine_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
				 void *socket_arg)
{
	HttpEngine *engine = arg;
	struct epoll_event event;

	(void) easy;
	(void) socket_arg;
	memset(&event, 0, sizeof(event));
	event.data.fd = fd;
	if (what == CURL_POLL_REMOVE)
	{
		(void) epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, fd, &event);
		return 0;
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		event.events |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(engine->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0 &&
		errno == ENOENT)
		(void) epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	return 0;
}

/* libcurl wants to be called in timeout_ms (0: soon, but not from here). */
static int
engine_on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	HttpEngine *engine = arg;

	(void) multi;
	if (timeout_ms < 0)
		engine->curl_due_us = NEVER;
	else
		engine->curl_due_us = http_clock_us() + (int64_t) timeout_ms * 1000;
	return 0;
}

/* ---- handles ---- */

/* A handle with our policy on it and no request; NULL if memory is short. */
static CURL *
engine_take_handle(HttpEngine *engine)
{
	CURL	   *easy;

	if (engine->n_idle > 0)
		return engine->idle[--engine->n_idle];
	easy = curl_easy_init();
	if (easy != NULL && http_policy_apply(easy, &engine->options) != CURLE_OK)
	{
		curl_easy_cleanup(easy);
		return NULL;
	}
	return easy;
}

/*
 * Connections belong to the multi handle, so a handle costs little.  One that
 * is as it was taken is kept: setting it up costs a tenth of a request.
 */
static void
engine_give_handle(HttpEngine *engine, CURL *easy, bool plain)
{
	if (plain && engine->n_idle < engine->idle_size)
	{
		http_transfer_forget(easy);
		engine->idle[engine->n_idle++] = easy;
	}
	else
		curl_easy_cleanup(easy);
}

static void
engine_drop_idle(HttpEngine *engine)
{
	while (engine->n_idle > 0)
		curl_easy_cleanup(engine->idle[--engine->n_idle]);
}

/* ---- life ---- */

/* Room for so many idle handles; false if memory is short. */
static bool
engine_grow_idle(HttpEngine *engine, int size)
{
	CURL	  **idle;

	if (size <= engine->idle_size)
		return true;
	idle = realloc(engine->idle, (size_t) size * sizeof(CURL *));
	if (idle == NULL)
		return false;
	engine->idle = idle;
	engine->idle_size = size;
	return true;
}

/* Take over options, with strings of our own; false if memory is short. */
static bool
engine_set_options(HttpEngine *engine, const HttpEngineOptions *options)
{
	char	   *ca_file = NULL;
	char	   *user_agent = NULL;

	if (options->ca_file != NULL)
		ca_file = strdup(options->ca_file);
	if (options->user_agent != NULL)
		user_agent = strdup(options->user_agent);
	if ((options->ca_file != NULL && ca_file == NULL) ||
		(options->user_agent != NULL && user_agent == NULL) ||
		!engine_grow_idle(engine, options->max_requests))
	{
		free(ca_file);
		free(user_agent);
		return false;
	}

	free((char *) engine->options.ca_file);
	free((char *) engine->options.user_agent);
	engine->options = *options;
	engine->options.ca_file = ca_file;
	engine->options.user_agent = user_agent;
	return true;
}

static CURLMcode
engine_set_multi(HttpEngine *engine)
{
	CURLM	   *multi = engine->multi;
	CURLMcode	code;

	code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, engine_on_socket);
	if (code == CURLM_OK)
		code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, engine);
	if (code == CURLM_OK)
		code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, engine_on_timer);
	if (code == CURLM_OK)
		code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, engine);
	if (code == CURLM_OK)
		code = http_policy_apply_multi(multi, &engine->options);
	return code;
}

static void
engine_destroy(HttpEngine *engine)
{
	sigset_t	signals;

	engine_block_signals(&signals);
	engine_drop_idle(engine);
	if (engine->multi != NULL)
		(void) curl_multi_cleanup(engine->multi);
	engine_restore_signals(&signals);
	if (engine->epoll_fd >= 0)
		(void) close(engine->epoll_fd);
	free(engine->idle);
	free((char *) engine->options.ca_file);
	free((char *) engine->options.user_agent);
	free(engine);
}

HttpEngine *
http_engine_create(const HttpEngineOptions *options, const char **error)
{
	static bool initialized = false;
	HttpEngine *engine;
	CURL	   *easy;

	if (!initialized && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
	{
		*error = "libcurl could not be initialized";
		return NULL;
	}
	initialized = true;
	*error = http_policy_library_fault();
	if (*error != NULL)
		return NULL;

	*error = "out of memory";
	engine = calloc(1, sizeof(HttpEngine));
	if (engine == NULL)
		return NULL;
	engine->curl_due_us = NEVER;
	engine->deadline_us = NEVER;
	engine->epoll_fd = -1;
	if (!engine_set_options(engine, options) ||
		(engine->multi = curl_multi_init()) == NULL)
		goto failed;

	*error = "libcurl does not take an option";
	if (engine_set_multi(engine) != CURLM_OK ||
		(easy = engine_take_handle(engine)) == NULL)
		goto failed;
	engine_give_handle(engine, easy, true);

	*error = "no epoll descriptor could be made";
	engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (engine->epoll_fd < 0)
		goto failed;

	*error = NULL;
	return engine;

failed:
	engine_destroy(engine);
	return NULL;
}

void
http_engine_configure(HttpEngine *engine, const HttpEngineOptions *options)
{
	/* short of memory, the options in force stay in force */
	if (!engine_set_options(engine, options))
		return;
	engine->generation++;
	engine_drop_idle(engine);
	(void) http_policy_apply_multi(engine->multi, &engine->options);
}

int
http_engine_fd(const HttpEngine *engine)
{
	return engine->epoll_fd;
}

int
http_engine_in_flight(const HttpEngine *engine)
{
	return engine->running.n + engine->done.n;
}

long
http_engine_timeout_ms(const HttpEngine *engine)
{
	int64_t		due = engine->curl_due_us;
	int64_t		now;

	if (engine->done.n > 0)
		return 0;
	if (engine->deadline_us < due)
		due = engine->deadline_us;
	if (due == NEVER)
		return -1;
	now = http_clock_us();
	return due <= now ? 0 : (long) ((due - now + 999) / 1000);
}

/* ---- one transfer's way ---- */

/*
 * Take a transfer out of libcurl's hands; its callback is due.  Signals are
 * blocked.
 */
static void
engine_set_done(HttpEngine *engine, HttpTransfer *transfer)
{
	/* fails only for a handle that is not in the multi any more */
	(void) curl_multi_remove_handle(engine->multi, transfer->easy);
	engine_list_remove(&engine->running, transfer);
	engine_list_add(&engine->done, transfer);
	transfer->state = HTTP_TRANSFER_DONE;
}

/*
 * Hand a transfer of which nothing was sent to libcurl again, for a connection
 * of its own.  False if libcurl does not take it.  Signals are blocked.
 */
static bool
engine_start_afresh(HttpEngine *engine, HttpTransfer *transfer)
{
	CURL	   *easy = transfer->easy;
	bool		started;

	started = curl_multi_remove_handle(engine->multi, easy) == CURLM_OK &&
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
		curl_multi_add_handle(engine->multi, easy) == CURLM_OK;
	if (started)
		transfer->fault = HTTP_FAULT_NONE;
	return started;
}

/* Run the callback of a transfer that is done, and forget the transfer. */
static void
engine_deliver(HttpEngine *engine, HttpTransfer *transfer)
{
	engine_list_remove(&engine->done, transfer);
	transfer->state = HTTP_TRANSFER_CALLING;
	http_transfer_fill_reply(transfer);

	/* first make room: the callback may want to submit the next */
	engine_give_handle(engine, transfer->easy, transfer->generation == engine->generation &&
					   http_transfer_was_plain(transfer));
	transfer->easy = NULL;

	transfer->callback(&transfer->reply, transfer->arg);
	http_transfer_free(transfer);
}

HttpTransfer *
http_engine_submit(HttpEngine *engine, const HttpRequest *request,
				   HttpCallback callback, void *arg)
{
	HttpTransfer *transfer;
	CURL	   *easy;
	CURLMcode	code;
	sigset_t	signals;

	if (engine->closing ||
		http_engine_in_flight(engine) >= engine->options.max_requests)
		return NULL;
	easy = engine_take_handle(engine);
	if (easy == NULL)
		return NULL;
	transfer = http_transfer_make(easy, &engine->options, request,
								  callback, arg);
	if (transfer == NULL)
	{
		curl_easy_cleanup(easy);
		return NULL;
	}
	transfer->generation = engine->generation;

	if (transfer->fault == HTTP_FAULT_NONE)
	{
		engine_block_signals(&signals);
		code = curl_multi_add_handle(engine->multi, easy);
		engine_restore_signals(&signals);
		if (code == CURLM_OK)
		{
			transfer->state = HTTP_TRANSFER_RUNNING;
			engine_list_add(&engine->running, transfer);
			if (transfer->deadline_us > 0 &&
				transfer->deadline_us + ENGINE_GRACE_US < engine->deadline_us)
				engine->deadline_us = transfer->deadline_us + ENGINE_GRACE_US;
			return transfer;
		}
		transfer->fault = HTTP_FAULT_REFUSED;
		transfer->fault_text = "libcurl does not take the request";
	}

	/* the callback must not run before the caller has the handle */
	transfer->state = HTTP_TRANSFER_DONE;
	engine_list_add(&engine->done, transfer);
	return transfer;
}

void
http_engine_cancel(HttpEngine *engine, HttpTransfer *transfer)
{
	sigset_t	signals;

	if (transfer->state == HTTP_TRANSFER_CALLING)
		return;					/* by its own callback: too late */
	if (transfer->state == HTTP_TRANSFER_RUNNING)
	{
		engine_block_signals(&signals);
		engine_set_done(engine, transfer);
		engine_restore_signals(&signals);
	}
	transfer->fault = HTTP_FAULT_CANCELLED;
	engine_deliver(engine, transfer);
}

void
http_engine_free(HttpEngine *engine)
{
	if (engine == NULL)
		return;
	engine->closing = true;
	while (engine->running.first != NULL)
		http_engine_cancel(engine, engine->running.first);
	while (engine->done.first != NULL)
		http_engine_cancel(engine, engine->done.first);
	engine_destroy(engine);
}

/* ---- running ---- */

static void
engine_socket_action(HttpEngine *engine, curl_socket_t fd, int what)
{
	int			n_running;

	/*
	 * An error here is not one transfer's and there is nobody to tell: what
	 * it concerns ends by its timeout.
	 */
	(void) curl_multi_socket_action(engine->multi, fd, what, &n_running);
}

/* Tell libcurl what happened on its sockets; true if anything did. */
static bool
engine_run_sockets(HttpEngine *engine)
{
	struct epoll_event events[ENGINE_EVENTS];
	int			n = epoll_wait(engine->epoll_fd, events, ENGINE_EVENTS, 0);
	int			i;

	for (i = 0; i < n; i++)
	{
		int			what = 0;

		if (events[i].events & (EPOLLIN | EPOLLHUP))
			what |= CURL_CSELECT_IN;
		if (events[i].events & EPOLLOUT)
			what |= CURL_CSELECT_OUT;
		if (events[i].events & EPOLLERR)
			what |= CURL_CSELECT_ERR;
		engine_socket_action(engine, events[i].data.fd, what);
	}
	return n > 0;
}

/* Tell libcurl that its time has come; true if it has. */
static bool
engine_run_timer(HttpEngine *engine)
{
	if (engine->curl_due_us > http_clock_us())
		return false;
	engine->curl_due_us = NEVER;	/* libcurl sets the next one meanwhile */
	engine_socket_action(engine, CURL_SOCKET_TIMEOUT, 0);
	return true;
}

/* Move to `done` what libcurl has finished. */
static void
engine_collect(HttpEngine *engine)
{
	CURLMsg    *message;
	int			n_left;

	while ((message = curl_multi_info_read(engine->multi, &n_left)) != NULL)
	{
		/* copies: the message is gone once the handle is removed */
		CURL	   *easy = message->easy_handle;
		CURLcode	code = message->data.result;
		HttpTransfer *transfer = NULL;

		if (message->msg != CURLMSG_DONE ||
			curl_easy_getinfo(easy, CURLINFO_PRIVATE,
							  (char **) &transfer) != CURLE_OK ||
			transfer == NULL)
			continue;
		if (transfer->fault == HTTP_FAULT_STALE &&
			engine_start_afresh(engine, transfer))
			continue;
		transfer->code = code;
		engine_set_done(engine, transfer);
	}
}

/*
 * Move to `done` what is out of time.  libcurl does so itself, except for a
 * transfer that waits for one of the permitted connections, whose time it
 * does not look at.
 */
static void
engine_expire(HttpEngine *engine)
{
	int64_t		now = http_clock_us();
	int64_t		earliest = NEVER;
	HttpTransfer *transfer;
	HttpTransfer *next;

	if (engine->deadline_us > now)
		return;
	for (transfer = engine->running.first; transfer != NULL; transfer = next)
	{
		int64_t		deadline = transfer->deadline_us + ENGINE_GRACE_US;

		next = transfer->next;
		if (transfer->deadline_us == 0)
			continue;
		if (deadline <= now)
		{
			transfer->fault = HTTP_FAULT_DEADLINE;
			engine_set_done(engine, transfer);
		}
		else if (deadline < earliest)
			earliest = deadline;
	}
	engine->deadline_us = earliest;
}

void
http_engine_run(HttpEngine *engine)
{
	int			round;
	int			due;
	sigset_t	signals;

	engine_block_signals(&signals);
	/* a step often makes the next one due at once, so look more than once */
	for (round = 0; round < ENGINE_ROUNDS; round++)
	{
		bool		progress = engine_run_sockets(engine);

		if (!engine_run_timer(engine) && !progress)
			break;
	}
	engine_collect(engine);
	engine_expire(engine);
	engine_restore_signals(&signals);

	/* only what is done now: a callback's submit may fail at once, forever */
	for (due = engine->done.n; due > 0 && engine->done.first != NULL; due--)
		engine_deliver(engine, engine->done.first);
}
