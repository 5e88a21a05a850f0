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
 * the worker never waits for a lock that a backend may hold.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"

#include "config/undumped.h"
#include "pg_compat.h"
#include "worker/mailbox.h"
#include "worker/shared.h"
#include "worker/wait_event.h"
#include "worker/worker.h"

#define MAILBOX_SLOTS 16		/* at most 32: a bit each */
#define MAILBOX_WORKER_WAIT_MS 5000
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

/* Give a slot back; also run on ERROR and at exit. */
static void
mailbox_release(int code, Datum arg)
{
	LWLockAcquire(shared_state->mail_lock, LW_EXCLUSIVE);
	mail_slot_wipe(&mail_slots[DatumGetInt32(arg)]);
	LWLockRelease(shared_state->mail_lock);
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

static int
remaining_ms(TimestampTz deadline)
{
	return deadline == 0 ? INT_MAX :
		TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
}

/* Until all are done or the deadline (0: none). */
static void
mailbox_wait(uint32 mask, TimestampTz deadline)
{
	for (;;)
	{
		MailState	state = mailbox_last_state(mask);
		int			left = remaining_ms(deadline);

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
	TimestampTz deadline = timeout_ms < 0 ? 0 :
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
	int			slots[MAILBOX_SLOTS];
	volatile uint32 mask = 0;	/* survives the longjmp of an ERROR */

	Assert(n <= MAILBOX_SLOTS);
	refuse_worker();
	for (int i = 0; i < n; i++)
		outcomes[i] = MAIL_NO_WORKER;
	if (shared_state == NULL ||
		!shared_wait_for_worker(MyDatabaseId, Min(MAILBOX_WORKER_WAIT_MS, remaining_ms(deadline))))
		return;
	for (int i = 0; i < n; i++)
	{
		slots[i] = mailbox_post(&requests[i]);
		outcomes[i] = slots[i] < 0 ? MAIL_FULL : MAIL_PENDING;
		if (slots[i] >= 0)
			mask |= 1U << slots[i];
	}
	PG_ENSURE_ERROR_CLEANUP(mailbox_release_all, UInt32GetDatum(mask));
	{
		shared_wake_database(MyDatabaseId, NULL, 0, true);
		mailbox_wait(mask, deadline);
		for (int i = 0; i < n; i++)
		{
			if (slots[i] < 0 || mailbox_state(slots[i]) != MAIL_STATE_DONE)
				continue;
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
	if (outcome == MAIL_NO_WORKER)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("echosync's worker is not running in this database"),
				 errhint("See echosync_doctor() and the server log; echosync.databases and max_worker_processes decide where workers run.")));
	if (outcome == MAIL_FULL)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_CONNECTIONS),
				 errmsg("too many sessions are waiting for answers from CRMs"),
				 errhint("Try again in a moment.")));
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
