/*
 * gap.h
 *		Leads that no trigger has captured: written by transactions that went on
 *		while a connection began to sync, and did not see it yet.
 */
#ifndef ECHOSYNC_GAP_H
#define ECHOSYNC_GAP_H

#include "access/transam.h"
#include "utils/uuid.h"

/* A transaction id with its epoch: one that was drawn in the last two thousand million. */
static inline uint64
gap_full_xid(FullTransactionId next, TransactionId xid)
{
	return U64FromFullTransactionId(next) - (uint32) (XidFromFullTransactionId(next) - xid);
}

/*
 * Note a gap of the connection that ends with this transaction: what is written by
 * transactions that go on now, or begin before it commits, is to be queued when
 * they have ended, as sync_type (auto, manual).  The worker does (gaps.c).  The caller is
 * connected to SPI; rights are its care.
 */
extern void gap_note(const pg_uuid_t *integration, const char *sync_type);

#endif							/* ECHOSYNC_GAP_H */
