/*
 * shared.h
 *		Shared memory: who the workers are, what they were told, what they count.
 *
 * Plain data only; every pointer is into shared memory (latches of PGPROCs).
 * Who may touch what: `lock` guards the assignment of slots and the launcher's
 * requests; a slot's `mutex` guards its hints; counters are written by the
 * slot's worker alone and read by anybody, as atomics.
 */
#ifndef ECHOSYNC_SHARED_H
#define ECHOSYNC_SHARED_H

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
#include "utils/dsa.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define SHARED_MAX_WORKERS 64
#define SHARED_MAX_HINTS 128
#define SHARED_MAX_REQUESTS 64
#define SHARED_MAX_VACATED 16
#define SHARED_MAX_SHUNNED 16

/* What a worker is doing; names in worker_states, shown by echosync_workers. */
typedef enum WorkerState
{
	WORKER_STATE_NONE = 0,		/* slot is free */
	WORKER_STATE_STARTING,		/* registered, not yet connected */
	WORKER_STATE_IDLE,			/* nothing due */
	WORKER_STATE_DRAINING,		/* requests under way */
	WORKER_STATE_DISABLED,		/* echosync.enabled is off */
	WORKER_STATE_NO_KEY,		/* secrets not usable: nothing is sent */
	WORKER_STATE_WRONG_KEY,		/* not the key that sealed the credentials */
	WORKER_STATE_COPY,			/* restored or cloned database: echosync_adopt() */
	WORKER_STATE_OTHER_VERSION, /* schema of another version than the library */
	WORKER_STATE_UNKNOWN		/* our tables could not be looked at */
} WorkerState;

/* A state in words: why nothing is sent, NULL where it is, and what to do. */
typedef struct WorkerStateWords
{
	const char *name;
	const char *problem;
	const char *hint;
} WorkerStateWords;
extern const WorkerStateWords worker_states[];

/* Why a worker has ended, for the launcher. */
typedef enum WorkerExit
{
	WORKER_EXIT_UNKNOWN = 0,	/* error or crash: start again, later */
	WORKER_EXIT_NO_EXTENSION,	/* nothing to do here until told */
	WORKER_EXIT_REQUESTED		/* shutdown or fewer workers wanted */
} WorkerExit;

typedef struct WorkerSlot
{
	/* guarded by SharedState.lock */
	Oid			database;
	uint32		generation;		/* of its assignment, even when it is taken back */
	int			index;			/* 0 .. workers - 1 */
	int			n_workers;		/* that share this database's connections */
	pid_t		pid;
	Latch	   *latch;			/* NULL until attached */
	WorkerExit	exit;
	TimestampTz started_at;

	/* guarded by mutex */
	slock_t		mutex;
	int			n_hints;
	bool		all_hinted;		/* more than fit: look at everything */
	pg_uuid_t	hints[SHARED_MAX_HINTS];	/* connections with new rows */
	char		last_error[160];

	/* written by the worker only */
	pg_atomic_uint32 state;
	pg_atomic_uint32 in_flight;
	pg_atomic_uint64 due_at;	/* TimestampTz: its newest turn or, asleep, when
								 * the next is due */
	pg_atomic_uint64 requests;
	pg_atomic_uint64 synced;
	pg_atomic_uint64 failed;
	pg_atomic_uint64 retries;
	pg_atomic_uint64 rate_limited;
} WorkerSlot;

typedef struct SharedState
{
	LWLock	   *lock;
	LWLock	   *mail_lock;
	LWLock	   *backlog_lock;	/* of backlog.c */
	ConditionVariable worker_changed;	/* a worker attached or left */
	pid_t		launcher_pid;
	Latch	   *launcher_latch;
	int			n_requests;
	bool		scan_requested; /* look at pg_database again */
	Oid			requests[SHARED_MAX_REQUESTS];	/* databases that want a worker */
	struct
	{
		pid_t		owner;		/* backend; 0: free */
		Oid			database;
	}			vacated[SHARED_MAX_VACATED];	/* see step_aside.c */
	struct
	{
		Oid			database;
		int			source_id;
		TimestampTz until;
	}			shunned[SHARED_MAX_SHUNNED];	/* tables whose reading did not
												 * end; see read.c */
	uint32		n_shunned;
	pg_atomic_uint64 suspect_until; /* see job_take_turn */
	dsa_handle	budget_area;	/* of budget.c; 0: not made yet */
	dsa_pointer budget_table;
	int			n_slots_used;	/* slots from here on were never used: whoever looks
								 * through them at each commit stops here */
	WorkerSlot	slots[SHARED_MAX_WORKERS];
} SharedState;

/* NULL when the library is not in shared_preload_libraries. */
extern SharedState *shared_state;

/*
 * What a worker is started with: its slot, and which assignment of it.  It takes
 * the slot only if that was not taken back meanwhile.  -1: it was.
 */
extern int32 shared_slot_ticket(int slot);
extern int	shared_slot_take(int32 ticket);

extern void shared_install_hooks(void); /* _PG_init, under preload only */

/*
 * Wake-ups.  Noted during a transaction, delivered when it commits: to the
 * workers of this database, or to the launcher where there is none.
 */
extern void wake_install_callbacks(void);	/* _PG_init */
extern void wake_note_integration(const pg_uuid_t *integration);
extern void wake_note_everything(void);	/* all connections, or a new extension */

/* Wake the workers of a database for these connections now. */
extern void shared_wake_database(Oid database, const pg_uuid_t *integrations, int n,
								 bool all);

/* Ask the launcher for workers in a database. */
extern void shared_request_workers(Oid database);

/* Is a worker attached for this database?  Waits up to timeout_ms. */
extern bool shared_wait_for_worker(Oid database, int timeout_ms);

/* Worker side: take the hints; true in *all when everything is to be looked at. */
extern int	shared_take_hints(WorkerSlot *slot, pg_uuid_t *hints, bool *all);

/* Index of the worker that owns a connection. */
extern int	shared_owner_index(const pg_uuid_t *integration, int n_workers);

#endif							/* ECHOSYNC_SHARED_H */
