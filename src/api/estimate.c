/*
 * estimate.c
 *		How long leads take at the limits of a CRM: what it allows, by its own
 *		headers where it has told and by the settings until then, and the calls
 *		that a new lead needs.
 *
 * Known leads need fewer calls and unchanged ones none, so this is what it
 * takes at most as long as the CRM answers.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "api/estimate.h"
#include "api/identity.h"
#include "config/settings.h"
#include "worker/backlog.h"

PG_FUNCTION_INFO_V1(echosync_lead_seconds);

/* The worker keeps each window so much longer than the CRM's: limits.c. */
#define WINDOW_PADDING 1.05

void
estimate_lead(const CrmProvider *provider, const pg_uuid_t *integration, Estimate *estimate)
{
	CrmConnection crm = {.provider = provider};
	Backlog		known;

	estimate->window_ms = provider->limits[0].window_ms;
	if (backlog_read(integration, &known) && known.limit > 0)
		estimate->limit = known.limit;
	else if (provider->limits[0].limit != 0)
		estimate->limit = provider->limits[0].limit;
	else
	{
		provider->configure(&crm);
		estimate->limit = provider->starting_limit(&crm);
	}
	estimate->seconds = provider->calls_per_lead * (estimate->window_ms / 1000.0) * WINDOW_PADDING /
		estimate->limit;
}

char *
estimate_words(double seconds)
{
	if (seconds < 90)
		return psprintf("%.0f seconds", seconds);
	if (seconds < 90 * 60)
		return psprintf("%.0f minutes", seconds / 60);
	if (seconds < 36 * 3600)
		return psprintf("%.1f hours", seconds / 3600);
	return psprintf("%.1f days", seconds / 86400);
}

/*
 * Who may not see the connection is told what the settings say.  Null while
 * nothing is sent.
 */
Datum
echosync_lead_seconds(PG_FUNCTION_ARGS)
{
	pg_uuid_t	nobody = {{0}};
	pg_uuid_t  *id = PG_GETARG_UUID_P(0);
	const CrmProvider *provider = crm_provider_by_type(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	Estimate	estimate;

	if (provider == NULL || !echosync_enabled)
		PG_RETURN_NULL();
	if (!identity_may_see_connection(id, "monitor"))
		id = &nobody;
	estimate_lead(provider, id, &estimate);
	PG_RETURN_FLOAT8(estimate.seconds);
}
