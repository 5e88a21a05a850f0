/*
 * step_aside.c
 *		Workers make room for commands that want a database to themselves.
 *
 * DROP DATABASE, ALTER DATABASE ... RENAME or SET TABLESPACE, and CREATE
 * DATABASE from a template fail while anybody is connected.  A worker always
 * is.  So the backend that runs such a command notes the database in shared
 * memory, ends its workers, and runs the command; the launcher starts none
 * there meanwhile, and starts them again when the note is gone.
 *
 * The note is removed at the end of the transaction, well or not, or with the
 * process.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "pg_compat.h"
#include "worker/shared.h"
#include "worker/step_aside.h"

/* The command itself waits as long for sessions to end. */
#define STEP_ASIDE_WAIT_MS 5000

static ProcessUtility_hook_type prev_process_utility = NULL;

/* Has this backend a note? */
static bool noted = false;

bool
step_aside_wanted(Oid database)
{
	bool		wanted = false;

	LWLockAcquire(shared_state->lock, LW_SHARED);
	for (int i = 0; i < SHARED_MAX_VACATED; i++)
		wanted |= shared_state->vacated[i].owner != 0 &&
			shared_state->vacated[i].database == database;
	LWLockRelease(shared_state->lock);
	return wanted;
}

static void
notes_remove(void)
{
	if (!noted)
		return;
	noted = false;
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < SHARED_MAX_VACATED; i++)
	{
		if (shared_state->vacated[i].owner == MyProcPid)
			shared_state->vacated[i].owner = 0;
	}
	shared_state->scan_requested = true;
	if (shared_state->launcher_latch != NULL)
		SetLatch(shared_state->launcher_latch);
	LWLockRelease(shared_state->lock);
}

static void
notes_remove_at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		notes_remove();
}

static void
notes_remove_at_exit(int code, Datum arg)
{
	notes_remove();
}

static bool
note_add(Oid database)
{
	static bool registered = false;
	bool		added = false;

	if (!registered)
		before_shmem_exit(notes_remove_at_exit, 0);
	registered = noted = true;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < SHARED_MAX_VACATED && !added; i++)
	{
		if (shared_state->vacated[i].owner != 0)
			continue;
		shared_state->vacated[i].owner = MyProcPid;
		shared_state->vacated[i].database = database;
		added = true;
	}
	LWLockRelease(shared_state->lock);
	return added;
}

/* Tell the workers of a database to end; true while there are any. */
static bool
workers_end(Oid database)
{
	bool		any = false;

	LWLockAcquire(shared_state->lock, LW_SHARED);
	for (int i = 0; i < SHARED_MAX_WORKERS; i++)
	{
		WorkerSlot *slot = &shared_state->slots[i];

		if (slot->database != database)
			continue;
		any |= slot->pid != 0 ||
			pg_atomic_read_u32(&slot->state) == WORKER_STATE_STARTING;
		if (slot->pid != 0)
		{
			slot->exit = WORKER_EXIT_REQUESTED;
			kill(slot->pid, SIGTERM);
		}
	}
	LWLockRelease(shared_state->lock);
	return any;
}

static void
wait_for_workers(Oid database)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), STEP_ASIDE_WAIT_MS);

	ConditionVariablePrepareToSleep(&shared_state->worker_changed);
	while (workers_end(database) && GetCurrentTimestamp() < deadline)
		(void) ConditionVariableTimedSleep(&shared_state->worker_changed, 100, PG_WAIT_EXTENSION);
	ConditionVariableCancelSleep();
}

/* The database that a command wants to itself, InvalidOid for none. */
static Oid
wanted_database(Node *statement)
{
	const char *name = NULL;
	ListCell   *lc;

	if (IsA(statement, DropdbStmt))
		name = ((DropdbStmt *) statement)->dbname;
	else if (IsA(statement, RenameStmt) &&
			 ((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
		name = ((RenameStmt *) statement)->subname;
	else if (IsA(statement, AlterDatabaseStmt))
	{
		foreach(lc, ((AlterDatabaseStmt *) statement)->options)
		{
			if (strcmp(((DefElem *) lfirst(lc))->defname, "tablespace") == 0)
				name = ((AlterDatabaseStmt *) statement)->dbname;
		}
	}
	else if (IsA(statement, CreatedbStmt))
	{
		name = "template1";
		foreach(lc, ((CreatedbStmt *) statement)->options)
		{
			DefElem    *option = lfirst(lc);

			if (strcmp(option->defname, "template") == 0 && option->arg != NULL)
				name = defGetString(option);
		}
	}
	return name != NULL ? get_database_oid(name, true) : InvalidOid;
}

static void
run_next(PlannedStmt *statement, const char *query, bool read_only, ProcessUtilityContext context,
		 ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest,
		 QueryCompletion *completion)
{
	if (prev_process_utility)
		prev_process_utility(statement, query, read_only, context, params, environment, dest,
							 completion);
	else
		standard_ProcessUtility(statement, query, read_only, context, params, environment, dest,
								completion);
}

static void
step_aside_utility(PlannedStmt *statement, const char *query, bool read_only,
				   ProcessUtilityContext context, ParamListInfo params,
				   QueryEnvironment *environment, DestReceiver *dest,
				   QueryCompletion *completion)
{
	Oid			database = shared_state != NULL ? wanted_database(statement->utilityStmt) : InvalidOid;

	if (OidIsValid(database) && object_ownercheck(DatabaseRelationId, database, GetUserId()) &&
		note_add(database))
		wait_for_workers(database);
	run_next(statement, query, read_only, context, params, environment, dest, completion);
}

void
step_aside_install_hook(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = step_aside_utility;
	RegisterXactCallback(notes_remove_at_transaction_end, NULL);
}
