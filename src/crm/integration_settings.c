/*
 * integration_settings.c
 *		The settings of one connection: defaults, checks, and the struct that
 *		the rest of the code reads.
 *
 * The stored object always has every key, in the form written here.  Each key
 * is one line of a table: its default, what null makes of it, and the
 * function that checks a value and writes its stored form.
 *
 * Not here: who may change settings (api/), what they do (lead.c, providers).
 * Unlike the rest of crm/, merging raises errors: it runs in a backend, for
 * the person who typed the settings.
 */
#include "postgres.h"

#include "crm/integration_settings.h"
#include "crm/json.h"
#include "crm/lead.h"
#include "pg_compat.h"

#define NAME_MAX_CHARS		100
#define TAGS_MAX			20
#define MAX_RISK_SCORE		1000
#define NUMBER_MAX_LEN		40

/* Check value and append its stored form. */
typedef void (*SettingWriter) (StringInfo out, const char *key,
							   JsonbValue *value, const char *crm_type);

static void write_boolean(StringInfo out, const char *key,
						  JsonbValue *value, const char *crm_type);
static void write_risk_score(StringInfo out, const char *key,
							 JsonbValue *value, const char *crm_type);
static void write_crm_name(StringInfo out, const char *key,
						   JsonbValue *value, const char *crm_type);
static void write_tags(StringInfo out, const char *key,
					   JsonbValue *value, const char *crm_type);
static void write_source(StringInfo out, const char *key,
						 JsonbValue *value, const char *crm_type);
static void write_custom_fields(StringInfo out, const char *key,
								JsonbValue *value, const char *crm_type);
static void write_delivery(StringInfo out, const char *key,
						   JsonbValue *value, const char *crm_type);
static void write_user_id(StringInfo out, const char *key,
						  JsonbValue *value, const char *crm_type);

#define DEFAULT_TAGS_JSON	"[\"" DEFAULT_LEAD_TAG "\"]"
#define DEFAULT_SOURCE_JSON "\"" DEFAULT_LEAD_SOURCE "\""

typedef struct Setting
{
	const char *key;
	const char *default_json;
	const char *null_json;		/* "none" where that is a choice */
	SettingWriter write;
} Setting;

static const Setting setting_list[] = {
	{"auto_sync", "true", "true", write_boolean},
	{"max_risk_score", "20", "null", write_risk_score},
	{"sync_unscored", "false", "false", write_boolean},
	{"crm_name", "null", "null", write_crm_name},
	{"tags", DEFAULT_TAGS_JSON, DEFAULT_TAGS_JSON, write_tags},
	{"source", DEFAULT_SOURCE_JSON, DEFAULT_SOURCE_JSON, write_source},
	{"custom_fields", "{}", "{}", write_custom_fields},
	{"delivery", "\"quiet\"", "\"quiet\"", write_delivery},
	{"assigned_user_id", "null", "null", write_user_id}
};

pg_noreturn static void
bad_setting(const char *key, const char *detail)
{
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("invalid value for setting \"%s\"", key),
			errdetail_internal("%s", detail));
}

/*
 * The trimmed text of a string of at most NAME_MAX_CHARS characters; NULL when
 * it is something else.  Blank text is returned as "".
 */
static char *
setting_text(JsonbValue *value)
{
	const char *p;
	char	   *text;
	size_t		len;

	if (value == NULL || value->type != jbvString)
		return NULL;
	text = json_value_text(value);
	while (*text == ' ' || (*text >= '\t' && *text <= '\r'))
		text++;
	len = strlen(text);
	while (len > 0 && (text[len - 1] == ' ' ||
					   (text[len - 1] >= '\t' && text[len - 1] <= '\r')))
		len--;
	text[len] = '\0';

	if (text_length(text) > NAME_MAX_CHARS)
		return NULL;
	for (p = text; *p != '\0';)
	{
		uint32		c = text_next_char(&p);

		if (c < 0x20 || (c >= 0x7F && c <= 0x9F))
			return NULL;
	}
	return text;
}

static void
write_boolean(StringInfo out, const char *key, JsonbValue *value,
			  const char *crm_type)
{
	if (value->type != jbvBool)
		bad_setting(key, "It must be true or false.");
	json_literal(out, value->val.boolean ? "true" : "false");
}

static void
write_risk_score(StringInfo out, const char *key, JsonbValue *value,
				 const char *crm_type)
{
	char	   *text = NULL;
	double		score;

	if (value->type == jbvNumeric)
		text = json_value_text(value);
	if (text == NULL || strlen(text) > NUMBER_MAX_LEN ||
		!lead_text_to_number(text, &score) ||
		score < 0 || score > MAX_RISK_SCORE)
		bad_setting(key, "It must be a number from 0 to 1000, or null for no limit.");
	json_literal(out, text);
}

static void
write_crm_name(StringInfo out, const char *key, JsonbValue *value,
			   const char *crm_type)
{
	char	   *name = setting_text(value);

	if (name == NULL)
		bad_setting(key, "It must be a string of at most 100 characters, or null.");
	json_string(out, name[0] != '\0' ? name : NULL);
}

static void
write_tags(StringInfo out, const char *key, JsonbValue *value,
		   const char *crm_type)
{
	static const char *const expected =
	"It must be an array of at most 20 strings of 1 to 100 characters each.";
	JsonbContainer *array = json_value_array(value);
	int			length = json_array_length(array);
	List	   *tags = NIL;
	int			i;

	if (array == NULL || length > TAGS_MAX)
		bad_setting(key, expected);

	json_array_start(out);
	for (i = 0; i < length; i++)
	{
		char	   *tag = setting_text(json_array_element(array, i));
		bool		repeated = false;
		ListCell   *lc;

		if (tag == NULL || tag[0] == '\0')
			bad_setting(key, expected);
		foreach(lc, tags)
		{
			if (pg_strcasecmp((const char *) lfirst(lc), tag) == 0)
				repeated = true;
		}
		if (repeated)
			continue;
		tags = lappend(tags, tag);
		json_string(out, tag);
	}
	json_array_end(out);
}

static void
write_source(StringInfo out, const char *key, JsonbValue *value,
			 const char *crm_type)
{
	char	   *source = setting_text(value);

	if (source == NULL || source[0] == '\0')
		bad_setting(key, "It must be a string of 1 to 100 characters.");
	json_string(out, source);
}

static int
sent_field_by_name(const char *name)
{
	int			field = lead_field_by_name(name, strlen(name));

	return field < LEAD_DIGEST_FIELDS ? field : -1;
}

/*
 * Stored as {lead field: label in the CRM}.  People write it the other way
 * round as well; a pair whose key is no lead field is read so.
 */
static void
write_custom_fields(StringInfo out, const char *key, JsonbValue *value,
					const char *crm_type)
{
	static const char *const expected =
	"It must be an object of lead fields (such as \"risk_score\") and the labels of the CRM's custom fields that they fill.";
	JsonbContainer *object = json_value_object(value);
	char	   *labels[LEAD_DIGEST_FIELDS] = {NULL};
	JsonbIterator *it;
	JsonbValue	member;
	int			field;

	if (object == NULL)
		bad_setting(key, expected);

	it = JsonbIteratorInit(object);
	(void) JsonbIteratorNext(&it, &member, true);	/* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &member, true) == WJB_KEY)
	{
		char	   *name = setting_text(&member);
		char	   *label;

		(void) JsonbIteratorNext(&it, &member, true);
		label = setting_text(&member);
		if (name == NULL || label == NULL || name[0] == '\0' || label[0] == '\0')
			bad_setting(key, expected);

		field = sent_field_by_name(name);
		if (field < 0)
		{
			field = sent_field_by_name(label);
			label = name;
		}
		if (field < 0)
			bad_setting(key, expected);
		if (labels[field] != NULL)
			bad_setting(key, "A lead field can fill one custom field only.");
		labels[field] = label;
	}

	json_object_start(out);
	for (field = 0; field < LEAD_DIGEST_FIELDS; field++)
		json_key_string(out, lead_field_names[field], labels[field]);
	json_object_end(out);
}

static void
write_delivery(StringInfo out, const char *key, JsonbValue *value,
			   const char *crm_type)
{
	char	   *mode = setting_text(value);

	if (mode != NULL && strcmp(mode, "events") == 0)
	{
		if (strcmp(crm_type, "followupboss") != 0)
			bad_setting(key, "Only Follow Up Boss takes \"events\"; it must be \"quiet\" here.");
	}
	else if (mode == NULL || strcmp(mode, "quiet") != 0)
		bad_setting(key, "It must be \"quiet\" or, for Follow Up Boss, \"events\".");
	json_string(out, mode);
}

static void
write_user_id(StringInfo out, const char *key, JsonbValue *value,
			  const char *crm_type)
{
	int64		user_id;

	if (!json_value_int64(value, &user_id) || user_id <= 0)
		bad_setting(key, "It must be the number of a user in the CRM, or null.");
	json_int64(out, user_id);
}

static const Setting *
setting_by_key(const char *key)
{
	int			i;

	for (i = 0; i < lengthof(setting_list); i++)
	{
		if (strcmp(setting_list[i].key, key) == 0)
			return &setting_list[i];
	}
	return NULL;
}

/* Every key of an object must be a setting's. */
static void
check_keys(Jsonb *changes)
{
	JsonbIterator *it = JsonbIteratorInit(&changes->root);
	JsonbIteratorToken token;
	JsonbValue	member;

	while ((token = JsonbIteratorNext(&it, &member, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			char	   *key = json_value_text(&member);
			StringInfoData valid;
			int			i;

			if (setting_by_key(key) != NULL)
				continue;

			initStringInfo(&valid);
			for (i = 0; i < lengthof(setting_list); i++)
				appendStringInfo(&valid, "%s%s", i > 0 ? ", " : "",
								 setting_list[i].key);
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("unrecognized setting \"%s\"",
						   text_clip(key, NAME_MAX_CHARS)),
					errhint("Valid settings are: %s.", valid.data));
		}
	}
}

Jsonb *
integration_settings_merge(Jsonb *base, Jsonb *changes, const char *crm_type)
{
	JsonbContainer *old = NULL;
	JsonbContainer *new = NULL;
	StringInfoData out;
	Jsonb	   *merged;
	int			i;

	if (base != NULL && JB_ROOT_IS_OBJECT(base))
		old = &base->root;
	if (changes != NULL)
	{
		if (!JB_ROOT_IS_OBJECT(changes))
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("settings must be a JSON object"));
		check_keys(changes);
		new = &changes->root;
	}

	initStringInfo(&out);
	json_object_start(&out);
	for (i = 0; i < lengthof(setting_list); i++)
	{
		const Setting *setting = &setting_list[i];
		JsonbValue *value = json_get(new, setting->key);

		if (value == NULL)
			value = json_get(old, setting->key);

		json_key(&out, setting->key);
		if (value == NULL)
			json_literal(&out, setting->default_json);
		else if (value->type == jbvNull)
			json_literal(&out, setting->null_json);
		else
			setting->write(&out, setting->key, value, crm_type);
	}
	json_object_end(&out);

	merged = json_parse(out.data, out.len);
	if (merged == NULL)
		elog(ERROR, "could not read back merged settings");
	return merged;
}

static List *
parse_tags(JsonbContainer *array)
{
	List	   *tags = NIL;
	int			length = json_array_length(array);
	int			i;

	for (i = 0; i < length; i++)
	{
		char	   *tag = json_value_text(json_array_element(array, i));

		if (tag != NULL && tag[0] != '\0')
			tags = lappend(tags, tag);
	}
	return tags;
}

static List *
parse_custom_fields(JsonbContainer *object)
{
	List	   *custom_fields = NIL;
	int			field;

	for (field = 0; field < LEAD_DIGEST_FIELDS; field++)
	{
		char	   *label = json_get_text(object, lead_field_names[field]);
		CustomFieldSetting *custom;

		if (label == NULL || label[0] == '\0')
			continue;
		custom = (CustomFieldSetting *) palloc0(sizeof(CustomFieldSetting));
		custom->field = field;
		custom->label = label;
		custom_fields = lappend(custom_fields, custom);
	}
	return custom_fields;
}

/*
 * Raises no error: of an object that merge did not make, what cannot be read
 * has its default, which is the careful choice.  Only a null written out
 * lifts the limit of the risk score.
 */
IntegrationSettings *
integration_settings_parse(Jsonb *settings)
{
	IntegrationSettings *parsed;
	JsonbContainer *object = NULL;
	JsonbValue *value;
	char	   *text;

	if (settings != NULL && JB_ROOT_IS_OBJECT(settings))
		object = &settings->root;
	parsed = (IntegrationSettings *) palloc0(sizeof(IntegrationSettings));

	value = json_get(object, "auto_sync");
	parsed->auto_sync = value == NULL || value->type != jbvBool ||
		value->val.boolean;

	value = json_get(object, "max_risk_score");
	parsed->has_max_risk_score = value == NULL || value->type != jbvNull;
	if (parsed->has_max_risk_score &&
		(value == NULL || value->type != jbvNumeric ||
		 !lead_text_to_number(json_value_text(value), &parsed->max_risk_score)))
		parsed->max_risk_score = 20;

	parsed->sync_unscored = json_get_bool(object, "sync_unscored");

	value = json_get(object, "tags");
	if (json_value_array(value) != NULL)
		parsed->tags = parse_tags(json_value_array(value));
	else
		parsed->tags = list_make1(pstrdup(DEFAULT_LEAD_TAG));

	text = json_get_text(object, "source");
	parsed->source = text != NULL && text[0] != '\0' ? text :
		pstrdup(DEFAULT_LEAD_SOURCE);

	parsed->custom_fields =
		parse_custom_fields(json_get_object(object, "custom_fields"));

	text = json_get_text(object, "delivery");
	parsed->delivery = text != NULL && strcmp(text, "events") == 0 ?
		DELIVERY_EVENTS : DELIVERY_QUIET;

	if (!json_get_int64(object, "assigned_user_id", &parsed->assigned_user_id))
		parsed->assigned_user_id = 0;
	return parsed;
}

IntegrationSettings *
integration_settings_copy(const IntegrationSettings *settings)
{
	IntegrationSettings *copy = (IntegrationSettings *) palloc(sizeof(IntegrationSettings));
	ListCell   *lc;

	*copy = *settings;
	copy->tags = copy->custom_fields = NIL;
	foreach(lc, settings->tags)
		copy->tags = lappend(copy->tags, pstrdup((const char *) lfirst(lc)));
	copy->source = pstrdup(settings->source);
	foreach(lc, settings->custom_fields)
	{
		const CustomFieldSetting *custom = (const CustomFieldSetting *) lfirst(lc);
		CustomFieldSetting *custom_copy = (CustomFieldSetting *) palloc(sizeof(CustomFieldSetting));

		custom_copy->field = custom->field;
		custom_copy->label = pstrdup(custom->label);
		copy->custom_fields = lappend(copy->custom_fields, custom_copy);
	}
	return copy;
}

void
integration_settings_free(IntegrationSettings *settings)
{
	ListCell   *lc;

	foreach(lc, settings->custom_fields)
		pfree(((CustomFieldSetting *) lfirst(lc))->label);
	list_free_deep(settings->custom_fields);
	list_free_deep(settings->tags);
	pfree(settings->source);
	pfree(settings);
}
