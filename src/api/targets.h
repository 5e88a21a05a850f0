/*
 * targets.h
 *		The connections of a user, as far as queueing cares: a cache of the
 *		backend.
 */
#ifndef ECHOSYNC_TARGETS_H
#define ECHOSYNC_TARGETS_H

#include "crm/crm.h"

typedef struct Target
{
	uint8		id[16];
	char	   *user_id;
	const char *crm_type;
	const CrmProvider *provider;	/* NULL: a CRM this library does not know */
	IntegrationSettings *settings;
} Target;

typedef struct TargetList
{
	int			n;
	bool		auto_sync;		/* does any of them want changes by themselves? */
	Target	   *targets;
} TargetList;

/*
 * The user's connections, whatever their status; of their settings, what decides
 * whether a lead is queued (no tags, fields and source).  Valid until the next call
 * or the next time that invalidations are accepted: use it at once.  The
 * schema must be in use (db_use_schema).
 */
extern const TargetList *targets_of_user(const char *user_id);

/* Fill a target from an SPI row: id, user_id, crm_type, settings. */
extern void target_from_row(uint64 row, Target *target);

#endif							/* ECHOSYNC_TARGETS_H */
