/*
 * enqueue.h
 *		Deciding for which connections a lead is queued, and queueing by the set.
 *
 * Used by the trigger (capture.c), manual sync, the webhook and the worker, for what
 * no trigger has captured (gaps.c), so that one rule and one way of inserting serve
 * them all.
 */
#ifndef ECHOSYNC_ENQUEUE_H
#define ECHOSYNC_ENQUEUE_H

#include "api/targets.h"
#include "db/rowset.h"

/* Ids longer than an index entry would fail when the outcome is recorded. */
#define LEAD_ID_MAX 1024

typedef struct Enqueue
{
	const char *sync_type;		/* auto, manual, webhook */
	int			priority;
	int64		run_id;			/* 0: none */
	RowSet	   *queue;			/* NULL before the first row of each */
	RowSet	   *refused;
	Datum		sync_type_text; /* of the queue's rows, one for all */
	Datum		last_id;		/* of the row before; 0: none */
	Datum		last_user_id;
	int64		n_queued;
	int64		n_refused;
} Enqueue;

extern Enqueue *enqueue_begin(const char *sync_type, int priority, int64 run_id);

/* Of an id that the caller names: an ERROR that says how long it is, if too long. */
extern void lead_id_require(const char *lead_id);

/* What the rule says for this connection. */
extern LeadRefusal enqueue_refusal(const Target *target, const LeadFacts *facts);

/*
 * Queue a lead for a connection, or note the refusal.  facts NULL: not known
 * here, the worker decides.  snapshot: jsonb or 0.  A lead whose id is too
 * long is refused, and logged by the id's beginning.
 */
extern LeadRefusal enqueue_lead(Enqueue *enqueue, const Target *target,
								const char *lead_id, int source_id,
								const LeadFacts *facts, Datum snapshot);

/* Note a refusal that the caller found. */
extern void enqueue_refuse(Enqueue *enqueue, const Target *target,
						   const char *lead_id, LeadRefusal refusal);

/*
 * Forget what has been gathered, whose memory may be gone.  What follows lives
 * in the context that is current when its first row comes.
 */
extern void enqueue_restart(Enqueue *enqueue);

/* Write what has been gathered, note the wake-ups, and restart. */
extern void enqueue_write(Enqueue *enqueue);

#endif							/* ECHOSYNC_ENQUEUE_H */
