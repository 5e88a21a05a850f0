/*
 * schedule.c
 *		How long to wait: retries and probes.
 */
#include "worker/schedule.h"

#define RETRY_MAX_DOUBLINGS 20
#define PROBE_BASE_US INT64_C(1000000)
#define PROBE_MAX_US (INT64_C(300) * 1000000)

int64_t
schedule_retry_delay_us(int n, int base_ms, double random)
{
	int			doublings = n - 1 < RETRY_MAX_DOUBLINGS ? n - 1 : RETRY_MAX_DOUBLINGS;
	int64_t		delay = (int64_t) base_ms * 1000 << (doublings > 0 ? doublings : 0);

	return delay + (int64_t) (delay * random / 4);
}

int64_t
schedule_probe_delay_us(int n)
{
	int64_t		delay = PROBE_BASE_US;

	while (--n > 0 && delay < PROBE_MAX_US)
		delay *= 2;
	return delay < PROBE_MAX_US ? delay : PROBE_MAX_US;
}
