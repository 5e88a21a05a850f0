/*
 * limits_test.c
 *		limits.c against a CRM that counts exactly: no stretch of one window may
 *		hold more calls than allowed, and little of the budget may be left unused.
 *		Prints TAP; run by run_pure.sh.
 */
#include <stdio.h>
#include <stdlib.h>

#include "worker/limits.h"

#define SECOND INT64_C(1000000)
#define START (INT64_C(817000000) * SECOND)
#define MAX_CALLS 100000

static int	n_tests = 0;
static int	n_failed = 0;
static int64_t made[MAX_CALLS];

static void
check(bool ok, const char *what)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", ++n_tests, what);
	n_failed += !ok;
}

/* The most calls that a stretch of this length holds. */
static int
densest(int n, int64_t window)
{
	int			most = 0;
	int			first = 0;

	for (int i = 0; i < n; i++)
	{
		while (made[i] - made[first] >= window)
			first++;
		if (i - first + 1 > most)
			most = i - first + 1;
	}
	return most;
}

/*
 * A caller that calls whenever it may, with pauses now and then, for 50 windows.
 * Returns the number of calls.
 */
static int
call_greedily(Limiter *limiter, bool with_pauses)
{
	int64_t		now = START;
	int			n = 0;

	while (now < START + 50 * limiter->window_us && n < MAX_CALLS)
	{
		int64_t		when = limiter_next(limiter, now);

		if (when > now)
		{
			now = when;
			continue;
		}
		limiter_sent(limiter, now, now + SECOND);
		limiter_ended(limiter, true);
		made[n++] = now;
		now += rand() % 20000;
		if (with_pauses && rand() % 17 == 0)
			now += rand() % limiter->window_us;
	}
	return n;
}

static void
test_window(int limit, int64_t window_us)
{
	char		what[100];
	Limiter		limiter;
	int			n;

	for (int with_pauses = 0; with_pauses <= 1; with_pauses++)
	{
		limiter_init(&limiter, limit, window_us);
		n = call_greedily(&limiter, with_pauses);
		snprintf(what, sizeof(what), "%d calls in %d s%s: never more, with 4 %% to spare",
				 limit, (int) (window_us / SECOND), with_pauses ? ", with pauses" : "");
		check(densest(n, window_us + window_us / 25) <= limit, what);
		if (with_pauses)
			continue;
		snprintf(what, sizeof(what), "... and nine tenths of them are used (%d)", n);
		check(n >= limit * 50 * 9 / 10, what);
	}
}

static void
test_room(void)
{
	Limiter		limiter;

	limiter_init(&limiter, 10, 60 * SECOND);
	check(limiter_room(&limiter, START) == 10, "all are free at first");
	for (int i = 0; i < 10; i++)
		limiter_sent(&limiter, START, START + SECOND);
	check(limiter_room(&limiter, START) == 0, "none when all were made");
	check(limiter_room(&limiter, START + 62 * SECOND) == 0, "nor just after a window");
	check(limiter_next(&limiter, START) >= START + 63 * SECOND &&
		  limiter_next(&limiter, START) <= START + 65 * SECOND, "the next is after 1.05 windows or little more");
	check(limiter_room(&limiter, limiter_next(&limiter, START)) == 10, "and then all are free again");
	for (int i = 0; i < 10; i++)
		limiter_sent(&limiter, START + 100 * SECOND, START + 101 * SECOND);
	check(limiter_next(&limiter, START + 95 * SECOND) >= START + 163 * SECOND,
		  "who is behind by seconds waits as long as the others");
	check(limiter_next(&limiter, START - 3600 * SECOND) <= START - 3600 * SECOND + 65 * SECOND,
		  "a clock that was set back by an hour costs a window, not an hour");
}

static void
test_told(void)
{
	Limiter		limiter;

	limiter_init(&limiter, 10, 60 * SECOND);
	limiter_sent(&limiter, START, START + SECOND);
	limiter_told(&limiter, 20, 15, -1, START);
	check(limiter_room(&limiter, START) == 15, "what others have used is counted");
	limiter_told(&limiter, -1, 18, -1, START);
	check(limiter_room(&limiter, START) == 15, "an answer that is older than our calls frees nothing");
	limiter_told(&limiter, 20, 0, 5 * SECOND, START);
	check(limiter_next(&limiter, START) >= START + 6 * SECOND, "nothing left: wait for what the CRM says");
	check(!limiter_is_idle(&limiter, START) && limiter_is_idle(&limiter, START + 3600 * SECOND),
		  "it is idle when there is nothing left to remember");
	limiter_told(&limiter, 1000000, 999999, -1, START);
	check(limiter_room(&limiter, START + 10 * SECOND) > 1000, "a limit beyond counting is none");
	for (int i = 0; i < 24; i++)
		limiter_sent(&limiter, START + 100 * SECOND, START + 101 * SECOND);
	limiter_told(&limiter, 40, 39, -1, START + 100 * SECOND);
	check(limiter_room(&limiter, START + 100 * SECOND) == 16, "but calls made under it count when there is one again");
}

static void
test_hearing(void)
{
	Limiter		limiter;

	limiter_init(&limiter, 10, 60 * SECOND);
	check(!limiter_must_hear(&limiter, START), "the first call may go");
	limiter_sent(&limiter, START, START + 30 * SECOND);
	check(limiter_must_hear(&limiter, START + SECOND), "the second waits for its answer");
	check(!limiter_must_hear(&limiter, START + 31 * SECOND), "but not for ever: whoever asked may have ended");
	limiter_ended(&limiter, true);
	limiter_sent(&limiter, START, START + 30 * SECOND);
	check(!limiter_must_hear(&limiter, START + SECOND), "once answered, no call waits for another");
}

/* Calls that were written later than they were counted are the later ones' equals. */
static void
test_written(void)
{
	Limiter		limiter;
	int64_t		late = START + 6 * SECOND / 10;

	limiter_init(&limiter, 10, 10 * SECOND);
	for (int i = 0; i < 10; i++)
		limiter_sent(&limiter, START, START + SECOND);
	for (int i = 0; i < 9; i++)
		limiter_written(&limiter, START, START + 1000, late);
	limiter_written(&limiter, START, late, late + 1000);
	check(limiter_room(&limiter, START + 9 * SECOND) == 0, "written late: no call is lost");
	check(limiter_next(&limiter, START + 9 * SECOND) > START + 10 * SECOND, "each counts for more than a window");
	check(limiter_room(&limiter, START + 11 * SECOND) == 9, "nor counted for longer, but the one");
	limiter_sent(&limiter, START + 11 * SECOND, START + 12 * SECOND);
	check(limiter_room(&limiter, late + 10 * SECOND) == 8, "the late one for a window from when it was written");
	limiter_written(&limiter, START, START + 30 * SECOND, START + 30 * SECOND);
	check(limiter_room(&limiter, START + 30 * SECOND) == 9, "one that is forgotten is counted when it was written");
}

int
main(void)
{
	srand(42);
	test_window(10, 60 * SECOND);
	test_window(125, 10 * SECOND);
	test_window(25, 10 * SECOND);
	test_window(1, 10 * SECOND);
	test_window(1000, 10 * SECOND);
	test_room();
	test_told();
	test_hearing();
	test_written();
	printf("1..%d\n", n_tests);
	return n_failed > 0;
}
