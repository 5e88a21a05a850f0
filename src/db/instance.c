/*
 * instance.c
 *		Whether the rows belong to this database.
 *
 * Each claim asks, since a restore brings its stamp while a worker runs.  So
 * without a statement, which takes a tenth of the time from a commit to the
 * first request.
 *
 * Not here: who stamps, and what a copy does (worker/main.c).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "db/instance.h"
#include "db/statement.h"

static bool
is_ours(HeapTuple stamp, TupleDesc columns)
{
	bool		isnull;
	Datum		system = heap_getattr(stamp, SPI_fnumber(columns, "system_identifier"), columns, &isnull);
	Datum		database = heap_getattr(stamp, SPI_fnumber(columns, "database_oid"), columns, &isnull);

	return (uint64) DatumGetInt64(system) == GetSystemIdentifier() &&
		DatumGetObjectId(database) == MyDatabaseId;
}

bool
instance_is_anothers(void)
{
	Relation	rel = db_table_open("crm_instance", AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, GetActiveSnapshot(), 0, NULL);
	HeapTuple	stamp;
	bool		anothers = false;

	while (!anothers && HeapTupleIsValid(stamp = systable_getnext(scan)))
		anothers = !is_ours(stamp, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return anothers;
}
