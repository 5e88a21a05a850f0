/*
 * verdict.c
 *		What becomes of a lead whose session has ended: who waits, who pays, and
 *		what is still in doubt.
 *
 * Questions only: what is answered here is written down by results.c.
 */
#include "postgres.h"

#include "common/pg_prng.h"

#include "config/settings.h"
#include "worker/schedule.h"
#include "worker/worker.h"

/*
 * Unreachable for one lead alone, so often, in sessions that were answered until
 * then: it is the lead.
 */
#define MAX_OWN_OUTAGES 3
/* ... and it pays with tries from here on. */
#define MAX_FREE_OUTAGES 2
/* Waits that are no tries come to an end after this. */
#define MAX_FREE_WAITS_US (INT64CONST(24) * 3600 * 1000000)

/* A single one is no longer than this. */
#define MAX_FREE_WAIT_MS (10 * 60 * 1000)

bool
verdict_is_outage(const CrmOutcome *outcome)
{
	int			status = outcome->http_status;

	return outcome->error_class == CRM_ERROR_CONNECTION ||
		(outcome->error_class == CRM_ERROR_UNCERTAIN &&
		 (status == 0 || status == 408 || (status >= 502 && status <= 504)));
}

/*
 * The CRM cannot be reached, or so it looks: is it this lead alone?  It is if
 * another was brought to its end since this one met the same, or if the CRM
 * answers its other requests again and again.
 */
static bool
outage_is_its_own(const Job *job)
{
	return job->outage_at != 0 &&
		(job->connection->reached_at > job->outage_at ||
		 (job->has_answer && job->n_outages >= MAX_OWN_OUTAGES));
}

/*
 * A create was sent, and its fate is not known.  The second time, when the
 * search has answered that the first did not arrive, it is a try.
 */
static bool
doubt_is_a_try(const Job *job)
{
	return !verdict_is_outage(&job->session.outcome) || outage_is_its_own(job) ||
		(job->session.uncertain && job->session.searched);
}

/*
 * A lead that the CRM does not answer while it answers others waits, each time
 * longer, before it pays: a CRM in trouble may hit any of them.
 */
static bool
outage_is_free(const Job *job)
{
	return job->n_outages <= MAX_FREE_OUTAGES;
}

/* One more try, if there is any. */
static Verdict
another_try(const Job *job)
{
	return job->attempts + 1 > echosync_max_retries ? VERDICT_DEAD : VERDICT_RETRY;
}

/* A wait that is no try, but not for ever. */
static Verdict
another_wait(const Job *job)
{
	return job->waiting_since != 0 && worker->now - job->waiting_since > MAX_FREE_WAITS_US ?
		VERDICT_DEAD : VERDICT_WAIT;
}

Verdict
verdict_of(const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;

	if (outcome->status == CRM_STATUS_SUCCESS && job->session.resolve_only)
		return VERDICT_AGAIN;
	if (outcome->status != CRM_STATUS_FAILED)
		return VERDICT_DONE;
	switch (outcome->error_class)
	{
		case CRM_ERROR_LEAD_FINAL:
			return VERDICT_DEAD;
		case CRM_ERROR_UNCERTAIN:
			return doubt_is_a_try(job) ? another_try(job) : another_wait(job);
		case CRM_ERROR_LEAD_RETRY:
			return outcome->retry_after_ms > 0 ? another_wait(job) : another_try(job);
		case CRM_ERROR_CONNECTION:
			if (!outage_is_its_own(job))
				return VERDICT_PROBE;
			return outage_is_free(job) ? another_wait(job) : another_try(job);
		case CRM_ERROR_CREDENTIAL:
		case CRM_ERROR_RATE_LIMIT:
			return VERDICT_RELEASE;
		case CRM_ERROR_NONE:
			break;
	}
	return VERDICT_DEAD;
}

/* Does the job wait for the connection's next probe, rather than for a time of its own? */
bool
verdict_holds_connection(const Job *job)
{
	return verdict_is_outage(&job->session.outcome) &&
		(job->verdict == VERDICT_PROBE || (job->verdict == VERDICT_WAIT && !outage_is_its_own(job)));
}

TimestampTz
verdict_due(const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;

	if (outcome->error_class == CRM_ERROR_UNCERTAIN)
		return TimestampTzPlusMilliseconds(worker->now, echosync_uncertain_wait);
	if (job->verdict == VERDICT_WAIT && outcome->error_class == CRM_ERROR_CONNECTION)
		return worker->now + schedule_probe_delay_us(job->n_outages);
	if (job->verdict == VERDICT_WAIT)
		return TimestampTzPlusMilliseconds(worker->now, Min(outcome->retry_after_ms, MAX_FREE_WAIT_MS));
	return worker->now + schedule_retry_delay_us(job->attempts + 1, echosync_retry_base_delay,
												 pg_prng_double(&pg_global_prng_state));
}

/* Was something done, or tried, that the log has and echosync_status counts? */
bool
verdict_is_counted(const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;

	return outcome->status != CRM_STATUS_SKIPPED && job->verdict != VERDICT_RELEASE &&
		job->verdict != VERDICT_PROBE &&
		(job->verdict != VERDICT_AGAIN || outcome->write != CRM_WRITE_NONE);
}

/*
 * Is a create (or a note) of this lead still in doubt?  It is if the request
 * was, or if an earlier doubt was not settled by this session.  Only a search
 * that has answered settles one.
 */
bool
verdict_in_doubt(const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;

	if (outcome->status == CRM_STATUS_SUCCESS)
		return job->ended_here && job->session.uncertain && !job->session.searched;
	if (outcome->status == CRM_STATUS_SKIPPED)
		return job->session.uncertain && !job->session.searched &&
			outcome->reason != REFUSAL_UNCHANGED;
	return outcome->error_class == CRM_ERROR_UNCERTAIN || job->session.uncertain;
}
