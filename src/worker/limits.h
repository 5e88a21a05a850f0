/*
 * limits.h
 *		One rate-limit context of one connection: a sliding window of calls.
 *
 * Plain C without PostgreSQL state and without a clock: `now` is a parameter,
 * in microseconds of any epoch.
 */
#ifndef ECHOSYNC_LIMITS_H
#define ECHOSYNC_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* A limit above this is not counted: only the CRM's own headers steer then. */
#define LIMIT_COUNT_MAX 2048

typedef struct Limiter
{
	int			limit;			/* calls in the window */
	bool		told;			/* the CRM has said so; else it is our guess */
	int64_t		window_us;
	int64_t    *sent;			/* ring of the last `capacity` times */
	int			capacity;
	int			next;			/* where the next time goes */
	int			n;				/* how many times are in the ring */
	int64_t		blocked_until;	/* told by the CRM; 0: not */
	bool		asking;			/* a call is under way */
	bool		heard;			/* the CRM has answered a call in this context */
} Limiter;

extern void limiter_init(Limiter *limiter, int limit, int64_t window_us);
extern void limiter_free(Limiter *limiter);

/* When may the next call be made?  now or earlier: at once. */
extern int64_t limiter_next(const Limiter *limiter, int64_t now);

/* How many calls may be made at once, now? */
extern int	limiter_room(const Limiter *limiter, int64_t now);

/*
 * Until the CRM has answered once, nobody knows what calls from before our start
 * have left: one call at a time.
 */
extern bool limiter_must_hear(const Limiter *limiter);

/* A call is under way; it has ended, answered or not. */
extern void limiter_asked(Limiter *limiter);
extern void limiter_ended(Limiter *limiter, bool answered);

/* A call is made now. */
extern void limiter_sent(Limiter *limiter, int64_t now);

/*
 * What the CRM said: its limit and what remains (-1: not said), and in how
 * many microseconds the window is over (-1: not said).
 */
extern void limiter_told(Limiter *limiter, int limit, int remaining,
						 int64_t reset_us, int64_t now);

/* The CRM refused (429): nothing until then. */
extern void limiter_block(Limiter *limiter, int64_t until);

#endif							/* ECHOSYNC_LIMITS_H */
