/*
 * limits.c
 *		One rate-limit context of one connection: a sliding window of calls.
 *
 * Exact, not a token bucket: both CRMs count the calls of the last so many
 * seconds, and a bucket that fits such a window wastes half of it.  The window
 * is kept 5 % longer than the CRM's, since requests that we space out may
 * arrive closer together.
 */
#include "worker/limits.h"

#include <stdlib.h>
#include <string.h>

static int64_t
padded_window(const Limiter *limiter)
{
	return limiter->window_us + limiter->window_us / 20;
}

void
limiter_init(Limiter *limiter, int limit, int64_t window_us)
{
	memset(limiter, 0, sizeof(*limiter));
	limiter->limit = limit;
	limiter->window_us = window_us;
}

void
limiter_free(Limiter *limiter)
{
	free(limiter->sent);
	limiter->sent = NULL;
	limiter->capacity = limiter->n = limiter->next = 0;
}

/* Time of the i-th last call, i from 1. */
static int64_t
sent_at(const Limiter *limiter, int i)
{
	return limiter->sent[(limiter->next - i + limiter->capacity) % limiter->capacity];
}

int64_t
limiter_next(const Limiter *limiter, int64_t now)
{
	int64_t		when = limiter->blocked_until > now ? limiter->blocked_until : now;

	if (limiter->limit > LIMIT_COUNT_MAX || limiter->n < limiter->limit)
		return when;
	if (sent_at(limiter, limiter->limit) + padded_window(limiter) > when)
		when = sent_at(limiter, limiter->limit) + padded_window(limiter);
	return when;
}

int
limiter_room(const Limiter *limiter, int64_t now)
{
	int			used = 0;

	if (limiter->blocked_until > now)
		return 0;
	if (limiter->limit > LIMIT_COUNT_MAX)
		return LIMIT_COUNT_MAX;
	while (used < limiter->n && sent_at(limiter, used + 1) + padded_window(limiter) > now)
		used++;
	return limiter->limit > used ? limiter->limit - used : 0;
}

bool
limiter_must_hear(const Limiter *limiter)
{
	return limiter->asking && !limiter->heard;
}

void
limiter_asked(Limiter *limiter)
{
	limiter->asking = true;
}

void
limiter_ended(Limiter *limiter, bool answered)
{
	limiter->asking = false;
	limiter->heard |= answered;
}

/* Make room for `limit` times; without memory the limiter counts fewer calls. */
static void
ring_grow(Limiter *limiter)
{
	int			capacity = limiter->capacity ? limiter->capacity * 2 : 16;
	int64_t    *ring;

	if (capacity > limiter->limit)
		capacity = limiter->limit;
	if (capacity <= limiter->capacity)
		return;
	ring = malloc(sizeof(int64_t) * capacity);
	if (ring == NULL)
		return;
	for (int i = 0; i < limiter->n; i++)
		ring[i] = sent_at(limiter, limiter->n - i);
	free(limiter->sent);
	limiter->sent = ring;
	limiter->capacity = capacity;
	limiter->next = limiter->n % capacity;
}

void
limiter_sent(Limiter *limiter, int64_t now)
{
	if (limiter->limit > LIMIT_COUNT_MAX)
		return;
	if (limiter->n == limiter->capacity)
		ring_grow(limiter);
	if (limiter->capacity == 0)
	{
		limiter->blocked_until = now + limiter->window_us;
		return;
	}
	limiter->sent[limiter->next] = now;
	limiter->next = (limiter->next + 1) % limiter->capacity;
	if (limiter->n < limiter->capacity)
		limiter->n++;
}

void
limiter_told(Limiter *limiter, int limit, int remaining, int64_t reset_us, int64_t now)
{
	if (limit > 0)
	{
		limiter->limit = limit;
		limiter->told = true;
	}
	if (limiter->limit > limiter->capacity && limiter->n == limiter->capacity && limiter->n > 0)
		ring_grow(limiter);

	/*
	 * Fewer remain than we counted: somebody else uses the same budget, or we
	 * did before a restart.  Count the difference as calls made now.
	 */
	if (remaining >= 0 && limiter->limit <= LIMIT_COUNT_MAX)
	{
		int			missing = limiter_room(limiter, now) - remaining;

		while (missing-- > 0)
			limiter_sent(limiter, now);
	}

	/*
	 * Nothing remains although we counted fewer calls: somebody else uses the
	 * same budget.  Wait for the window's end, or a tenth of it if not told.
	 */
	if (remaining == 0)
	{
		/* Told in whole seconds, rounded who knows how: a second more. */
		int64_t		wait = reset_us >= 0 ? reset_us + 1000000 : limiter->window_us / 10;

		if (now + wait > limiter->blocked_until)
			limiter->blocked_until = now + wait;
	}
}

void
limiter_block(Limiter *limiter, int64_t until)
{
	if (until > limiter->blocked_until)
		limiter->blocked_until = until;
}
