/*
 * clock.c
 *		The wall clock, and that somebody may set it.
 *
 * The worker's times are of the wall clock, since they are compared with those
 * in tables.  A clock that was ahead and is put right would make what waits in
 * memory wait for as long as it was ahead.  So each turn compares the wall clock
 * with the monotonic one, and moves the times in memory by what it was set.
 *
 * Times in tables and in shared memory cannot be moved so.  One that is further
 * ahead than its kind of wait may be long is of another clock: that wait is over.
 */
#include "postgres.h"

#include "portability/instr_time.h"

#include "worker/worker.h"

/* Less than this is drift, which hurts nobody. */
#define STEP_US INT64CONST(500000)

static TimeOffset
monotonic_us(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (TimeOffset) INSTR_TIME_GET_MICROSEC(now);
}

static TimeOffset step;

static void
shift_connection(Connection *connection)
{
	connection_shift_times(connection, step);
}

/* Take the time at the top of a turn. */
void
clock_turn(void)
{
	static TimeOffset last_offset = 0;
	TimestampTz now = GetCurrentTimestamp();
	TimeOffset	offset = now - monotonic_us();

	step = last_offset == 0 ? 0 : offset - last_offset;
	worker->now = now;
	if (last_offset != 0 && step < STEP_US && step > -STEP_US)
		return;
	if (last_offset != 0)
	{
		ereport(LOG,
				(errmsg("echosync: the clock was set by %.1f s; waits go on as they were",
						(double) step / 1000000)));
		connections_visit(shift_connection);
		housekeeping_shift_times(step);
	gaps_shift_times(step);
		count_shift_times(step);
		worker->dirty_retry_at += step;
		if (worker->leave_by != 0)
			worker->leave_by += step;
		worker->next_look = worker->next_tick = now;
	}
	last_offset = offset;
}

TimestampTz
clock_plausible(TimestampTz when, int64 max_ms)
{
	return when - worker->now > max_ms * 1000 ? 0 : when;
}
