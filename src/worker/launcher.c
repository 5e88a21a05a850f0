/*
 * launcher.c
 *		One process a server: finds the databases that want workers, and keeps
 *		workers there.
 *
 * A worker is the only one who can see whether a database has the extension:
 * it connects, looks, and ends at once if not.  So each connectable database
 * gets one try when the server starts, and another when something says that
 * it may be worth one: CREATE EXTENSION, a commit that queued leads and found
 * no worker, a call that needs one.
 *
 * A worker that fails is started again after a second, then two, up to a
 * minute; one that had run for longer than that, after a second.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "config/settings.h"
#include "pg_compat.h"
#include "worker/launcher.h"
#include "worker/shared.h"
#include "worker/step_aside.h"
#include "worker/wait_event.h"

#define LAUNCHER_TICK_MS 60000
#define RESTART_FIRST_MS 1000
#define RESTART_MAX_MS 60000

PGDLLEXPORT void echosync_launcher_main(Datum arg);

/* What the launcher knows of a database. */
typedef struct KnownDatabase
{
	Oid			oid;
	char		name[NAMEDATALEN];
	bool		present;		/* in the last scan of pg_database */
	bool		absent;			/* a worker found no extension there */
	int			failures;
	TimestampTz not_before;		/* of the next start */
} KnownDatabase;

/* A worker that the launcher has started. */
typedef struct StartedWorker
{
	int			slot;
	Oid			database;
	BackgroundWorkerHandle *handle;
} StartedWorker;

static List *databases = NIL;
static List *started = NIL;
static bool slots_short = false;

void
launcher_register(void)
{
	BackgroundWorker launcher = {0};

	if (IsBinaryUpgrade)
		return;
	strlcpy(launcher.bgw_name, "echosync launcher", BGW_MAXLEN);
	strlcpy(launcher.bgw_type, "echosync launcher", BGW_MAXLEN);
	strlcpy(launcher.bgw_library_name, "echosync", BGW_MAXLEN);
	strlcpy(launcher.bgw_function_name, "echosync_launcher_main", BGW_MAXLEN);
	launcher.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	launcher.bgw_start_time = BgWorkerStart_RecoveryFinished;
	launcher.bgw_restart_time = 5;
	RegisterBackgroundWorker(&launcher);
}

static KnownDatabase *
database_find(Oid oid)
{
	ListCell   *lc;

	foreach(lc, databases)
	{
		KnownDatabase *known = lfirst(lc);

		if (known->oid == oid)
			return known;
	}
	return NULL;
}

static void
database_note(Oid oid, const char *name)
{
	KnownDatabase *known = database_find(oid);

	if (known == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

		known = palloc0(sizeof(KnownDatabase));
		known->oid = oid;
		databases = lappend(databases, known);
		MemoryContextSwitchTo(caller);
	}
	strlcpy(known->name, name, NAMEDATALEN);
	known->present = true;
}

/* Read pg_database, which every process can see. */
static void
databases_scan(void)
{
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;
	ListCell   *lc;

	foreach(lc, databases)
		((KnownDatabase *) lfirst(lc))->present = false;
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		if (database->datallowconn &&
			settings_list_contains(echosync_databases, NameStr(database->datname)))
			database_note(database->oid, NameStr(database->datname));
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	foreach(lc, databases)
	{
		KnownDatabase *known = lfirst(lc);

		if (!known->present)
		{
			databases = foreach_delete_current(databases, lc);
			pfree(known);
		}
	}
}

static int
slot_reserve(Oid database, int index)
{
	int			found = -1;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < SHARED_MAX_WORKERS && found < 0; i++)
	{
		WorkerSlot *slot = &shared_state->slots[i];

		if (slot->database != InvalidOid)
			continue;
		slot->database = database;
		slot->generation++;
		slot->index = index;
		slot->n_workers = echosync_workers;
		slot->exit = WORKER_EXIT_UNKNOWN;
		slot->started_at = GetCurrentTimestamp();
		pg_atomic_write_u32(&slot->state, WORKER_STATE_STARTING);
		shared_state->n_slots_used = Max(shared_state->n_slots_used, i + 1);
		found = i;
	}
	LWLockRelease(shared_state->lock);
	return found;
}

static WorkerExit
slot_release(int n)
{
	WorkerSlot *slot = &shared_state->slots[n];
	WorkerExit	exit;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	exit = slot->exit;
	slot->database = InvalidOid;
	slot->generation++;
	slot->latch = NULL;
	slot->pid = 0;
	slot->n_hints = 0;
	slot->all_hinted = false;
	slot->last_error[0] = '\0';
	pg_atomic_write_u32(&slot->state, WORKER_STATE_NONE);
	LWLockRelease(shared_state->lock);
	return exit;
}

static bool
worker_is_started(Oid database, int index)
{
	ListCell   *lc;

	foreach(lc, started)
	{
		StartedWorker *worker = lfirst(lc);

		if (worker->database == database &&
			shared_state->slots[worker->slot].index == index)
			return true;
	}
	return false;
}

/*
 * Do workers run there that divide the connections among another number?  The
 * new set starts when the last of them has ended: one owner at a time.
 */
static bool
other_division_running(Oid database)
{
	ListCell   *lc;

	foreach(lc, started)
	{
		StartedWorker *worker = lfirst(lc);

		if (worker->database == database &&
			shared_state->slots[worker->slot].n_workers != echosync_workers)
			return true;
	}
	return false;
}

static void
say_slots_short(const char *hint)
{
	if (!slots_short)
		ereport(LOG,
				(errmsg("echosync: no free background worker slot"),
				 errdetail("Leads are queued, and sent when there is one."),
				 errhint("%s", hint)));
	slots_short = true;
}

static bool
worker_start(KnownDatabase *known, int index)
{
	BackgroundWorker bgworker = {0};
	StartedWorker *worker;
	MemoryContext caller;
	int			slot = slot_reserve(known->oid, index);
	bool		ok;

	if (slot < 0)
	{
		say_slots_short("A server has at most " CppAsString2(SHARED_MAX_WORKERS) " workers of echosync: lower echosync.workers, or list fewer databases in echosync.databases.");
		return false;
	}
	snprintf(bgworker.bgw_name, BGW_MAXLEN, "echosync worker %d for database %s", index, known->name);
	strlcpy(bgworker.bgw_type, "echosync worker", BGW_MAXLEN);
	strlcpy(bgworker.bgw_library_name, "echosync", BGW_MAXLEN);
	strlcpy(bgworker.bgw_function_name, "echosync_worker_main", BGW_MAXLEN);
	bgworker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	bgworker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	bgworker.bgw_restart_time = BGW_NEVER_RESTART;
	bgworker.bgw_main_arg = Int32GetDatum(shared_slot_ticket(slot));
	bgworker.bgw_notify_pid = MyProcPid;

	caller = MemoryContextSwitchTo(TopMemoryContext);
	worker = palloc0(sizeof(StartedWorker));
	worker->slot = slot;
	worker->database = known->oid;
	ok = RegisterDynamicBackgroundWorker(&bgworker, &worker->handle);
	if (ok)
		started = lappend(started, worker);
	else
		pfree(worker);
	MemoryContextSwitchTo(caller);
	if (!ok)
	{
		(void) slot_release(slot);
		say_slots_short("Raise max_worker_processes.");
	}
	else
		slots_short = false;
	return ok;
}

/* How long to wait with the next start, after a worker has ended. */
static void
note_exit(KnownDatabase *known, WorkerExit exit, TimestampTz started_at, TimestampTz now)
{
	known->absent = exit == WORKER_EXIT_NO_EXTENSION;
	known->not_before = 0;
	if (exit != WORKER_EXIT_UNKNOWN ||
		TimestampDifferenceExceeds(started_at, now, RESTART_MAX_MS))
		known->failures = 0;
	if (exit != WORKER_EXIT_UNKNOWN)
		return;
	known->failures++;
	known->not_before = TimestampTzPlusMilliseconds(now,
													Min(RESTART_FIRST_MS << Min(known->failures - 1, 6),
														RESTART_MAX_MS));
}

/*
 * Look after workers that have ended; true if any has, since its database may
 * be gone as well.
 */
static bool
workers_reap(TimestampTz now)
{
	bool		any = false;
	ListCell   *lc;

	foreach(lc, started)
	{
		StartedWorker *worker = lfirst(lc);
		KnownDatabase *known = database_find(worker->database);
		TimestampTz started_at = shared_state->slots[worker->slot].started_at;
		WorkerExit	exit;
		pid_t		pid;

		if (GetBackgroundWorkerPid(worker->handle, &pid) != BGWH_STOPPED)
			continue;
		any = true;
		exit = slot_release(worker->slot);
		started = foreach_delete_current(started, lc);
		pfree(worker->handle);
		pfree(worker);
		if (known == NULL)
			continue;
		note_exit(known, exit, started_at, now);
	}
	return any;
}

/* End workers of databases that echosync.databases no longer names. */
static void
workers_end_unwanted(void)
{
	ListCell   *lc;

	foreach(lc, started)
	{
		StartedWorker *worker = lfirst(lc);

		if (database_find(worker->database) == NULL)
			TerminateBackgroundWorker(worker->handle);
	}
}

/* Start what is missing; returns when to look again, 0 for no particular time. */
static TimestampTz
workers_start(TimestampTz now)
{
	TimestampTz next = 0;
	ListCell   *lc;

	foreach(lc, databases)
	{
		KnownDatabase *known = lfirst(lc);

		if (known->absent || step_aside_wanted(known->oid))
			continue;
		/* Further ahead than any wait: the clock was set back since. */
		if (known->not_before > TimestampTzPlusMilliseconds(now, RESTART_MAX_MS))
			known->not_before = now;
		if (known->not_before > now)
		{
			next = next == 0 ? known->not_before : Min(next, known->not_before);
			continue;
		}
		if (other_division_running(known->oid))
			continue;
		for (int index = 0; index < echosync_workers; index++)
		{
			if (!worker_is_started(known->oid, index) && !worker_start(known, index))
				return TimestampTzPlusMilliseconds(now, 5000);
		}
	}
	return next;
}

/* Each may have the extension by now: its worker finds out. */
static void
databases_present(void)
{
	ListCell   *lc;

	foreach(lc, databases)
		((KnownDatabase *) lfirst(lc))->absent = false;
}

/* Databases that backends asked for; true if pg_database is to be read. */
static bool
requests_take(void)
{
	Oid			wanted[SHARED_MAX_REQUESTS];
	int			n;
	bool		scan;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	n = shared_state->n_requests;
	memcpy(wanted, shared_state->requests, n * sizeof(Oid));
	scan = shared_state->scan_requested;
	shared_state->n_requests = 0;
	shared_state->scan_requested = false;
	LWLockRelease(shared_state->lock);
	if (scan)
		databases_present();	/* there were more than could be named */
	for (int i = 0; i < n; i++)
	{
		KnownDatabase *known = database_find(wanted[i]);

		if (known != NULL)
			known->absent = false;
		else
			scan = true;
	}
	return scan;
}

static void
launcher_detach(int code, Datum arg)
{
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	shared_state->launcher_latch = NULL;
	shared_state->launcher_pid = 0;
	LWLockRelease(shared_state->lock);
}

/* Is a worker of an earlier launcher still running?  Tell it to end. */
static bool
orphans_running(void)
{
	bool		any = false;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < SHARED_MAX_WORKERS; i++)
	{
		WorkerSlot *slot = &shared_state->slots[i];

		if (slot->pid != 0)
		{
			any = true;
			kill(slot->pid, SIGTERM);
		}
		else
		{
			/* One that was registered, and has not come yet, finds it is too late. */
			slot->database = InvalidOid;
			slot->generation++;
		}
	}
	LWLockRelease(shared_state->lock);
	return any;
}

/*
 * A launcher that ended by an error left its workers behind, of which this one
 * has no handle.  They make room first: a connection has one owner at a time.
 */
static void
launcher_attach(void)
{
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	shared_state->launcher_latch = MyLatch;
	shared_state->launcher_pid = MyProcPid;
	LWLockRelease(shared_state->lock);
	before_shmem_exit(launcher_detach, 0);
	while (orphans_running())
	{
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 100, wait_event(WAIT_LAUNCHER));
		ResetLatch(MyLatch);
	}
}

void
echosync_launcher_main(Datum arg)
{
	TimestampTz next_scan = 0;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pgstat_report_appname("echosync launcher");
	launcher_attach();

	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		TimestampTz next;
		long		timeout;
		bool		scan;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			next_scan = 0;
		}
		scan = requests_take();
		scan |= workers_reap(now);
		if (scan || now >= next_scan ||
			next_scan > TimestampTzPlusMilliseconds(now, LAUNCHER_TICK_MS))
		{
			databases_scan();
			workers_end_unwanted();
			next_scan = TimestampTzPlusMilliseconds(now, LAUNCHER_TICK_MS);
		}
		next = workers_start(now);
		if (next == 0 || next > next_scan)
			next = next_scan;
		timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Max(timeout, 10), wait_event(WAIT_LAUNCHER));
		ResetLatch(MyLatch);
	}
}
