/*
 * limits.h
 *		One rate-limit context of one account: a sliding window of calls.
 *
 * Plain C without PostgreSQL state and without a clock: `now` is a parameter,
 * in microseconds of any epoch.  Plain data of a fixed size, so that it can be
 * in shared memory (budget.c); whoever shares it must lock it.
 */
#ifndef ECHOSYNC_LIMITS_H
#define ECHOSYNC_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* A limit above this is none: only the CRM's own headers steer then. */
#define LIMIT_COUNT_MAX 60000

/*
 * The window is counted in slices of a fortieth.  A call counts for the slice
 * in which it was made and the 42 that follow: 1.05 to 1.075 windows.
 */
#define LIMIT_SLICES 40
#define LIMIT_COUNTED_SLICES 43

/* The longest that a CRM's word may make us wait, with some room: 300 s. */
#define LIMIT_MAX_WAIT_US (INT64_C(310) * 1000000)

typedef struct Limiter
{
	int			limit;			/* calls in the window */
	bool		told;			/* the CRM has said so; else it is our guess */
	bool		heard;			/* the CRM has answered a call in this context */
	int64_t		window_us;
	int64_t		asked_until;	/* a call is under way, till then at most; 0: none */
	int64_t		blocked_until;	/* told by the CRM; 0: not */
	int64_t		newest;			/* the slice of calls[0]: its time / length */
	uint16_t	calls[LIMIT_COUNTED_SLICES];	/* by slice, newest first */
} Limiter;

extern void limiter_init(Limiter *limiter, int limit, int64_t window_us);

/* When may the next call be made?  now or earlier: at once. */
extern int64_t limiter_next(Limiter *limiter, int64_t now);

/* How many calls may be made at once, now? */
extern int	limiter_room(Limiter *limiter, int64_t now);

/*
 * Until the CRM has answered once, nobody knows what calls from before our start
 * have left: one call at a time.
 */
extern bool limiter_must_hear(const Limiter *limiter, int64_t now);

/* A call is made now, and will have ended by `until`. */
extern void limiter_sent(Limiter *limiter, int64_t now, int64_t until);

/*
 * One that was counted at `from` was not written before `written`: a connection
 * had to be made first, say.  The CRM counts it from then.
 */
extern void limiter_written(Limiter *limiter, int64_t from, int64_t written, int64_t now);

/* It has ended, answered or not. */
extern void limiter_ended(Limiter *limiter, bool answered);

/*
 * What the CRM said: its limit and what remains (-1: not said), and in how
 * many microseconds the window is over (-1: not said).
 */
extern void limiter_told(Limiter *limiter, int limit, int remaining,
						 int64_t reset_us, int64_t now);

/* Nothing is counted, waited for or under way. */
extern bool limiter_is_idle(Limiter *limiter, int64_t now);

#endif							/* ECHOSYNC_LIMITS_H */
