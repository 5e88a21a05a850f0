/*
 * lead_object.c
 *		A row's lead as a JSON object, keyed by field.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "utils/fmgroids.h"

#include "db/lead_object.h"

/* to_jsonb(anyelement) asks its call for the argument's type. */
void
lead_value_prepare(FmgrInfo *to_jsonb, Oid type, MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	Param	   *argument = makeNode(Param);
	FuncExpr   *call;

	argument->paramkind = PARAM_EXTERN;
	argument->paramtype = type;
	argument->paramtypmod = -1;
	call = makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument), InvalidOid, InvalidOid,
						COERCE_EXPLICIT_CALL);
	fmgr_info_cxt(F_TO_JSONB, to_jsonb, context);
	fmgr_info_set_expr((Node *) call, to_jsonb);
	MemoryContextSwitchTo(caller);
}

bool
lead_value_is_sure(Oid type)
{
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
		case UUIDOID:
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case FLOAT4OID:
		case FLOAT8OID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case JSONBOID:
		case TEXTARRAYOID:
			return true;
		default:
			return false;
	}
}

static void
push_value(JsonbInState *object, JsonbIteratorToken token, Jsonb *value)
{
	JsonbValue	pushed;

	if (value == NULL)
		pushed.type = jbvNull;
	else if (!JB_ROOT_IS_SCALAR(value) || !JsonbExtractScalar(&value->root, &pushed))
	{
		pushed.type = jbvBinary;
		pushed.val.binary.data = &value->root;
		pushed.val.binary.len = VARSIZE(value) - VARHDRSZ;
	}
	pushJsonbValue(object, token, &pushed);
}

void
lead_object_add(JsonbInState *object, LeadField field, Jsonb **values, int n)
{
	JsonbValue	key;

	key.type = jbvString;
	key.val.string.val = unconstify(char *, lead_field_names[field]);
	key.val.string.len = strlen(lead_field_names[field]);
	pushJsonbValue(object, WJB_KEY, &key);
	if (n > 1)
		pushJsonbValue(object, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
		push_value(object, n > 1 ? WJB_ELEM : WJB_VALUE, values[i]);
	if (n > 1)
		pushJsonbValue(object, WJB_END_ARRAY, NULL);
}
