/*
 * shared.c
 *		Shared memory and the commit-time wake-up.
 *
 * A backend that queued something notes the connections while its transaction
 * runs; the transaction callback delivers the notes at COMMIT, when the rows
 * are visible, with one SetLatch.  Nothing is delivered on abort.  Rows of a
 * rolled-back savepoint may leave a note behind: a spurious wake-up is cheap.
 *
 * A wake-up can be missed (COMMIT PREPARED in another session, a crash between
 * commit and latch): workers look at everything once a minute besides.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

#include "worker/backlog.h"
#include "worker/mailbox.h"
#include "worker/shared.h"
#include "worker/stats.h"
#include "worker/wait_event.h"

const WorkerStateWords worker_states[] = {
	[WORKER_STATE_NONE] = {"none", NULL, NULL},
	[WORKER_STATE_STARTING] = {
		"starting", "the worker is starting",
		"Try again in a moment."
	},
	[WORKER_STATE_IDLE] = {"idle", NULL, NULL},
	[WORKER_STATE_DRAINING] = {"draining", NULL, NULL},
	[WORKER_STATE_DISABLED] = {
		"disabled", "disabled by echosync.enabled",
		"ALTER SYSTEM SET echosync.enabled = on; then SELECT pg_reload_conf();"
	},
	[WORKER_STATE_NO_KEY] = {
		"no_key", "no usable encryption key",
		"Set INTEGRATION_ENCRYPTION_KEY and INTEGRATION_ENCRYPTION_SALT in the file that echosync.env_file names, then reload."
	},
	[WORKER_STATE_WRONG_KEY] = {
		"wrong_key", "the encryption key is not the one that sealed this database's credentials",
		"Restore the key, or list it in INTEGRATION_ENCRYPTION_KEY_PREVIOUS, then reload. If it is lost for good, call echosync_accept_key() as a superuser."
	},
	[WORKER_STATE_COPY] = {
		"copy", "this database is a copy of another",
		"When the original no longer sends, call echosync_adopt() as a superuser."
	},
	[WORKER_STATE_OTHER_VERSION] = {
		"other_version", "the extension's version in this database is not the library's (" ECHOSYNC_VERSION ")",
		"ALTER EXTENSION echosync UPDATE, or restart the server with the matching library."
	},
	[WORKER_STATE_UNKNOWN] = {
		"unknown", "the worker could not look at the extension's tables",
		"Somebody may hold a lock on them, or have put a trigger there; echosync_workers.last_error says what came of it. It is tried again every few seconds."
	}
};

SharedState *shared_state = NULL;

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

/* Notes of the current transaction. */
static int	n_noted = 0;
static bool everything_noted = false;
static pg_uuid_t noted[SHARED_MAX_HINTS];

static void
shared_request_memory(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(SharedState)));
	RequestAddinShmemSpace(mailbox_shared_size());
	RequestAddinShmemSpace(backlog_shared_size());
	RequestAddinShmemSpace(MAXALIGN(stats_shared_size()));
	RequestNamedLWLockTranche("echosync", 3);
}

static void
shared_start_memory(void)
{
	LWLockPadded *locks;
	bool		found;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared_state = ShmemInitStruct("echosync", sizeof(SharedState), &found);
	if (!found)
	{
		memset(shared_state, 0, sizeof(SharedState));
		locks = GetNamedLWLockTranche("echosync");
		shared_state->lock = &locks[0].lock;
		shared_state->mail_lock = &locks[1].lock;
		shared_state->backlog_lock = &locks[2].lock;
		ConditionVariableInit(&shared_state->worker_changed);
		pg_atomic_init_u64(&shared_state->suspect_until, 0);
		for (int i = 0; i < SHARED_MAX_WORKERS; i++)
		{
			WorkerSlot *slot = &shared_state->slots[i];

			SpinLockInit(&slot->mutex);
			pg_atomic_init_u32(&slot->state, WORKER_STATE_NONE);
			pg_atomic_init_u32(&slot->in_flight, 0);
			pg_atomic_init_u64(&slot->due_at, 0);
			pg_atomic_init_u64(&slot->requests, 0);
			pg_atomic_init_u64(&slot->synced, 0);
			pg_atomic_init_u64(&slot->failed, 0);
			pg_atomic_init_u64(&slot->retries, 0);
			pg_atomic_init_u64(&slot->rate_limited, 0);
		}
	}
	mailbox_shared_startup();
	backlog_shared_startup();
	stats_shared_startup();
	LWLockRelease(AddinShmemInitLock);
}

void
shared_install_hooks(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = shared_request_memory;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = shared_start_memory;
}

int
shared_owner_index(const pg_uuid_t *integration, int n_workers)
{
	if (n_workers <= 1)
		return 0;
	return hash_bytes(integration->data, UUID_LEN) % n_workers;
}

int32
shared_slot_ticket(int slot)
{
	return (int32) ((shared_state->slots[slot].generation * SHARED_MAX_WORKERS + slot) & PG_INT32_MAX);
}

int
shared_slot_take(int32 ticket)
{
	int			n = ticket % SHARED_MAX_WORKERS;
	bool		ours;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	ours = shared_state->slots[n].database != InvalidOid && shared_slot_ticket(n) == ticket;
	if (ours)
	{
		shared_state->slots[n].pid = MyProcPid;
		shared_state->slots[n].started_at = GetCurrentTimestamp();
	}
	LWLockRelease(shared_state->lock);
	return ours ? n : -1;
}

static void
slot_add_hint(WorkerSlot *slot, const pg_uuid_t *integration)
{
	for (int i = 0; i < slot->n_hints; i++)
	{
		if (memcmp(&slot->hints[i], integration, UUID_LEN) == 0)
			return;
	}
	if (slot->n_hints == SHARED_MAX_HINTS)
		slot->all_hinted = true;
	else
		slot->hints[slot->n_hints++] = *integration;
}

/*
 * Is a worker to be told at once what has been queued?  One that may not send
 * has nothing to do with it: hints wait for its next turn, and when it may, it
 * looks at everything, after it has said so here.
 */
static bool
slot_sends(WorkerSlot *slot)
{
	switch ((WorkerState) pg_atomic_read_u32(&slot->state))
	{
		case WORKER_STATE_NONE:
		case WORKER_STATE_STARTING:
		case WORKER_STATE_IDLE:
		case WORKER_STATE_DRAINING:
			return true;
		case WORKER_STATE_DISABLED:
		case WORKER_STATE_NO_KEY:
		case WORKER_STATE_WRONG_KEY:
		case WORKER_STATE_COPY:
		case WORKER_STATE_OTHER_VERSION:
		case WORKER_STATE_UNKNOWN:
			break;
	}
	return false;
}

void
shared_wake_database(Oid database, const pg_uuid_t *integrations, int n, bool all)
{
	bool		any = false;

	if (shared_state == NULL)
		return;
	LWLockAcquire(shared_state->lock, LW_SHARED);
	for (int s = 0; s < shared_state->n_slots_used; s++)
	{
		WorkerSlot *slot = &shared_state->slots[s];
		bool		mine = all;

		if (slot->database != database || slot->latch == NULL)
			continue;
		any = true;
		SpinLockAcquire(&slot->mutex);
		slot->all_hinted |= all;
		for (int i = 0; i < n && !slot->all_hinted; i++)
		{
			if (shared_owner_index(&integrations[i], slot->n_workers) != slot->index)
				continue;
			slot_add_hint(slot, &integrations[i]);
			mine = true;
		}
		mine |= slot->all_hinted;
		SpinLockRelease(&slot->mutex);
		if (mine && (all || slot_sends(slot)))
		{
			stats_due_now(slot);
			SetLatch(slot->latch);
		}
	}
	LWLockRelease(shared_state->lock);
	if (!any)
		shared_request_workers(database);
}

void
shared_request_workers(Oid database)
{
	bool		known = false;

	if (shared_state == NULL)
		return;
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared_state->n_requests; i++)
		known |= shared_state->requests[i] == database;
	if (!known && shared_state->n_requests < SHARED_MAX_REQUESTS)
		shared_state->requests[shared_state->n_requests++] = database;
	else if (!known)
		shared_state->scan_requested = true;
	if (shared_state->launcher_latch != NULL)
		SetLatch(shared_state->launcher_latch);
	LWLockRelease(shared_state->lock);
}

static bool
worker_attached(Oid database)
{
	bool		found = false;

	LWLockAcquire(shared_state->lock, LW_SHARED);
	for (int i = 0; i < shared_state->n_slots_used; i++)
	{
		if (shared_state->slots[i].database == database &&
			shared_state->slots[i].latch != NULL)
			found = true;
	}
	LWLockRelease(shared_state->lock);
	return found;
}

bool
shared_wait_for_worker(Oid database, int timeout_ms)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
	bool		found;

	if (shared_state == NULL)
		return false;
	if (worker_attached(database))
		return true;
	shared_request_workers(database);
	ConditionVariablePrepareToSleep(&shared_state->worker_changed);
	while (!(found = worker_attached(database)))
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

		if (left <= 0)
			break;
		ConditionVariableTimedSleep(&shared_state->worker_changed, left, wait_event(WAIT_WORKER_START));
	}
	ConditionVariableCancelSleep();
	return found;
}

int
shared_take_hints(WorkerSlot *slot, pg_uuid_t *hints, bool *all)
{
	int			n;

	SpinLockAcquire(&slot->mutex);
	n = slot->n_hints;
	memcpy(hints, slot->hints, n * sizeof(pg_uuid_t));
	*all = slot->all_hinted;
	slot->n_hints = 0;
	slot->all_hinted = false;
	SpinLockRelease(&slot->mutex);
	return n;
}

void
wake_note_integration(const pg_uuid_t *integration)
{
	for (int i = 0; i < n_noted; i++)
	{
		if (memcmp(&noted[i], integration, UUID_LEN) == 0)
			return;
	}
	if (n_noted == SHARED_MAX_HINTS)
		everything_noted = true;
	else
		noted[n_noted++] = *integration;
}

void
wake_note_everything(void)
{
	everything_noted = true;
}

static void
wake_at_transaction_end(XactEvent event, void *arg)
{
	if (n_noted == 0 && !everything_noted)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			shared_wake_database(MyDatabaseId, noted, n_noted, everything_noted);
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			break;
		default:
			return;
	}
	n_noted = 0;
	everything_noted = false;
}

void
wake_install_callbacks(void)
{
	RegisterXactCallback(wake_at_transaction_end, NULL);
}
