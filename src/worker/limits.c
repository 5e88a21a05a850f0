/*
 * limits.c
 *		One rate-limit context of one account: a sliding window of calls.
 *
 * Not a token bucket: both CRMs count the calls of the last so many seconds,
 * and a bucket that fits such a window wastes half of it.  The window is at
 * least 5 % longer than the CRM's, since requests that we space out may arrive
 * closer together.
 */
#include "worker/limits.h"

#include <string.h>

/* No request takes longer: echosync.request_timeout is less. */
#define LIMIT_MAX_ASK_US (INT64_C(3600) * 1000000)

void
limiter_init(Limiter *limiter, int limit, int64_t window_us)
{
	memset(limiter, 0, sizeof(*limiter));
	limiter->limit = limit;
	limiter->window_us = window_us;
}

static int64_t
slice_us(const Limiter *limiter)
{
	return limiter->window_us / LIMIT_SLICES;
}

static int
calls_counted(const Limiter *limiter)
{
	int			n = 0;

	for (int i = 0; i < LIMIT_COUNTED_SLICES; i++)
		n += limiter->calls[i];
	return n;
}

/*
 * Let go of the slices that are over.  Who shares the limiter may be a little
 * behind.  Where the clock was set back, all that is counted is taken for just
 * made: that costs a window, not as long as the clock was ahead.
 */
static void
advance(Limiter *limiter, int64_t now)
{
	int64_t		slice = now / slice_us(limiter);
	int64_t		n = slice - limiter->newest;
	int			counted;

	if (n <= 0 && n > -LIMIT_COUNTED_SLICES)
		return;
	limiter->newest = slice;
	if (n < 0)
	{
		counted = calls_counted(limiter);
		memset(limiter->calls, 0, sizeof(limiter->calls));
		limiter->calls[0] = counted < LIMIT_COUNT_MAX ? counted : LIMIT_COUNT_MAX;
		return;
	}
	if (n > LIMIT_COUNTED_SLICES)
		n = LIMIT_COUNTED_SLICES;
	memmove(limiter->calls + n, limiter->calls,
			(LIMIT_COUNTED_SLICES - n) * sizeof(limiter->calls[0]));
	memset(limiter->calls, 0, n * sizeof(limiter->calls[0]));
}

/* Also where there is no limit now: the CRM's next answer may say one. */
static void
count_calls(Limiter *limiter, int n, int64_t now)
{
	advance(limiter, now);
	if (n > LIMIT_COUNT_MAX - limiter->calls[0])
		n = LIMIT_COUNT_MAX - limiter->calls[0];
	limiter->calls[0] += n;
}

/* A wait that is longer than one may be is of a clock that was set back since. */
static int64_t
blocked_until(Limiter *limiter, int64_t now)
{
	if (limiter->blocked_until > now + LIMIT_MAX_WAIT_US)
		limiter->blocked_until = 0;
	return limiter->blocked_until;
}

int64_t
limiter_next(Limiter *limiter, int64_t now)
{
	int64_t		when = blocked_until(limiter, now) > now ? limiter->blocked_until : now;
	int64_t		free_at;
	int			used;
	int			i = LIMIT_COUNTED_SLICES;

	if (limiter->limit > LIMIT_COUNT_MAX)
		return when;
	advance(limiter, now);
	used = calls_counted(limiter);
	while (used >= limiter->limit && i > 0)
		used -= limiter->calls[--i];
	if (i == LIMIT_COUNTED_SLICES)
		return when;
	free_at = (limiter->newest - i + LIMIT_COUNTED_SLICES) * slice_us(limiter);
	return free_at > when ? free_at : when;
}

int
limiter_room(Limiter *limiter, int64_t now)
{
	int			used;

	if (blocked_until(limiter, now) > now)
		return 0;
	if (limiter->limit > LIMIT_COUNT_MAX)
		return LIMIT_COUNT_MAX;
	advance(limiter, now);
	used = calls_counted(limiter);
	return limiter->limit > used ? limiter->limit - used : 0;
}

bool
limiter_must_hear(const Limiter *limiter, int64_t now)
{
	return limiter->asked_until > now && limiter->asked_until - now <= LIMIT_MAX_ASK_US && !limiter->heard;
}

void
limiter_sent(Limiter *limiter, int64_t now, int64_t until)
{
	count_calls(limiter, 1, now);
	limiter->asked_until = until;
}

/* The place in calls[] of a time, which may be past either end. */
static int64_t
place_of(const Limiter *limiter, int64_t when)
{
	return limiter->newest - when / slice_us(limiter);
}

void
limiter_written(Limiter *limiter, int64_t from, int64_t written, int64_t now)
{
	int64_t		old_place;
	int64_t		place;

	advance(limiter, now);
	old_place = place_of(limiter, from);
	place = place_of(limiter, written);
	if (place < 0)
		place = 0;
	if (place >= old_place || place >= LIMIT_COUNTED_SLICES ||
		limiter->calls[place] >= LIMIT_COUNT_MAX)
		return;
	if (old_place < LIMIT_COUNTED_SLICES && limiter->calls[old_place] > 0)
		limiter->calls[old_place]--;
	limiter->calls[place]++;
}

void
limiter_ended(Limiter *limiter, bool answered)
{
	limiter->asked_until = 0;
	limiter->heard |= answered;
}

void
limiter_told(Limiter *limiter, int limit, int remaining, int64_t reset_us, int64_t now)
{
	if (limit > 0)
	{
		limiter->limit = limit;
		limiter->told = true;
	}

	/*
	 * Fewer remain than we counted: somebody else uses the same budget, or we
	 * did before a restart.  Count the difference as calls made now.
	 */
	if (remaining >= 0 && limiter->limit <= LIMIT_COUNT_MAX)
	{
		int			missing = limiter_room(limiter, now) - remaining;

		if (missing > 0)
			count_calls(limiter, missing, now);
	}

	/*
	 * Nothing remains although we counted fewer calls: somebody else uses the
	 * same budget.  Wait for the window's end, or a tenth of it if not told.
	 */
	if (remaining == 0)
	{
		/* Told in whole seconds, rounded who knows how: a second more. */
		int64_t		wait = reset_us >= 0 ? reset_us + 1000000 : limiter->window_us / 10;

		if (wait > LIMIT_MAX_WAIT_US)
			wait = LIMIT_MAX_WAIT_US;
		if (now + wait > limiter->blocked_until)
			limiter->blocked_until = now + wait;
	}
}

bool
limiter_is_idle(Limiter *limiter, int64_t now)
{
	if (blocked_until(limiter, now) > now || limiter->asked_until > now)
		return false;
	if (limiter->window_us == 0)
		return true;
	advance(limiter, now);
	return calls_counted(limiter) == 0;
}
