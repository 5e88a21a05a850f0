/*
 * backlog.c
 *		The counters of what waits: a hash in shared memory, and the notes of
 *		the current transaction.
 *
 * Nothing is allocated and nothing can fail when a transaction commits: notes
 * are made while it runs, and a connection that has no counter yet gets none
 * from a backend.  The hash has a fixed size; connections that do not fit are
 * counted when somebody asks.
 *
 * Notes carry the nesting level at which they were made.  Those of a level
 * are always the last ones, so that the end of a savepoint looks at no others.
 *
 * A transaction's rows can be seen a moment before its notes are added, and a
 * count in that moment would have both.  So each backend says which of its
 * transactions is about to commit, until its notes are added: a count that sees
 * the rows of such a one is not taken.
 *
 * Not here: counting (count.c), the trigger that notes (api/count_queue.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg_compat.h"
#include "worker/backlog.h"
#include "worker/shared.h"

#define BACKLOG_SIZE 16384

/* A counter that was not counted for so long is of a connection that is gone. */
#define BACKLOG_FORGET_MS (4 * 60 * 60 * 1000)

typedef struct BacklogKey
{
	Oid			database;
	pg_uuid_t	integration;
} BacklogKey;

/* Changed under the lock, but for the two sums, which are atomic. */
typedef struct BacklogEntry
{
	BacklogKey	key;
	bool		suspect;		/* something was missed: count again */
	int			limit;
	TimestampTz counted_at;		/* 0: never */
	TimestampTz begun_at;		/* the newest count */
	pg_atomic_uint64 queued;	/* int64: may be below 0 for a moment */
	pg_atomic_uint64 since_begun;	/* what was added since the count was begun */
} BacklogEntry;

typedef struct BacklogNote
{
	pg_uuid_t	integration;
	int			nest_level;
	int64		n;
} BacklogNote;

static HTAB *backlog_table = NULL;

/* By backend: the transaction that commits with notes; 0: none. */
static pg_atomic_uint32 *committing = NULL;

/* Notes of the current transaction, in its memory context. */
static BacklogNote *notes = NULL;
static int	n_notes = 0;
static int	notes_capacity = 0;
static bool truncated = false;

Size
backlog_shared_size(void)
{
	return add_size(hash_estimate_size(BACKLOG_SIZE, sizeof(BacklogEntry)),
					mul_size(MaxBackends, sizeof(pg_atomic_uint32)));
}

void
backlog_shared_startup(void)
{
	HASHCTL		control = {0};
	bool		found;

	control.keysize = sizeof(BacklogKey);
	control.entrysize = sizeof(BacklogEntry);
	backlog_table = compat_shmem_hash("echosync backlog", BACKLOG_SIZE, &control);
	committing = ShmemInitStruct("echosync commits", MaxBackends * sizeof(pg_atomic_uint32), &found);
	for (int i = 0; i < MaxBackends && !found; i++)
		pg_atomic_init_u32(&committing[i], InvalidTransactionId);
}

/* Under the lock. */
static BacklogEntry *
backlog_find(const pg_uuid_t *integration)
{
	BacklogKey	key = {MyDatabaseId, *integration};

	return hash_search(backlog_table, &key, HASH_FIND, NULL);
}

/* All rows went at once: count again, and until then do not say what was. */
static void
backlog_forget_counts(void)
{
	HASH_SEQ_STATUS status;
	BacklogEntry *entry;

	LWLockAcquire(shared_state->backlog_lock, LW_EXCLUSIVE);
	hash_seq_init(&status, backlog_table);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->key.database != MyDatabaseId)
			continue;
		entry->suspect = true;
		entry->counted_at = 0;
	}
	LWLockRelease(shared_state->backlog_lock);
	shared_wake_database(MyDatabaseId, NULL, 0, true);
}

void
backlog_note(const pg_uuid_t *integration, int n)
{
	int			level = GetCurrentTransactionNestLevel();

	if (backlog_table == NULL)
		return;

	/* Rows of a connection come together, mostly: look back a little. */
	for (int i = n_notes - 1; i >= Max(0, n_notes - 4); i--)
	{
		if (notes[i].nest_level == level &&
			memcmp(&notes[i].integration, integration, UUID_LEN) == 0)
		{
			notes[i].n += n;
			return;
		}
	}
	if (n_notes == notes_capacity)
	{
		int			capacity = notes_capacity ? notes_capacity * 2 : 16;

		if (notes == NULL)
			notes = MemoryContextAlloc(TopTransactionContext, capacity * sizeof(BacklogNote));
		else
			notes = repalloc_huge(notes, capacity * sizeof(BacklogNote));
		notes_capacity = capacity;
	}
	notes[n_notes].integration = *integration;
	notes[n_notes].nest_level = level;
	notes[n_notes++].n = n;
}

void
backlog_note_truncate(void)
{
	truncated = true;
}

static void
backlog_deliver(void)
{
	LWLockAcquire(shared_state->backlog_lock, LW_SHARED);
	for (int i = 0; i < n_notes; i++)
	{
		BacklogEntry *entry = backlog_find(&notes[i].integration);

		if (entry == NULL)
			continue;
		pg_atomic_fetch_add_u64(&entry->queued, notes[i].n);
		pg_atomic_fetch_add_u64(&entry->since_begun, notes[i].n);
	}
	LWLockRelease(shared_state->backlog_lock);
}

void
backlog_doubt(const pg_uuid_t *integration)
{
	BacklogEntry *entry;

	LWLockAcquire(shared_state->backlog_lock, LW_EXCLUSIVE);
	entry = backlog_find(integration);
	if (entry != NULL)
		entry->suspect = true;
	LWLockRelease(shared_state->backlog_lock);
}

/* A prepared transaction may be committed by a process that knows no notes. */
static void
backlog_doubt_noted(void)
{
	for (int i = 0; i < n_notes; i++)
		backlog_doubt(&notes[i].integration);
}

/*
 * Backends have the first places among the processes.  The locks that a commit
 * takes, and that backlog_deliver releases, keep the order of things.
 */
static void
backlog_announce(TransactionId xid)
{
	pg_atomic_write_u32(&committing[MyProc - ProcGlobal->allProcs], xid);
}

bool
backlog_undelivered(Snapshot snapshot)
{
	for (int i = 0; i < MaxBackends; i++)
	{
		TransactionId xid = pg_atomic_read_u32(&committing[i]);

		if (TransactionIdIsValid(xid) && !XidInMVCCSnapshot(xid, snapshot))
			return true;
	}
	return false;
}

static void
backlog_transaction_end(XactEvent event, void *arg)
{
	/* Also when a savepoint took its notes back: their memory goes now. */
	if (notes == NULL && !truncated)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (n_notes > 0)
				backlog_announce(GetTopTransactionIdIfAny());
			return;
		case XACT_EVENT_COMMIT:
			if (truncated)
				backlog_forget_counts();
			else
				backlog_deliver();
			break;
		case XACT_EVENT_PREPARE:
			if (truncated)
				backlog_forget_counts();
			else
				backlog_doubt_noted();
			break;
		case XACT_EVENT_ABORT:
			break;
		default:
			return;
	}
	if (n_notes > 0)
		backlog_announce(InvalidTransactionId);
	notes = NULL;
	n_notes = notes_capacity = 0;
	truncated = false;
}

/* A loop of savepoints over one connection makes one note, not thousands. */
static void
backlog_merge_last(void)
{
	BacklogNote *last;

	if (n_notes < 2)
		return;
	last = &notes[n_notes - 1];
	if (last[-1].nest_level == last->nest_level &&
		memcmp(&last[-1].integration, &last->integration, UUID_LEN) == 0)
	{
		last[-1].n += last->n;
		n_notes--;
	}
}

/* A savepoint that ends well hands its notes to its parent; else they go. */
static void
backlog_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
						   void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (int i = n_notes - 1; i >= 0 && notes[i].nest_level >= level; i--)
			notes[i].nest_level = level - 1;
		backlog_merge_last();
	}
	else if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		while (n_notes > 0 && notes[n_notes - 1].nest_level >= level)
			n_notes--;
	}
}

void
backlog_install_callbacks(void)
{
	RegisterXactCallback(backlog_transaction_end, NULL);
	RegisterSubXactCallback(backlog_subtransaction_end, NULL);
}

bool
backlog_read(const pg_uuid_t *integration, Backlog *backlog)
{
	BacklogEntry *entry;
	bool		counted;

	if (backlog_table == NULL)
		return false;
	LWLockAcquire(shared_state->backlog_lock, LW_SHARED);
	entry = backlog_find(integration);
	counted = entry != NULL && entry->counted_at != 0;
	if (counted)
	{
		backlog->queued = (int64) pg_atomic_read_u64(&entry->queued);
		backlog->limit = entry->limit;
	}
	LWLockRelease(shared_state->backlog_lock);
	return counted;
}

/* Make room: what no worker has counted for hours is nobody's any more. */
static void
backlog_sweep(TimestampTz now)
{
	HASH_SEQ_STATUS status;
	BacklogEntry *entry;

	hash_seq_init(&status, backlog_table);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (TimestampDifferenceExceeds(entry->begun_at, now, BACKLOG_FORGET_MS))
			(void) hash_search(backlog_table, &entry->key, HASH_REMOVE, NULL);
	}
}

bool
backlog_begin(const pg_uuid_t *integration)
{
	static TimestampTz swept_at = 0;
	BacklogKey	key = {MyDatabaseId, *integration};
	TimestampTz now = GetCurrentTimestamp();
	BacklogEntry *entry;
	bool		found;

	LWLockAcquire(shared_state->backlog_lock, LW_EXCLUSIVE);
	entry = hash_search(backlog_table, &key, HASH_ENTER_NULL, &found);
	if (entry == NULL && TimestampDifferenceExceeds(swept_at, now, BACKLOG_FORGET_MS))
	{
		backlog_sweep(now);
		swept_at = now;
		entry = hash_search(backlog_table, &key, HASH_ENTER_NULL, &found);
	}
	if (entry != NULL)
	{
		if (!found)
		{
			entry->counted_at = 0;
			entry->limit = 0;
			pg_atomic_init_u64(&entry->queued, 0);
			pg_atomic_init_u64(&entry->since_begun, 0);
		}
		entry->begun_at = now;
		entry->suspect = false;
		pg_atomic_write_u64(&entry->since_begun, 0);
	}
	LWLockRelease(shared_state->backlog_lock);
	return entry != NULL;
}

bool
backlog_end(const pg_uuid_t *integration, int64 n)
{
	BacklogEntry *entry;
	uint64		meanwhile = 0;

	LWLockAcquire(shared_state->backlog_lock, LW_EXCLUSIVE);
	entry = backlog_find(integration);
	if (entry != NULL)
	{
		meanwhile = pg_atomic_read_u64(&entry->since_begun);
		pg_atomic_write_u64(&entry->queued, n + meanwhile);
		entry->counted_at = entry->begun_at;
	}
	LWLockRelease(shared_state->backlog_lock);
	return meanwhile == 0;
}

bool
backlog_needs_count(const pg_uuid_t *integration, TimestampTz since)
{
	BacklogEntry *entry;
	bool		needed;

	LWLockAcquire(shared_state->backlog_lock, LW_SHARED);
	entry = backlog_find(integration);
	needed = entry == NULL || entry->suspect || entry->counted_at < since;
	LWLockRelease(shared_state->backlog_lock);
	return needed;
}

bool
backlog_any_suspect(void)
{
	HASH_SEQ_STATUS status;
	BacklogEntry *entry;
	bool		any = false;

	LWLockAcquire(shared_state->backlog_lock, LW_SHARED);
	hash_seq_init(&status, backlog_table);
	while ((entry = hash_seq_search(&status)) != NULL)
		any |= entry->key.database == MyDatabaseId && entry->suspect;
	LWLockRelease(shared_state->backlog_lock);
	return any;
}

void
backlog_was_empty(const pg_uuid_t *integration, int64 counter)
{
	BacklogEntry *entry;

	if (counter == 0)
		return;
	LWLockAcquire(shared_state->backlog_lock, LW_SHARED);
	entry = backlog_find(integration);
	if (entry != NULL)
		pg_atomic_fetch_sub_u64(&entry->queued, counter);
	LWLockRelease(shared_state->backlog_lock);
}

void
backlog_set_limit(const pg_uuid_t *integration, int limit)
{
	BacklogEntry *entry;

	LWLockAcquire(shared_state->backlog_lock, LW_SHARED);
	entry = backlog_find(integration);
	if (entry != NULL)
		entry->limit = limit;	/* an int, written by its worker alone */
	LWLockRelease(shared_state->backlog_lock);
}

void
backlog_forget(const pg_uuid_t *integration)
{
	BacklogKey	key = {MyDatabaseId, *integration};

	LWLockAcquire(shared_state->backlog_lock, LW_EXCLUSIVE);
	(void) hash_search(backlog_table, &key, HASH_REMOVE, NULL);
	LWLockRelease(shared_state->backlog_lock);
}

int
backlog_n_counted(void)
{
	HASH_SEQ_STATUS status;
	BacklogEntry *entry;
	int			n = 0;

	LWLockAcquire(shared_state->backlog_lock, LW_SHARED);
	hash_seq_init(&status, backlog_table);
	while ((entry = hash_seq_search(&status)) != NULL)
		n += entry->key.database == MyDatabaseId && entry->counted_at != 0;
	LWLockRelease(shared_state->backlog_lock);
	return n;
}
