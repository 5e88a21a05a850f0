/*
 * lead.c
 *		Fuzz target: a lead from any JSON object, and the texts in it.
 *
 * A lead that is written out is read back as the same, so that a change is
 * seen where there is one and nowhere else.  A row whose do-not-contact flag
 * is set still has it.
 */
#include "fuzz.h"

#include <math.h>

#include "crm/json.h"
#include "crm/lead.h"
#include "crm/phone.h"

static bool
ends_with(const char *text, const char *end)
{
	size_t		len = strlen(text);
	size_t		end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Not empty, and nothing invisible at its end. */
static void
judge_text(const char *text)
{
	if (text == NULL)
		return;
	PROMISE(text[0] != '\0' && text[0] != ' ');
	PROMISE(!ends_with(text, " ") && !ends_with(text, "\xC2\xA0"));
	PROMISE(!ends_with(text, "\xE2\x80\x8B") && !ends_with(text, "\xEF\xBB\xBF"));
}

/* One score, one text. */
static void
judge_score(const CrmLead *lead)
{
	const char *text = lead->risk_score_text;

	PROMISE(lead->score == LEAD_SCORE_READ || lead->risk_score == 0);
	PROMISE(!isnan(lead->risk_score));
	if (text == NULL)
		return;
	PROMISE(lead->score == LEAD_SCORE_READ && isfinite(lead->risk_score));
	PROMISE(strchr(text, '.') == NULL || (!ends_with(text, "0") && !ends_with(text, ".")));
	PROMISE(strspn(text, "-.0123456789") == strlen(text));
}

static void
judge_lead(const CrmLead *lead)
{
	ListCell   *lc;

	judge_text(lead->first_name);
	judge_text(lead->last_name);
	judge_text(lead->address);
	judge_text(lead->city);
	judge_text(lead->state);
	judge_text(lead->zip_code);
	judge_text(lead->notes);
	judge_text(lead->source);
	PROMISE((lead->phone == NULL) == (lead->phone_key == NULL));
	if (lead->email != NULL)
		PROMISE(fuzz_same(lead_email(lead->email), lead->email));
	judge_score(lead);
	foreach(lc, lead->tags)
		judge_text(lfirst(lc));
}

static void
judge_same(const CrmLead *a, const CrmLead *b)
{
	ListCell   *la;
	ListCell   *lb;

	PROMISE(fuzz_same(a->id, b->id));
	PROMISE(fuzz_same(a->user_id, b->user_id));
	PROMISE(fuzz_same(a->phone_key, b->phone_key));
	PROMISE(fuzz_same(a->phone, b->phone));
	PROMISE(fuzz_same(a->first_name, b->first_name));
	PROMISE(fuzz_same(a->last_name, b->last_name));
	PROMISE(fuzz_same(a->email, b->email));
	PROMISE(fuzz_same(a->address, b->address));
	PROMISE(fuzz_same(a->city, b->city));
	PROMISE(fuzz_same(a->state, b->state));
	PROMISE(fuzz_same(a->zip_code, b->zip_code));
	PROMISE(fuzz_same(a->notes, b->notes));
	PROMISE(fuzz_same(a->source, b->source));
	PROMISE(a->do_not_contact == b->do_not_contact);
	PROMISE(fuzz_same(a->risk_score_text, b->risk_score_text));
	PROMISE(list_length(a->tags) == list_length(b->tags));
	forboth(la, a->tags, lb, b->tags)
		PROMISE(strcmp(lfirst(la), lfirst(lb)) == 0);

	/* a score beyond all numbers, or unreadable, cannot be written; it is refused before */
	if (a->risk_score_text != NULL || a->score == LEAD_SCORE_NONE)
		PROMISE(a->score == b->score && a->risk_score == b->risk_score);
}

/* What may be, read as the trigger reads columns: from text. */
static void
judge_as_text(Jsonb *object, const CrmLead *lead)
{
	JsonbValue *flag = json_get(&object->root, "do_not_contact");
	JsonbValue *score = json_get(&object->root, "risk_score");
	JsonbValue *deleted = json_get(&object->root, "deleted_at");
	JsonbValue *phone = json_get(&object->root, "phone");
	JsonbValue *email = json_get(&object->root, "email");
	double		number = 0;

	if (flag != NULL && flag->type == jbvString && json_get(&object->root, "may_contact") == NULL)
		PROMISE(lead_text_opt_out(json_value_text(flag)) ==
				(lead->do_not_contact ? LEAD_FLAG_YES : lead->do_not_contact_unreadable ? LEAD_FLAG_UNREADABLE : LEAD_FLAG_NO));
	if (flag != NULL && flag->type == jbvBool && flag->val.boolean)
		PROMISE(lead->do_not_contact);
	if (score != NULL && (score->type == jbvString || score->type == jbvNumeric))
	{
		PROMISE(lead_text_to_score(json_value_text(score), &number) == lead->score);
		PROMISE(number == lead->risk_score);
	}
	if (deleted != NULL && deleted->type == jbvString)
		PROMISE((lead_text_is_deletion(json_value_text(deleted)) == LEAD_FLAG_YES) == lead->deleted);
	if (phone != NULL && phone->type == jbvString)
		PROMISE((lead_phone(json_value_text(phone)) != NULL) == (lead->phone != NULL));
	if (email != NULL && email->type == jbvString)
		PROMISE((lead_email(json_value_text(email)) != NULL) == (lead->email != NULL));
}

/* With a custom field for everything, so that all of it counts. */
static IntegrationSettings *
settings_with_fields(void)
{
	IntegrationSettings *settings = integration_settings_parse(NULL);

	for (int field = 0; field < LEAD_DIGEST_FIELDS; field++)
	{
		CustomFieldSetting *custom = palloc0(sizeof(CustomFieldSetting));

		custom->field = field;
		custom->label = "Label";
		settings->custom_fields = lappend(settings->custom_fields, custom);
	}
	return settings;
}

void
fuzz_lead(const char *data, size_t size)
{
	char	   *text = fuzz_text(data, size);
	Jsonb	   *object = json_parse(data, size);
	IntegrationSettings *settings;
	StringInfoData out;
	CrmLead    *lead;
	CrmLead    *again;
	LeadFacts	facts;
	uint8		digest[2][LEAD_DIGEST_SIZE];
	double		score;

	(void) lead_text_opt_out(text);
	PROMISE(!(lead_text_opt_out(text) == LEAD_FLAG_NO && lead_text_is_deletion(text) == LEAD_FLAG_YES));
	(void) lead_text_to_score(text, &score);
	if (object == NULL)
		return;

	lead = lead_from_jsonb(object);
	judge_lead(lead);
	if (JB_ROOT_IS_OBJECT(object))
		judge_as_text(object, lead);

	initStringInfo(&out);
	lead_to_json(lead, &out);
	object = json_parse(out.data, out.len);
	PROMISE(object != NULL);
	again = lead_from_jsonb(object);
	judge_same(lead, again);
	settings = settings_with_fields();
	lead_digest(lead, settings, digest[0]);
	lead_digest(again, settings, digest[1]);
	PROMISE(memcmp(digest[0], digest[1], LEAD_DIGEST_SIZE) == 0);

	facts = lead_facts(lead);
	if (facts.deleted || facts.do_not_contact != LEAD_FLAG_NO || facts.risk_score > 20)
		PROMISE(lead_refusal(&facts, settings, false) != REFUSAL_NONE);
}
