/*
 * pg_compat.h
 *		What differs between the versions of PostgreSQL that echosync is built on.
 *
 * The C files are written for the newest of them; this header lends its words
 * to the older ones, and is the only place that asks for a version's number.
 * Where a word cannot be lent, because the arguments are others, there is a
 * function here whose name begins with compat_.
 *
 * Include it after PostgreSQL's own headers.
 */
#ifndef ECHOSYNC_PG_COMPAT_H
#define ECHOSYNC_PG_COMPAT_H

#include "access/genam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_proc.h"
#include "common/base64.h"
#include "executor/executor.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#include "utils/acl.h"
#include "utils/guc_tables.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000
#error "echosync needs PostgreSQL 15 or later"
#endif

/* 16: one function for the rights to objects of all classes. */
#if PG_VERSION_NUM < 160000
static inline bool
object_ownercheck(Oid classid, Oid objectid, Oid roleid)
{
	if (classid == DatabaseRelationId)
		return pg_database_ownercheck(objectid, roleid);
	Assert(classid == RelationRelationId);
	return pg_class_ownercheck(objectid, roleid);
}

static inline AclResult
object_aclcheck(Oid classid, Oid objectid, Oid roleid, AclMode mode)
{
	Assert(classid == ProcedureRelationId);
	return pg_proc_aclcheck(objectid, roleid, mode);
}
#endif

/* 16: the list of settings is made for who asks. */
static inline struct config_generic **
compat_settings(int *n)
{
#if PG_VERSION_NUM >= 160000
	return get_guc_variables(n);
#else
	*n = GetNumConfigOptions();
	return get_guc_variables();
#endif
}

/* 19: what a setting is besides its name is not in a type of its own. */
static inline const char *
compat_string_setting(struct config_generic *setting)
{
#if PG_VERSION_NUM >= 190000
	return *setting->_string.variable;
#else
	return *((struct config_string *) setting)->variable;
#endif
}

/* 17: a set of wait events belongs to a resource owner; NULL: to the process. */
#if PG_VERSION_NUM < 170000
#define CreateWaitEventSet(owner, nevents) \
	((CreateWaitEventSet) (TopMemoryContext, (nevents)))
#endif

/* 17: waits of extensions have names, which each process looks up once. */
static inline uint32
compat_wait_event(uint32 *cached, const char *name)
{
#if PG_VERSION_NUM >= 170000
	if (*cached == 0)
		*cached = WaitEventExtensionNew(name);
	return *cached;
#else
	return PG_WAIT_EXTENSION;
#endif
}

/* 17: a hash table in shared memory is told how to copy its keys. */
#if PG_VERSION_NUM >= 170000
#define COMPAT_DSHASH_COPY .copy_function = dshash_memcpy,
#else
#define COMPAT_DSHASH_COPY
#endif

/* 18: said before a declaration, not behind it. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* 18: a deferrable primary key may be asked for. */
#if PG_VERSION_NUM < 180000
#define compat_primary_key(rel) RelationGetPrimaryKeyIndex(rel)
#else
#define compat_primary_key(rel) RelationGetPrimaryKeyIndex((rel), false)
#endif

/* 18: the bytes of Base64 are uint8, its text is char. */
#if PG_VERSION_NUM < 180000
#define pg_b64_encode(bytes, len, text, size) \
	((pg_b64_encode) ((const char *) (bytes), (len), (text), (size)))
#define pg_b64_decode(text, len, bytes, size) \
	((pg_b64_decode) ((text), (len), (char *) (bytes), (size)))
#endif

/* 17: or a stronger one. */
#if PG_VERSION_NUM >= 170000
#define compat_lock_held_by_me(tag, mode) LockHeldByMe((tag), (mode), true)
#else
#define compat_lock_held_by_me(tag, mode) LockHeldByMe((tag), (mode))
#endif

/* 18: generated columns that are not stored; before, no column is. */
#ifndef ATTRIBUTE_GENERATED_VIRTUAL
#define ATTRIBUTE_GENERATED_VIRTUAL 'v'
#endif

/* 19: what has been pushed is in a state that knows its result. */
#if PG_VERSION_NUM < 190000
typedef struct JsonbInState
{
	JsonbValue *result;
	JsonbParseState *stack;
} JsonbInState;

#define pushJsonbValue(state, token, value) \
	((void) ((state)->result = (pushJsonbValue) (&(state)->stack, (token), (value))))
#endif

/* The index entries of a row that is new, without conflicts to look for. */
static inline void
compat_insert_index_entries(ResultRelInfo *result, TupleTableSlot *slot, EState *estate)
{
#if PG_VERSION_NUM >= 190000
	(void) ExecInsertIndexTuples(result, estate, 0, slot, NIL, NULL);
#elif PG_VERSION_NUM >= 160000
	(void) ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, false);
#else
	(void) ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL);
#endif
}

/* A scan of an index, without a key yet. */
static inline IndexScanDesc
compat_index_beginscan(Relation rel, Relation index, Snapshot snapshot, int n_keys)
{
#if PG_VERSION_NUM >= 190000
	return index_beginscan(rel, index, snapshot, NULL, n_keys, 0, 0);
#elif PG_VERSION_NUM >= 180000
	return index_beginscan(rel, index, snapshot, NULL, n_keys, 0);
#else
	return index_beginscan(rel, index, snapshot, n_keys, 0);
#endif
}

/* 19: no table in shared memory grows. */
static inline HTAB *
compat_shmem_hash(const char *name, int size, HASHCTL *control)
{
#if PG_VERSION_NUM >= 190000
	return ShmemInitHash(name, size, control, HASH_ELEM | HASH_BLOBS);
#else
	return ShmemInitHash(name, size, size, control, HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
#endif
}

/* Delete a row, unless somebody else is at it. */
static inline TM_Result
compat_table_delete_no_wait(Relation rel, ItemPointer place, Snapshot snapshot)
{
	TM_FailureData failure;

#if PG_VERSION_NUM >= 190000
	return table_tuple_delete(rel, place, GetCurrentCommandId(true), 0, snapshot, InvalidSnapshot, false,
							  &failure);
#else
	return table_tuple_delete(rel, place, GetCurrentCommandId(true), snapshot, InvalidSnapshot, false,
							  &failure, false);
#endif
}

/* 16: which part of the text is no time. */
#if PG_VERSION_NUM >= 160000
#define compat_decode_date_time(...) DecodeDateTime(__VA_ARGS__, &(DateTimeErrorExtra) {0})
#else
#define compat_decode_date_time DecodeDateTime
#endif

#endif							/* ECHOSYNC_PG_COMPAT_H */
