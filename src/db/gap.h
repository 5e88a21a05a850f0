/*
 * gap.h
 *		Leads that no trigger has captured: written by transactions that went on
 *		while a connection began to sync, and did not see it yet.
 */
#ifndef ECHOSYNC_GAP_H
#define ECHOSYNC_GAP_H

#include "utils/uuid.h"

/*
 * Note a gap of the connection that ends with this transaction: what is written by
 * transactions that go on now, or begin before it commits, is to be queued when
 * they have ended, as sync_type (auto, manual).  The worker does (gaps.c).
 */
extern void gap_note(const pg_uuid_t *integration, const char *sync_type);

#endif							/* ECHOSYNC_GAP_H */
