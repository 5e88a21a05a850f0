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

/* Log an error by its SQLSTATE; the same one at most once an hour, with a count. */
void
worker_log_error(const char *what, ErrorData *error)
{
	static int	last_code = 0;
	static const char *last_what = NULL;
	static TimestampTz last_time = 0;
	static int	repeats = 0;
	TimestampTz now = GetCurrentTimestamp();

	SpinLockAcquire(&worker->slot->mutex);
	snprintf(worker->slot->last_error, sizeof(worker->slot->last_error),
			 "%s: SQLSTATE %s", what, unpack_sql_state(error->sqlerrcode));
	SpinLockRelease(&worker->slot->mutex);

	if (error->sqlerrcode == last_code && what == last_what &&
		!TimestampDifferenceExceeds(last_time, now, 3600 * 1000))
	{
		repeats++;
		return;
	}
	ereport(LOG,
			(errmsg("%s failed with SQLSTATE %s", what,
					unpack_sql_state(error->sqlerrcode)),
			 repeats > 0 ? errdetail("The error before it came %d times more.", repeats) : 0));
	ereport(DEBUG1,
			(errmsg_internal("echosync: raised in %s at %s:%d", error->funcname,
							 error->filename, error->lineno)));
	last_code = error->sqlerrcode;
	last_what = what;
	last_time = now;
	repeats = 0;
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
		RESUME_INTERRUPTS();
		worker_log_error(activity, error);
		worker->error_code = error->sqlerrcode;
		FreeErrorData(error);
		ok = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	(void) pgstat_report_stat(false);	/* at most once a second; main.c, before it sleeps */
	pgstat_report_activity(STATE_IDLE, NULL);
	return ok;
}
