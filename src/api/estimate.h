/*
 * estimate.h
 *		How long leads take at the limits of a CRM.
 */
#ifndef ECHOSYNC_ESTIMATE_H
#define ECHOSYNC_ESTIMATE_H

#include "utils/uuid.h"

#include "crm/crm.h"

typedef struct Estimate
{
	int			limit;			/* calls that the CRM allows ... */
	int			window_ms;		/* ... in this time */
	double		seconds;		/* for one new lead with phone and e-mail */
} Estimate;

extern void estimate_lead(const CrmProvider *provider, const pg_uuid_t *integration,
						  Estimate *estimate);

/* "20 seconds", "5 minutes", "3.5 hours", "2.1 days" */
extern char *estimate_words(double seconds);

#endif							/* ECHOSYNC_ESTIMATE_H */
