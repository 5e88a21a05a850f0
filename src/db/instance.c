/*
 * instance.c
 *		Whether the rows belong to this database.
 *
 * Each claim asks, since a restore brings its stamp while a worker runs.  So
 * without a statement, which takes a tenth of the time from a commit to the
 * first request.
 *
 * That stamp says it of the whole database.  Rows may come without it, by logical
 * replication of some tables, or before it: so each credential carries the name
 * of the database that stored it as well.  Of these the claim sees what it reads.
 *
 * Not here: who stamps, and what a copy does (worker/main.c).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "db/instance.h"
#include "db/statement.h"

static Statement select_anothers = {
	.sql = "SELECT 1 FROM @schema@.crm_credentials c WHERE c.instance <> $1 LIMIT 1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

const char *
instance_name(void)
{
	return psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), MyDatabaseId);
}

bool
instance_is_ours(const char *name)
{
	return name == NULL || strcmp(name, instance_name()) == 0;
}

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

bool
instance_has_anothers_credentials(void)
{
	Datum		name = CStringGetTextDatum(instance_name());

	statement_execute(&select_anothers, &name, NULL, false, 1);
	return SPI_processed > 0;
}
