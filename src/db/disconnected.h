/*
 * disconnected.h
 *		Ending a connection, and cancelling what is left of one that has ended.
 */
#ifndef ECHOSYNC_DISCONNECTED_H
#define ECHOSYNC_DISCONNECTED_H

#include "utils/uuid.h"

/*
 * Cancel what is queued for a connection that is gone, with a row in the log for
 * each lead, and forget its dead letters and runs.  So many rows at once that
 * others need not wait for long: true if there are more.  Does nothing where the
 * connection is there.
 */
extern bool disconnected_cancel(const pg_uuid_t *id);

#endif							/* ECHOSYNC_DISCONNECTED_H */
