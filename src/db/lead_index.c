/*
 * lead_index.c
 *		Indexes of an attached table.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_am_d.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

#include "db/lead_index.h"

static bool
index_begins_with(Relation index, AttrNumber first, AttrNumber second)
{
	Form_pg_index form = index->rd_index;
	Oid			method = index->rd_rel->relam;

	if (!form->indisvalid || RelationGetIndexPredicate(index) != NIL ||
		(method != BTREE_AM_OID && method != HASH_AM_OID) || form->indkey.values[0] != first)
		return false;
	return second == InvalidAttrNumber ||
		(form->indnkeyatts > 1 && form->indkey.values[1] == second);
}

bool
lead_index_begins_with(Relation rel, AttrNumber first, AttrNumber second)
{
	bool		found = false;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		found |= index_begins_with(index, first, second);
		index_close(index, NoLock);
	}
	return found;
}
