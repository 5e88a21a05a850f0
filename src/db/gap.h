/*
 * gap.h
 *		Leads that no trigger has captured: written by transactions that went on
 *		while a connection began to sync, and did not see it yet.
 */
#ifndef ECHOSYNC_GAP_H
#define ECHOSYNC_GAP_H

#include "access/transam.h"
#include "utils/uuid.h"

/* The transactions that may not have seen a connection. */
typedef struct GapSpan
{
	bool		manual;			/* sync_type, else auto */
	uint64		first;			/* ids with their epochs */
	uint64		next;
	uint64		end;			/* drawn since its commit: these see the connection */
	uint64	   *running;		/* of those before next; NULL: any */
	int			n_running;
} GapSpan;

/* A transaction id with its epoch: one that was drawn in the last two thousand million. */
static inline uint64
gap_full_xid(FullTransactionId next, TransactionId xid)
{
	return U64FromFullTransactionId(next) - (uint32) (XidFromFullTransactionId(next) - xid);
}

/*
 * Fill a span from an SPI row, of which sync_type, first_xid, next_xid, running_xids
 * and end_xid begin at this column.  Where end_xid is null the end is now: the row's
 * transaction has committed.  Memory is the current context's.
 */
extern void gap_span_from_row(GapSpan *span, uint64 row, int column);

/* May a row of this xmin be by one of them?  next is ReadNextFullTransactionId(). */
extern bool gap_has(const GapSpan *span, TransactionId xmin, FullTransactionId next);

/*
 * Note a gap of the connection that ends with this transaction: what is written by
 * transactions that go on now, or begin before it commits, is to be queued when
 * they have ended, as sync_type (auto, manual).  The worker does (gaps.c).  The caller is
 * connected to SPI; rights are its care.
 */
extern void gap_note(const pg_uuid_t *integration, const char *sync_type);

#endif							/* ECHOSYNC_GAP_H */
