/*
 * transaction.c
 *		Transactions of the worker: each starts, ends and is survived alone.
 *
 * What an error says may hold a lead's data (a value that did not fit, a
 * function of the application's).  Only its code reaches the server log, and
 * at DEBUG1 the place in the source where it was raised.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#include "worker/worker.h"

/* What was logged of an error, and how often it came since. */
typedef struct LoggedError
{
	const char *what;
	int			code;
	TimestampTz logged_at;
	int			repeats;
} LoggedError;

#define MAX_LOGGED 32

/* The entry of this error; a new one takes the place of the oldest. */
static LoggedError *
logged_error(const char *what, int code)
{
	static LoggedError logged[MAX_LOGGED];
	LoggedError *oldest = &logged[0];

	for (int i = 0; i < MAX_LOGGED; i++)
	{
		if (logged[i].what == what && logged[i].code == code)
			return &logged[i];
		if (logged[i].logged_at < oldest->logged_at)
			oldest = &logged[i];
	}
	memset(oldest, 0, sizeof(LoggedError));
	oldest->what = what;
	oldest->code = code;
	return oldest;
}

/* Log an error by its SQLSTATE; the same one at most once an hour, with a count. */
static void
log_error(const char *what, ErrorData *error)
{
	LoggedError *logged = logged_error(what, error->sqlerrcode);
	TimestampTz now = GetCurrentTimestamp();

	SpinLockAcquire(&worker->slot->mutex);
	snprintf(worker->slot->last_error, sizeof(worker->slot->last_error),
			 "%s: SQLSTATE %s", what, unpack_sql_state(error->sqlerrcode));
	SpinLockRelease(&worker->slot->mutex);

	if (logged->logged_at != 0 && logged->logged_at <= now &&
		!TimestampDifferenceExceeds(logged->logged_at, now, 3600 * 1000))
	{
		logged->repeats++;
		return;
	}
	ereport(LOG,
			(errmsg("%s failed with SQLSTATE %s", what,
					unpack_sql_state(error->sqlerrcode)),
			 logged->repeats > 0 ? errdetail("It came %d times more since this was logged last.", logged->repeats) : 0));
	ereport(DEBUG1,
			(errmsg_internal("echosync: raised in %s at %s:%d", error->funcname,
							 error->filename, error->lineno)));
	logged->logged_at = now;
	logged->repeats = 0;
}

/*
 * Run body in a transaction of its own.  Returns false if it failed; then
 * nothing of it has happened.  A request to end is not an error to survive.
 */
bool
worker_transaction(const char *activity, TransactionBody body, void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool ok = true;

	pgstat_report_activity(STATE_RUNNING, activity);
	worker->in_transaction = true;
	PG_TRY();
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		SPI_connect();
		body(arg);
		SPI_finish();
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		HOLD_INTERRUPTS();
		disable_timeout(STATEMENT_TIMEOUT, false);
		AbortCurrentTransaction();
		worker->in_transaction = false;
		QueryCancelPending = false;
		RESUME_INTERRUPTS();
		log_error(activity, error);
		worker->error_code = error->sqlerrcode;
		FreeErrorData(error);
		ok = false;
	}
	PG_END_TRY();
	worker->in_transaction = false;
	QueryCancelPending = false;
	MemoryContextSwitchTo(caller);
	(void) pgstat_report_stat(false);	/* at most once a second; main.c, before it sleeps */
	pgstat_report_activity(STATE_IDLE, NULL);
	return ok;
}
