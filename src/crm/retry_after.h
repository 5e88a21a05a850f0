/*
 * retry_after.h
 *		The Retry-After header.  Plain C, so that it can be tested alone.
 */
#ifndef ECHOSYNC_RETRY_AFTER_H
#define ECHOSYNC_RETRY_AFTER_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_AFTER_MAX_MS 300000

/*
 * Milliseconds from now to what the header says: seconds, or an HTTP date in
 * any of its three forms.  A date in the past is 0.  -1 when the value is
 * absent or unreadable; never more than RETRY_AFTER_MAX_MS.
 */
extern int	retry_after_ms(const char *value, int64_t now_unix);

/* An HTTP date as seconds since 1970; false when absent or unreadable. */
extern bool http_date_read(const char *value, int64_t now_unix, int64_t *unix_time);

#endif							/* ECHOSYNC_RETRY_AFTER_H */
