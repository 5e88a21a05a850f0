/*
 * mailbox.c
 *		The slots in shared memory through which backends ask the worker.
 *
 * A slot goes FREE -> POSTED -> TAKEN -> DONE -> FREE.  The backend owns it
 * from FREE to FREE and gives it back, wiped, on every path out: answer,
 * ERROR (cancel, timeout), exit.  The worker works on a copy and answers only
 * if the slot's generation is still the one that it took.  A worker that ends
 * leaves the requests that it took to the next one: they become POSTED again
 * only if nothing can have been done, so they are answered as failed instead
 * (mailbox_fail_taken).
 *
 * The wait is invisible to the deadlock detector.  That is safe only because
 * the worker never waits for a lock that a backend may hold, and because every
 * wait ends: what the asker holds itself may be what its question waits for (the
 * row of the credential, where a token is to be stored).
 *
 * How far a question is, the worker tells by the slot: a new phase for each
 * request that begins or ends.  Each phase has its own time.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "port/pg_bitutils.h"
#include "portability/instr_time.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"

#include "config/settings.h"
#include "config/undumped.h"
#include "pg_compat.h"
#include "worker/mailbox.h"
#include "worker/shared.h"
#include "worker/wait_event.h"
#include "worker/worker.h"

#define MAILBOX_SLOTS 16		/* at most 32: a bit each */
#define MAILBOX_WORKER_WAIT_MS 5000
#define MAILBOX_IDLE_WAIT_MS 10000	/* while nothing is under way */
#define MAILBOX_LOOK_MS 1000
#define MAILBOX_MARGIN 4096		/* on both sides: whole pages are kept out of
								 * core dumps */

typedef enum MailState
{
	MAIL_STATE_FREE = 0,
	MAIL_STATE_POSTED,
	MAIL_STATE_TAKEN,
	MAIL_STATE_DONE
} MailState;

typedef struct MailSlot
{
	MailState	state;
	uint64		generation;
	Oid			database;
	pid_t		worker_pid;		/* that took it */
	int			phase;			/* of the work on it, from 0 */
	MailWait	wait;
	Latch	   *asker;
	MailRequest request;
	MailReply	reply;
} MailSlot;

static MailSlot *mail_slots = NULL;

Size
mailbox_shared_size(void)
{
	return MAXALIGN(sizeof(MailSlot) * MAILBOX_SLOTS + 2 * MAILBOX_MARGIN);
}

void
mailbox_shared_startup(void)
{
	bool		found;
	char	   *start = ShmemInitStruct("echosync mailbox", mailbox_shared_size(), &found);

	mail_slots = (MailSlot *) (start + MAILBOX_MARGIN);
	if (found)
		return;
	memset(start, 0, mailbox_shared_size());
	undumped_mark(start, mailbox_shared_size());
}

static void
mail_slot_wipe(MailSlot *slot)
{
	slot->state = MAIL_STATE_FREE;
	slot->generation++;
	slot->asker = NULL;
	explicit_bzero(&slot->request, sizeof(slot->request));
	explicit_bzero(&slot->reply, sizeof(slot->reply));
}

/* Give a slot back; also run on ERROR and at exit.  A worker that has it may stop. */
static void
mailbox_release(int code, Datum arg)
{
	MailSlot   *slot = &mail_slots[DatumGetInt32(arg)];
	bool		taken;

	LWLockAcquire(shared_state->mail_lock, LW_EXCLUSIVE);
	taken = slot->state == MAIL_STATE_TAKEN;
	mail_slot_wipe(slot);
	LWLockRelease(shared_state->mail_lock);
	if (taken)
		shared_wake_database(MyDatabaseId, NULL, 0, true);
}

/* The slot, or -1 when all are in use. */
static int
mailbox_post(const MailRequest *request)
{
	int			found = -1;

	LWLockAcquire(shared_state->mail_lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAILBOX_SLOTS && found < 0; i++)
	{
		MailSlot   *slot = &mail_slots[i];

		if (slot->state != MAIL_STATE_FREE)
			continue;
		slot->database = MyDatabaseId;
		slot->asker = MyLatch;
		memcpy(&slot->request, request, sizeof(MailRequest));
		slot->phase = 0;
		slot->wait = MAIL_WAITS_FOR_TURN;
		slot->state = MAIL_STATE_POSTED;
		found = i;
	}
	LWLockRelease(shared_state->mail_lock);
	return found;
}

static MailState
mailbox_state(int n)
{
	MailState	state;

	LWLockAcquire(shared_state->mail_lock, LW_SHARED);
	state = mail_slots[n].state;
	LWLockRelease(shared_state->mail_lock);
	return state;
}

static void
mailbox_read(int n, MailReply *reply)
{
	LWLockAcquire(shared_state->mail_lock, LW_SHARED);
	memcpy(reply, &mail_slots[n].reply, sizeof(MailReply));
	LWLockRelease(shared_state->mail_lock);
}

/* Give several back; the argument has a bit for each. */
static void
mailbox_release_all(int code, Datum arg)
{
	for (int i = 0; i < MAILBOX_SLOTS; i++)
	{
		if (DatumGetUInt32(arg) & (1U << i))
			mailbox_release(code, Int32GetDatum(i));
	}
}

/* Where the last of them is: POSTED before TAKEN before DONE. */
static MailState
mailbox_last_state(uint32 mask)
{
	MailState	last = MAIL_STATE_DONE;

	for (int i = 0; i < MAILBOX_SLOTS; i++)
	{
		if (mask & (1U << i))
			last = Min(last, mailbox_state(i));
	}
	return last;
}

/* Milliseconds of a clock that nobody sets. */
static int64
monotonic_ms(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now);
}

/* A question as its asker has last seen it, and since when. */
typedef struct Progress
{
	MailState	state;
	int			phase;
	MailWait	wait;
	int64		since;
} Progress;

static void
mailbox_look(int n, Progress *progress)
{
	const MailSlot *slot = &mail_slots[n];
	Progress	now = {.since = monotonic_ms()};

	LWLockAcquire(shared_state->mail_lock, LW_SHARED);
	now.state = slot->state;
	now.phase = slot->phase;
	now.wait = slot->wait;
	LWLockRelease(shared_state->mail_lock);
	if (now.state != progress->state || now.phase != progress->phase)
		*progress = now;
}

static int
time_of_phase(const Progress *progress)
{
	if (progress->state == MAIL_STATE_POSTED)
		return MAILBOX_WORKER_WAIT_MS;
	return progress->wait == MAIL_WAITS_FOR_REPLY ?
		echosync_connect_timeout + echosync_request_timeout : MAILBOX_IDLE_WAIT_MS;
}

/* How long the asker of one question goes on waiting for its phase to end. */
static int
patience_ms(const Progress *progress)
{
	return time_of_phase(progress) - (int) Min(monotonic_ms() - progress->since, INT_MAX / 2);
}

/* What an asker without an answer has waited for. */
static MailOutcome
without_answer(const Progress *progress)
{
	if (progress->state == MAIL_STATE_POSTED)
		return MAIL_NOT_TAKEN;
	switch (progress->wait)
	{
		case MAIL_WAITS_FOR_TURN:
			break;
		case MAIL_WAITS_FOR_CREDENTIAL:
			return MAIL_NOT_STORED;
		case MAIL_WAITS_FOR_REPLY:
			return MAIL_NO_REPLY;
	}
	return MAIL_NOT_SENT;
}

/*
 * Until all are done, or the time is up: timeout_ms from begun_at for all together,
 * or that of each phase of the one (-1).
 */
static void
mailbox_wait(uint32 mask, int64 begun_at, int timeout_ms, Progress *progress)
{
	for (;;)
	{
		MailState	state = mailbox_last_state(mask);
		int			left;

		if (timeout_ms >= 0)
			left = timeout_ms - (int) (monotonic_ms() - begun_at);
		else
		{
			mailbox_look(pg_rightmost_one_pos32(mask), progress);
			left = patience_ms(progress);
		}
		if (state == MAIL_STATE_DONE || left <= 0)
			return;
		/* The second's timeout covers a worker that was replaced meanwhile. */
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(left, MAILBOX_LOOK_MS), wait_event(WAIT_ANSWER));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (state == MAIL_STATE_POSTED)
			shared_wake_database(MyDatabaseId, NULL, 0, true);
	}
}

/* What somebody's trigger on our tables calls, the worker runs: it would wait for itself. */
static void
refuse_worker(void)
{
	if (worker != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("echosync's worker cannot ask itself"),
				 errdetail("Triggers on the tables of echosync run in the worker, which alone speaks to CRMs."),
				 errhint("Let the trigger NOTIFY a session, and call the function there.")));
}

void
mailbox_try_all(const MailRequest *requests, MailReply *replies, MailOutcome *outcomes, int n,
				int timeout_ms)
{
	const int64 begun_at = monotonic_ms();
	Progress	progress = {.state = MAIL_STATE_FREE};
	int			slots[MAILBOX_SLOTS];
	volatile uint32 mask = 0;	/* survives the longjmp of an ERROR */

	Assert(n <= MAILBOX_SLOTS && (n == 1 || timeout_ms >= 0));
	refuse_worker();
	for (int i = 0; i < n; i++)
		outcomes[i] = MAIL_NO_WORKER;
	if (shared_state == NULL ||
		!shared_wait_for_worker(MyDatabaseId, timeout_ms < 0 ? MAILBOX_WORKER_WAIT_MS :
								Min(MAILBOX_WORKER_WAIT_MS, timeout_ms)))
		return;
	for (int i = 0; i < n; i++)
	{
		slots[i] = mailbox_post(&requests[i]);
		outcomes[i] = slots[i] < 0 ? MAIL_FULL : MAIL_PENDING;
		if (slots[i] >= 0)
			mask |= 1U << slots[i];
	}
	if (mask == 0)
		return;
	PG_ENSURE_ERROR_CLEANUP(mailbox_release_all, UInt32GetDatum(mask));
	{
		shared_wake_database(MyDatabaseId, NULL, 0, true);
		mailbox_wait(mask, begun_at, timeout_ms, &progress);
		for (int i = 0; i < n; i++)
		{
			if (slots[i] < 0)
				continue;
			if (mailbox_state(slots[i]) != MAIL_STATE_DONE)
			{
				outcomes[i] = timeout_ms < 0 ? without_answer(&progress) : MAIL_PENDING;
				continue;
			}
			mailbox_read(slots[i], &replies[i]);
			outcomes[i] = MAIL_ANSWERED;
		}
	}
	PG_END_ENSURE_ERROR_CLEANUP(mailbox_release_all, UInt32GetDatum(mask));
	mailbox_release_all(0, UInt32GetDatum(mask));
}

MailOutcome
mailbox_try(const MailRequest *request, MailReply *reply, int timeout_ms)
{
	MailOutcome outcome;

	mailbox_try_all(request, reply, &outcome, 1, timeout_ms);
	return outcome;
}

/* An asker that has waited in vain: for what, and what it may do. */
static void
report_no_answer(MailOutcome outcome)
{
	switch (outcome)
	{
		case MAIL_NOT_TAKEN:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("echosync's worker did not take the request within %d seconds",
							MAILBOX_WORKER_WAIT_MS / 1000),
					 errhint("See echosync_doctor() and the server log.")));
			break;
		case MAIL_NOT_SENT:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("the request waited %d seconds for its turn, and was not sent to the CRM",
							MAILBOX_IDLE_WAIT_MS / 1000),
					 errdetail("Rate limits and waits that the CRM asks for hold every request of an account."),
					 errhint("Try again in a minute.")));
			break;
		case MAIL_NOT_STORED:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("the request waited %d seconds for a refreshed access token to be stored, and was not sent to the CRM",
							MAILBOX_IDLE_WAIT_MS / 1000),
					 errdetail("Another session, or this transaction, holds the row of the credential."),
					 errhint("Commit the transaction that has connected, then try again.")));
			break;
		case MAIL_NO_REPLY:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("the CRM did not answer in time"),
					 errdetail("A request was under way for longer than echosync.connect_timeout and echosync.request_timeout together.")));
			break;
		case MAIL_FULL:
			ereport(ERROR,
					(errcode(ERRCODE_TOO_MANY_CONNECTIONS),
					 errmsg("too many sessions are waiting for answers from CRMs"),
					 errhint("Try again in a moment.")));
			break;
		case MAIL_NO_WORKER:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("echosync's worker is not running in this database"),
					 errhint("See echosync_doctor() and the server log; echosync.databases and max_worker_processes decide where workers run.")));
			break;
		case MAIL_ANSWERED:
		case MAIL_PENDING:
			break;
	}
}

void
mailbox_ask(const MailRequest *request, MailReply *reply)
{
	MailOutcome outcome = mailbox_try(request, reply, -1);

	if (shared_state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("echosync's worker is not running"),
				 errdetail("The library is not preloaded."),
				 errhint("Add echosync to shared_preload_libraries and restart the server.")));
	report_no_answer(outcome);
}

bool
mailbox_take(Oid database, int index, int n_workers, MailTicket *ticket,
			 MailRequest *request)
{
	bool		found = false;

	LWLockAcquire(shared_state->mail_lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAILBOX_SLOTS && !found; i++)
	{
		MailSlot   *slot = &mail_slots[i];

		if (slot->state != MAIL_STATE_POSTED || slot->database != database ||
			shared_owner_index(&slot->request.integration, n_workers) != index)
			continue;
		slot->state = MAIL_STATE_TAKEN;
		slot->worker_pid = MyProcPid;
		ticket->slot = i;
		ticket->generation = slot->generation;
		memcpy(request, &slot->request, sizeof(MailRequest));
		explicit_bzero(&slot->request.secret, sizeof(slot->request.secret));
		found = true;
	}
	LWLockRelease(shared_state->mail_lock);
	return found;
}

void
mailbox_answer(const MailTicket *ticket, const MailReply *reply)
{
	MailSlot   *slot = &mail_slots[ticket->slot];

	LWLockAcquire(shared_state->mail_lock, LW_EXCLUSIVE);
	if (slot->generation == ticket->generation && slot->state == MAIL_STATE_TAKEN)
	{
		memcpy(&slot->reply, reply, sizeof(MailReply));
		slot->state = MAIL_STATE_DONE;
		SetLatch(slot->asker);
	}
	LWLockRelease(shared_state->mail_lock);
}

bool
mailbox_is_awaited(const MailTicket *ticket)
{
	const MailSlot *slot = &mail_slots[ticket->slot];
	bool		awaited;

	LWLockAcquire(shared_state->mail_lock, LW_SHARED);
	awaited = slot->generation == ticket->generation && slot->state == MAIL_STATE_TAKEN;
	LWLockRelease(shared_state->mail_lock);
	return awaited;
}

void
mailbox_progress(const MailTicket *ticket, MailWait wait)
{
	MailSlot   *slot = &mail_slots[ticket->slot];

	LWLockAcquire(shared_state->mail_lock, LW_EXCLUSIVE);
	if (slot->generation == ticket->generation && slot->state == MAIL_STATE_TAKEN)
	{
		slot->wait = wait;
		slot->phase++;
		SetLatch(slot->asker);
	}
	LWLockRelease(shared_state->mail_lock);
}

void
mailbox_fail_taken(void)
{
	LWLockAcquire(shared_state->mail_lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAILBOX_SLOTS; i++)
	{
		MailSlot   *slot = &mail_slots[i];

		if (slot->state != MAIL_STATE_TAKEN || slot->worker_pid != MyProcPid)
			continue;
		memset(&slot->reply, 0, sizeof(MailReply));
		strlcpy(slot->reply.error_code, "worker_ended", sizeof(slot->reply.error_code));
		strlcpy(slot->reply.error_message,
				"The worker ended before the CRM had answered; try again.",
				sizeof(slot->reply.error_message));
		slot->state = MAIL_STATE_DONE;
		SetLatch(slot->asker);
	}
	LWLockRelease(shared_state->mail_lock);
}
