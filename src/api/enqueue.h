/*
 * enqueue.h
 *		Deciding for which connections a lead is queued, and queueing by the set.
 *
 * Used by the trigger (capture.c), manual sync and the webhook, so that one
 * rule and one INSERT serve them all.  The caller is connected to SPI and
 * acts as the extension's owner.
 */
#ifndef ECHOSYNC_ENQUEUE_H
#define ECHOSYNC_ENQUEUE_H

#include "crm/crm.h"
#include "db/rowset.h"

/* A connection as far as queueing cares. */
typedef struct Target
{
	uint8		id[16];
	char	   *user_id;
	char	   *crm_type;
	const CrmProvider *provider;
	IntegrationSettings *settings;
} Target;

/* Connections sorted by user. */
typedef struct TargetList
{
	Target	   *targets;
	int			n;
} TargetList;

typedef struct Enqueue
{
	const char *sync_type;		/* auto, manual, webhook */
	int			priority;
	int64		run_id;			/* 0: none */
	RowSet	   *queue;
	RowSet	   *refused;
	int64		n_queued;
	int64		n_refused;
} Enqueue;

/* Connections of these users (text[]); auto_sync_only leaves others out. */
extern TargetList *enqueue_targets(Datum user_ids, bool auto_sync_only);

/* The first target of a user; following ones are adjacent.  NULL: none. */
extern Target *enqueue_first_target(const TargetList *list, const char *user_id);

extern Enqueue *enqueue_begin(const char *sync_type, int priority, int64 run_id);

/*
 * Queue a lead for a connection, or note the refusal.  facts NULL: not known
 * here, the worker decides.  snapshot: jsonb or 0.
 */
extern LeadRefusal enqueue_lead(Enqueue *enqueue, const Target *target,
								const char *lead_id, int source_id,
								const LeadFacts *facts, Datum snapshot);

/* Note a refusal that the caller found. */
extern void enqueue_refuse(Enqueue *enqueue, const Target *target,
						   const char *lead_id, LeadRefusal refusal);

/* Forget what has been gathered; what follows lives in the current context. */
extern void enqueue_restart(Enqueue *enqueue);

/* Write what has been gathered, note the wake-ups, and start afresh. */
extern void enqueue_write(Enqueue *enqueue);

#endif							/* ECHOSYNC_ENQUEUE_H */
