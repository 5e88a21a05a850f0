/*
 * subtransaction.c
 *		Running what may fail by somebody else's fault.
 */
#include "postgres.h"

#include "access/xact.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "db/subtransaction.h"

/*
 * Did the caller cancel, or its time run out?  Functions of a table's owner can
 * raise the same SQLSTATE.
 */
static bool
error_is_cancellation(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED &&
		error->funcname != NULL && strcmp(error->funcname, "ProcessInterrupts") == 0;
}

/*
 * Has the server itself failed, and not what it was asked to do?  Types report a
 * text that is no value of theirs in many ways: regrole says undefined_object,
 * tsvector syntax_error, and some in C internal_error.
 */
static bool
error_is_of_the_server(int code)
{
	switch (ERRCODE_TO_CATEGORY(code))
	{
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
			return true;
		default:
			return code == ERRCODE_DATA_CORRUPTED || code == ERRCODE_INDEX_CORRUPTED;
	}
}

static bool
is_caught(const ErrorData *error, Catch what)
{
	if (error_is_cancellation(error))
		return false;
	switch (what)
	{
		case CATCH_DATA:
			return ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_DATA_EXCEPTION;
		case CATCH_ALL_BUT_SERVERS:
			return !error_is_of_the_server(error->sqlerrcode);
		case CATCH_ALL:
			break;
	}
	return true;
}

int
run_in_subtransaction(SubtransactionBody body, void *arg, Catch what)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	const char *statement = debug_query_string;
	volatile int code = 0;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	debug_query_string = NULL;
	PG_TRY();
	{
		body(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		debug_query_string = statement;
		code = error->sqlerrcode;
		if (!is_caught(error, what))
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	debug_query_string = statement;
	return code;
}
