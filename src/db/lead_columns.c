/*
 * lead_columns.c
 *		Which columns of an application's table are which fields of a lead:
 *		recognition, and the stored mapping.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "db/lead_columns.h"
#include "crm/json.h"

#define USUAL_NAMES_MAX 32

/*
 * Usual names, best first, without regard to case and to what divides words.  All that
 * match are taken together where a field may have several columns: one opt-out is
 * enough, and the first phone number and e-mail that can be used count.  New names
 * go behind those of 1.0 (lead_columns_guess_named).
 */
static const char *const usual_names[LEAD_FIELD_COUNT][USUAL_NAMES_MAX] = {
	[LEAD_FIELD_ID] = {"id", "leadid", "uuid"},
	[LEAD_FIELD_USER_ID] = {"userid", "ownerid", "agentid", "accountid", "tenantid", "createdby"},
	[LEAD_FIELD_PHONE] = {"phone", "phonenumber", "mobile", "mobilephone", "cell", "cellphone", "telephone", "phone1",
		"primaryphone", "mainphone", "mobilenumber", "cellnumber", "phonenumber1", "tel", "mobile1", "phone2", "phonenumber2", "mobile2",
		"phone3", "phonenumber3", "mobile3", "phone4", "phone5", "homephone", "workphone", "secondaryphone",
		"alternatephone", "altphone", "otherphone"},
	[LEAD_FIELD_FIRST_NAME] = {"firstname", "givenname", "fname"},
	[LEAD_FIELD_LAST_NAME] = {"lastname", "surname", "familyname", "lname"},
	[LEAD_FIELD_EMAIL] = {"email", "emailaddress", "mail", "primaryemail", "email1", "emailaddress1", "email2", "emailaddress2",
		"email3", "emailaddress3", "personalemail", "homeemail", "workemail", "secondaryemail", "alternateemail", "altemail", "otheremail"},
	[LEAD_FIELD_ADDRESS] = {"address", "street", "streetaddress", "address1", "addressline1", "propertyaddress", "mailingaddress"},
	[LEAD_FIELD_CITY] = {"city", "town"},
	[LEAD_FIELD_STATE] = {"state", "statecode", "province"},
	[LEAD_FIELD_ZIP_CODE] = {"zipcode", "zip", "postalcode", "postcode"},
	[LEAD_FIELD_RISK_SCORE] = {"riskscore", "risk", "compliancescore"},
	[LEAD_FIELD_DO_NOT_CONTACT] = {"donotcontact", "donotcall", "dnc", "isdnc", "dncstatus", "dncregistered", "optedout", "optout", "unsubscribed"},
	[LEAD_FIELD_TAGS] = {"tags", "labels"},
	[LEAD_FIELD_NOTES] = {"notes", "note", "comments", "comment"},
	[LEAD_FIELD_SOURCE] = {"source", "leadsource"},
	[LEAD_FIELD_DELETED_AT] = {"deletedat", "deleted", "isdeleted", "removedat", "discardedat", "trashedat", "deletedon", "deletiondate", "datedeleted"},
	[LEAD_FIELD_NAME] = {"fullname", "name", "contactname", "leadname", "customername", "clientname"},
};

/* May it have a list of columns? */
static bool
field_is_list(LeadField field)
{
	return field == LEAD_FIELD_PHONE || field == LEAD_FIELD_EMAIL || field == LEAD_FIELD_DO_NOT_CONTACT ||
		field == LEAD_FIELD_MAY_CONTACT;
}

/* Can there be a value of the field in a column of the type?  "mobile boolean" is no phone number. */
static bool
type_can_hold(LeadField field, Oid type)
{
	Oid			base = getBaseType(type);
	char		category;
	bool		preferred;

	if (field == LEAD_FIELD_ID || field == LEAD_FIELD_USER_ID || field == LEAD_FIELD_DO_NOT_CONTACT ||
		field == LEAD_FIELD_MAY_CONTACT || field == LEAD_FIELD_DELETED_AT)
		return true;
	get_type_category_preferred(base, &category, &preferred);
	if (category == TYPCATEGORY_NUMERIC)
		return field == LEAD_FIELD_PHONE || field == LEAD_FIELD_ZIP_CODE || field == LEAD_FIELD_RISK_SCORE;
	return category == TYPCATEGORY_STRING || category == TYPCATEGORY_ENUM || category == TYPCATEGORY_ARRAY ||
		category == TYPCATEGORY_COMPOSITE || base == JSONOID || base == JSONBOID;
}

void
lead_column_plain_name(const char *name, char plain[NAMEDATALEN])
{
	int			n = 0;

	for (; *name != '\0' && n < NAMEDATALEN - 1; name++)
	{
		if (strchr("_ -.", *name) == NULL)
			plain[n++] = pg_ascii_tolower((unsigned char) *name);
	}
	plain[n] = '\0';
}

static void
columns_add(LeadColumns *columns, LeadField field, const char *name)
{
	if (columns->n[field] == LEAD_COLUMNS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d columns for \"%s\"", LEAD_COLUMNS_MAX,
						lead_field_names[field])));
	columns->names[field][columns->n[field]++] = pstrdup(name);
}

static bool
is_called(Form_pg_attribute att, const char *usual)
{
	char		plain[NAMEDATALEN];

	lead_column_plain_name(NameStr(att->attname), plain);
	return !att->attisdropped && strcmp(plain, usual) == 0;
}

static void
recognize_field(LeadColumns *columns, TupleDesc desc, LeadField field)
{
	int			max = field_is_list(field) ? LEAD_COLUMNS_MAX : 1;

	for (int u = 0; u < USUAL_NAMES_MAX && usual_names[field][u] != NULL; u++)
	{
		for (int a = 0; a < desc->natts; a++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, a);

			if (columns->n[field] < max && is_called(att, usual_names[field][u]) && type_can_hold(field, att->atttypid))
				columns_add(columns, field, NameStr(att->attname));
		}
	}
}

/* "state" is as often a step of some work: by itself it is no part of an address. */
static void
drop_lone_state(LeadColumns *columns)
{
	char		plain[NAMEDATALEN];

	if (columns->n[LEAD_FIELD_STATE] == 0 || columns->n[LEAD_FIELD_ADDRESS] > 0 ||
		columns->n[LEAD_FIELD_CITY] > 0 || columns->n[LEAD_FIELD_ZIP_CODE] > 0)
		return;
	lead_column_plain_name(columns->names[LEAD_FIELD_STATE][0], plain);
	if (strcmp(plain, "state") == 0)
		columns->n[LEAD_FIELD_STATE] = 0;
}

static void
check_column(Relation rel, const char *name)
{
	if (get_attnum(RelationGetRelid(rel), name) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						name, RelationGetRelationName(rel))));
}

/* One key of the caller's mapping: a name, a list of names, or null for none. */
static void
apply_mapping_value(LeadColumns *columns, Relation rel, LeadField field, JsonbValue *value)
{
	JsonbContainer *array = json_value_array(value);

	columns->n[field] = 0;
	if (value->type == jbvNull)
		return;
	if (value->type == jbvString)
	{
		char	   *name = pnstrdup(value->val.string.val, value->val.string.len);

		check_column(rel, name);
		columns_add(columns, field, name);
		return;
	}
	if (array == NULL || !field_is_list(field))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for \"%s\" in mapping", lead_field_names[field]),
				 errdetail("A mapping value is a column's name, null for none, or, for phone, email, do_not_contact and may_contact, a list of names.")));
	for (int i = 0; i < json_array_length(array); i++)
	{
		char	   *name = json_value_text(json_array_element(array, i));

		if (name == NULL)
			name = "";
		check_column(rel, name);
		columns_add(columns, field, name);
	}
}

static void
apply_mapping(LeadColumns *columns, Relation rel, Jsonb *mapping)
{
	JsonbIterator *it;
	JsonbValue	key;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(mapping))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("mapping is not a JSON object")));
	it = JsonbIteratorInit(&mapping->root);
	(void) JsonbIteratorNext(&it, &key, true);
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		int			field = lead_field_by_name(key.val.string.val, key.val.string.len);

		(void) JsonbIteratorNext(&it, &value, true);
		if (field < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized key \"%.*s\" in mapping",
							key.val.string.len, key.val.string.val),
					 errhint("Valid keys are: id, user_id, phone, first_name, last_name, email, address, city, state, zip_code, risk_score, do_not_contact, tags, notes, source, deleted_at, name, may_contact.")));
		apply_mapping_value(columns, rel, field, &value);
	}
}

static bool
has_name(const LeadColumns *columns, LeadField field, const char *name)
{
	for (int i = 0; i < columns->n[field]; i++)
	{
		if (strcmp(columns->names[field][i], name) == 0)
			return true;
	}
	return false;
}

/* A column that the mapping names for one field is not recognised for another. */
static void
drop_named_elsewhere(LeadColumns *columns, Jsonb *mapping, LeadField field)
{
	int			n = 0;

	for (int i = 0; i < columns->n[field]; i++)
	{
		bool		elsewhere = false;

		for (int other = 0; other < LEAD_FIELD_COUNT && !elsewhere; other++)
			elsewhere = other != field && json_get(&mapping->root, lead_field_names[other]) != NULL &&
				has_name(columns, other, columns->names[field][i]);
		if (!elsewhere)
			columns->names[field][n++] = columns->names[field][i];
	}
	columns->n[field] = n;
}

/* What was recognised, and the mapping makes doubtful. */
static void
drop_doubtful(LeadColumns *columns, Jsonb *mapping)
{
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (json_get(&mapping->root, lead_field_names[field]) == NULL)
			drop_named_elsewhere(columns, mapping, field);
	}
	if (json_get(&mapping->root, lead_field_names[LEAD_FIELD_STATE]) == NULL)
		drop_lone_state(columns);
}

static void
require_column(LeadColumns *columns, Relation rel, LeadField field)
{
	if (columns->n[field] == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no column of \"%s\" is recognized as the lead's %s",
						RelationGetRelationName(rel), lead_field_names[field]),
				 errhint("Name it: echosync_attach_leads('%s', '{\"%s\": \"column_name\"}').",
						 RelationGetRelationName(rel), lead_field_names[field])));
}

LeadColumns *
lead_columns_recognize(Relation rel, Jsonb *mapping)
{
	LeadColumns *columns = palloc0(sizeof(LeadColumns));

	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
		recognize_field(columns, RelationGetDescr(rel), field);
	apply_mapping(columns, rel, mapping);
	drop_doubtful(columns, mapping);
	require_column(columns, rel, LEAD_FIELD_ID);
	require_column(columns, rel, LEAD_FIELD_USER_ID);
	if (columns->n[LEAD_FIELD_EMAIL] == 0)
		require_column(columns, rel, LEAD_FIELD_PHONE);
	return columns;
}

/* Which column of the key is gone; NULL: none. */
static char *
missing_column(Relation rel, JsonbValue *value)
{
	JsonbContainer *array = json_value_array(value);
	int			n = array != NULL ? json_array_length(array) : 1;

	for (int i = 0; i < n; i++)
	{
		char	   *name = json_value_text(array != NULL ? json_array_element(array, i) : value);

		if (name != NULL && get_attnum(RelationGetRelid(rel), name) <= 0)
			return name;
	}
	return NULL;
}

static void
refuse_missing(Relation rel, LeadField field, const char *name)
{
	if (!lead_field_protects(field))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" does not exist", name, RelationGetRelationName(rel)),
			 errdetail("It was named as \"%s\" before, which says who must not be contacted.", lead_field_names[field]),
			 errhint("Name its new name, or null for none: echosync_attach_leads('%s', '{\"%s\": \"column_name\"}').",
					 RelationGetRelationName(rel), lead_field_names[field])));
}

Jsonb *
lead_columns_keep_named(Relation rel, Jsonb *before, Jsonb *now)
{
	Datum		kept = JsonbPGetDatum(before);

	if (!JB_ROOT_IS_OBJECT(now))
		return now;				/* which is refused */
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		const char *key = lead_field_names[field];
		JsonbValue *value = json_get(&before->root, key);
		char	   *missing = value != NULL ? missing_column(rel, value) : NULL;

		if (missing == NULL || json_get(&now->root, key) != NULL)
			continue;
		refuse_missing(rel, field, missing);
		kept = DirectFunctionCall2(jsonb_delete, kept, CStringGetTextDatum(key));
	}
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, kept, JsonbPGetDatum(now)));
}

static bool
same_names(const LeadColumns *one, const LeadColumns *other, LeadField field)
{
	if (one->n[field] != other->n[field])
		return false;
	for (int i = 0; i < one->n[field]; i++)
	{
		if (strcmp(one->names[field][i], other->names[field][i]) != 0)
			return false;
	}
	return true;
}

/* Did 1.0 recognise it?  It took the first usual name, whatever the type. */
static bool
was_recognized(const LeadColumns *columns, TupleDesc desc, LeadField field)
{
	for (int u = 0; u < USUAL_NAMES_MAX && usual_names[field][u] != NULL; u++)
	{
		for (int a = 0; a < desc->natts; a++)
		{
			if (is_called(TupleDescAttr(desc, a), usual_names[field][u]))
				return columns->n[field] == 1 &&
					strcmp(columns->names[field][0], NameStr(TupleDescAttr(desc, a)->attname)) == 0;
		}
	}
	return false;
}

Jsonb *
lead_columns_guess_named(Relation rel, Jsonb *mapping)
{
	LeadColumns *columns = lead_columns_from_jsonb(mapping);
	LeadColumns *usual = palloc0(sizeof(LeadColumns));

	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		JsonbValue *value = json_get(&mapping->root, lead_field_names[field]);

		recognize_field(usual, RelationGetDescr(rel), field);
		if (same_names(columns, usual, field) || was_recognized(columns, RelationGetDescr(rel), field) || (value != NULL && missing_column(rel, value) != NULL))
			columns->n[field] = 0;
	}
	return lead_columns_to_jsonb(columns);
}

char *
lead_columns_words(const LeadColumns *columns)
{
	StringInfoData words;

	initStringInfo(&words);
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		for (int i = 0; i < columns->n[field]; i++)
			appendStringInfo(&words, i > 0 ? " or %s" : words.len > 0 ? ", %s = %s" : "%s = %s",
							 i > 0 ? columns->names[field][i] : lead_field_names[field], columns->names[field][i]);
	}
	return words.data;
}

bool
lead_column_is_usual(LeadField field, const char *plain)
{
	for (int u = 0; u < USUAL_NAMES_MAX && usual_names[field][u] != NULL; u++)
	{
		if (strcmp(plain, usual_names[field][u]) == 0)
			return true;
	}
	return false;
}

Jsonb *
lead_columns_to_jsonb(const LeadColumns *columns)
{
	StringInfoData out;

	initStringInfo(&out);
	json_object_start(&out);
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (columns->n[field] == 0)
			continue;
		json_key(&out, lead_field_names[field]);
		if (field != LEAD_FIELD_DO_NOT_CONTACT && columns->n[field] == 1)
		{
			json_string(&out, columns->names[field][0]);
			continue;
		}
		json_array_start(&out);
		for (int i = 0; i < columns->n[field]; i++)
			json_string(&out, columns->names[field][i]);
		json_array_end(&out);
	}
	json_object_end(&out);
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(out.data)));
}

LeadColumns *
lead_columns_from_jsonb(Jsonb *mapping)
{
	LeadColumns *columns = palloc0(sizeof(LeadColumns));

	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		JsonbValue *value = json_get(&mapping->root, lead_field_names[field]);
		JsonbContainer *array;
		char	   *name;

		if (value == NULL)
			continue;
		array = json_value_array(value);
		if (array == NULL && (name = json_value_text(value)) != NULL)
			columns_add(columns, field, name);
		for (int i = 0; array != NULL && i < json_array_length(array); i++)
		{
			name = json_value_text(json_array_element(array, i));
			if (name != NULL)
				columns_add(columns, field, name);
		}
	}
	return columns;
}

char *
lead_table_name(Oid relation)
{
	char	   *name = get_rel_name(relation);
	char	   *schema = get_namespace_name(get_rel_namespace(relation));

	if (name == NULL || schema == NULL)
		return NULL;
	return quote_qualified_identifier(schema, name);
}

bool
lead_table_owner(Oid relation, Oid *owner)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));

	if (!HeapTupleIsValid(tuple))
		return false;
	*owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return true;
}
