/*
 * lead_overlooked.c
 *		Columns that are not read, and may have to be.
 *
 * Names are those of tables and exports that people have; one too many costs a
 * line to read, one too few may cost a call to somebody who said no.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/pg_list.h"
#include "utils/lsyscache.h"

#include "db/lead_overlooked.h"

typedef enum Kind
{
	KIND_OPT_OUT,
	KIND_OPT_IN,
	KIND_DELETION,
	KIND_CONTACT,
	KIND_USER,
	KIND_NONE
} Kind;

static const char *const kind_words[] = {
	"an opt-out?", "an opt-in?", "a deletion?", "another phone or e-mail?", "another user?"
};

/* Parts of names, without underscores, in lower case. */
static const char *const opt_out_parts[] = {
	"dnc", "donot", "dontc", "optout", "optedout", "unsub", "litigator", "nocall", "notext", "nosms", "noemail", "nomail",
	"nocontact", "block", "suppress", "blacklist", "stopp", "stopcall", "tcpa", "complain", "revoked", NULL
};
static const char *const opt_in_parts[] = {
	"consent", "optin", "optedin", "cancall", "cantext", "cansms", "canemail", "cancontact", "maycall", "maycontact", "okto",
	"subscribed", "permission", "callable", "contactable", "allowcall", "allowcontact", "allowmarketing", NULL
};
static const char *const deletion_parts[] = {
	"delet", "discarded", "archived", "deactivated", "trashed", "removed", "purged", "destroyed", "isactive", NULL
};
static const char *const deletion_names[] = {"active", "enabled", "status", "recordstatus", "leadstatus", "tombstone", NULL};
static const char *const contact_parts[] = {"phone", "mobile", "cell", "telephone", "email", NULL};
static const char *const contact_names[] = {"tel", "tel1", "tel2", "mail", "mail2", "landline", "whatsapp", NULL};
static const char *const user_names[] = {"assignedto", "assigneduserid", "ownedby", "agent", "owner", "salesrepid", NULL};

static bool
has_part(const char *plain, const char *const *parts)
{
	for (; *parts != NULL; parts++)
	{
		if (strstr(plain, *parts) != NULL)
			return true;
	}
	return false;
}

static bool
is_name(const char *plain, const char *const *names)
{
	for (; *names != NULL; names++)
	{
		if (strcmp(plain, *names) == 0)
			return true;
	}
	return false;
}

/* "phone_type", "email_hash": about a phone or an e-mail. */
static const char *const about_endings[] = {"type", "verified", "valid", "status", "label", "country", "ext", "extension", "hash", "count", "at", "id", NULL};

static bool
has_ending(const char *plain, const char *const *endings)
{
	size_t		len = strlen(plain);

	for (; *endings != NULL; endings++)
	{
		size_t		n = strlen(*endings);

		if (len > n && strcmp(plain + len - n, *endings) == 0)
			return true;
	}
	return false;
}

/* Could a phone number or an address be in it?  "email_verified" is none. */
static bool
type_holds_text(Oid type)
{
	Oid			base = getBaseType(type);
	char		category;
	bool		preferred;

	get_type_category_preferred(base, &category, &preferred);
	return category == TYPCATEGORY_STRING || category == TYPCATEGORY_ARRAY || base == JSONOID || base == JSONBOID ||
		category == TYPCATEGORY_NUMERIC;
}

/* An opt-in that is denied says no: "unsubscribed" comes before "subscribed". */
static Kind
column_kind(const char *plain, Oid type, const LeadColumns *columns)
{
	if (has_part(plain, opt_out_parts))
		return KIND_OPT_OUT;
	if (has_part(plain, opt_in_parts))
		return KIND_OPT_IN;
	if (has_part(plain, deletion_parts) || lead_column_is_usual(LEAD_FIELD_DELETED_AT, plain) ||
		(columns->n[LEAD_FIELD_DELETED_AT] == 0 && is_name(plain, deletion_names)))
		return KIND_DELETION;
	if ((has_part(plain, contact_parts) || is_name(plain, contact_names)) &&
		!has_ending(plain, about_endings) && type_holds_text(type))
		return KIND_CONTACT;
	if (lead_column_is_usual(LEAD_FIELD_USER_ID, plain) || is_name(plain, user_names))
		return KIND_USER;
	return KIND_NONE;
}

static bool
is_read(const LeadColumns *columns, const char *name)
{
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		for (int i = 0; i < columns->n[field]; i++)
		{
			if (strcmp(columns->names[field][i], name) == 0)
				return true;
		}
	}
	return false;
}

static List *
overlooked(Relation rel, const LeadColumns *columns, Kind kind)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *names = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		char		plain[NAMEDATALEN];

		if (att->attisdropped || is_read(columns, NameStr(att->attname)))
			continue;
		lead_column_plain_name(NameStr(att->attname), plain);
		if (column_kind(plain, att->atttypid, columns) == kind)
			names = lappend(names, NameStr(att->attname));
	}
	return names;
}

List *
lead_overlooked_opt_outs(Relation rel, const LeadColumns *columns)
{
	List	   *read = NIL;
	List	   *more = overlooked(rel, columns, KIND_OPT_OUT);

	for (int i = 0; i < columns->n[LEAD_FIELD_DO_NOT_CONTACT]; i++)
		read = lappend(read, columns->names[LEAD_FIELD_DO_NOT_CONTACT][i]);
	return more == NIL ? NIL : list_concat(read, more);
}

char *
lead_overlooked_words(Relation rel, const LeadColumns *columns)
{
	StringInfoData words;

	initStringInfo(&words);
	for (int kind = 0; kind < KIND_NONE; kind++)
	{
		List	   *names = overlooked(rel, columns, kind);
		ListCell   *lc;

		foreach(lc, names)
			appendStringInfo(&words, "%s%s", foreach_current_index(lc) > 0 ? ", " : words.len > 0 ? "; " : "",
							 (char *) lfirst(lc));
		if (names != NIL)
			appendStringInfo(&words, " (%s)", kind_words[kind]);
	}
	return words.len > 0 ? words.data : NULL;
}
