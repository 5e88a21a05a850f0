/*
 * targets.h
 *		The connections of a user, as far as queueing cares: a cache of the
 *		backend.
 */
#ifndef ECHOSYNC_TARGETS_H
#define ECHOSYNC_TARGETS_H

#include "crm/crm.h"
#include "db/gap.h"

typedef struct Target
{
	uint8		id[16];
	char	   *user_id;
	const char *crm_type;
	const CrmProvider *provider;	/* NULL: a CRM this library does not know */
	IntegrationSettings *settings;
	GapSpan    *gaps[2];		/* by itself, by hand: see db/gap.h; NULL: none is open */
} Target;

typedef struct TargetList
{
	int			n;
	bool		auto_sync;		/* does any of them want changes by themselves? */
	bool		has_gaps;
	Target	   *targets;
} TargetList;

/*
 * The user's connections, whatever their status; of their settings, what decides
 * whether a lead is queued (no tags, fields and source).  Valid until the next call
 * or the next time that invalidations are accepted: use it at once.  The
 * schema must be in use (db_use_schema).
 */
extern const TargetList *targets_of_user(const char *user_id);

/* Is a gap of anybody's open? */
extern bool targets_have_gaps(void);

/* Is a row that was written by this transaction in a gap of the connection, to be queued as this type? */
extern bool target_missed(const Target *target, bool manual, TransactionId xmin);

/* Fill a target, but for its gaps, from an SPI row: id, user_id, crm_type, settings. */
extern void target_from_row(uint64 row, Target *target);

#endif							/* ECHOSYNC_TARGETS_H */
