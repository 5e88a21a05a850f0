/*
 * budget.h
 *		What an account at a CRM may be asked: its rate limits, and the waits that
 *		it was told, shared by every worker that calls for it.
 *
 * Two users of one team's account, or one key in two databases, are two
 * connections and one budget.
 */
#ifndef ECHOSYNC_BUDGET_H
#define ECHOSYNC_BUDGET_H

#include "utils/timestamp.h"

#include "crm/crm.h"

#define BUDGET_MAX_LIMITS 6

typedef struct Budget Budget;

extern void budget_attach(void);	/* a worker's start */
extern void budget_sweep(TimestampTz now);	/* forget those that nobody needs */

/*
 * The budget of this connection's account, to be closed by budget_close, in a
 * before_shmem_exit callback at the latest.  `account` is crm_account, or NULL.
 * `former` is what the connection had until now, or NULL: it is given back, or
 * closed if it is another's.
 */
extern Budget *budget_open(Budget *former, const CrmConnection *connection,
						   const char *account);
extern void budget_close(Budget *budget);

/* Limits that are a setting's: in force until the CRM says otherwise. */
extern void budget_configure(Budget *budget, const CrmConnection *connection);

/* When may the next call be made?  now: at once. */
extern TimestampTz budget_next(Budget *budget, int limit_context, TimestampTz now);
extern int	budget_room(Budget *budget, int limit_context, TimestampTz now);
extern bool budget_must_hear(Budget *budget, int limit_context, TimestampTz now);
extern bool budget_heard(Budget *budget);	/* has the CRM answered any call? */

/*
 * Count a call that is made now, and will have ended by `until`; false, and
 * nothing is counted, where none is left: workers look and take at once.
 */
extern bool budget_take(Budget *budget, int limit_context, bool must_hear, TimestampTz now,
						TimestampTz until);

/* It was written later; it has ended. */
extern void budget_written(Budget *budget, int limit_context, TimestampTz sent_at,
						   TimestampTz written_at, TimestampTz now);
extern void budget_ended(Budget *budget, int limit_context, bool answered);
extern int	budget_told_limit(Budget *budget);	/* of the first context, by the CRM; 0: not told */
extern void budget_told(Budget *budget, const CrmLimitHint *hint, TimestampTz now);

/* No calls until then, in no context; and what was said last (0: nothing). */
extern void budget_hold(Budget *budget, TimestampTz until);
extern TimestampTz budget_held_until(Budget *budget, TimestampTz now);

/* Until when the CRM has refused calls of the first context, or said that none are left. */
extern TimestampTz budget_blocked_until(Budget *budget, TimestampTz now);

#endif							/* ECHOSYNC_BUDGET_H */
