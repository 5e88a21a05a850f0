/*
 * schedule.h
 *		How long to wait: retries and probes.
 *
 * Plain C without PostgreSQL state.
 */
#ifndef ECHOSYNC_SCHEDULE_H
#define ECHOSYNC_SCHEDULE_H

#include <stdint.h>

/*
 * Wait before retry number n (from 1): base, doubled with each, and up to a
 * quarter more by chance (random in [0, 1)), so that leads that failed
 * together are not tried together.
 */
extern int64_t schedule_retry_delay_us(int n, int base_ms, double random);

/* Wait before probing an unreachable CRM again, after n failures: 1 s ... 5 min. */
extern int64_t schedule_probe_delay_us(int n);

#endif							/* ECHOSYNC_SCHEDULE_H */
