/*
 * clock.h
 *		The time of a clock in seconds, for the programs of the bench.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <time.h>

static inline double
clock_seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

#endif							/* BENCH_CLOCK_H */
