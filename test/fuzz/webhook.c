/*
 * webhook.c
 *		Fuzz target: the body of a webhook, and the headers that come with it.
 *
 * A body is read, or refused with one of two SQLSTATEs.  Every lead that is
 * taken has an id, by which it is found again.
 */
#include "fuzz.h"

#include "mb/pg_wchar.h"
#include "utils/guc.h"

#include "api/webhook.c"

typedef struct BodyInput
{
	Jsonb	   *body;
	char	   *user_id;
	List	   *leads;
} BodyInput;

static void
read_input(void *arg)
{
	BodyInput  *input = arg;

	input->leads = read_body(input->body, &input->user_id);
}

static void
judge_leads(const BodyInput *input)
{
	ListCell   *lc;

	PROMISE(input->user_id != NULL && input->user_id[0] != '\0');
	PROMISE((json_get_object(&input->body->root, "lead") != NULL) ==
			(json_get_array(&input->body->root, "leads") == NULL));
	PROMISE(list_length(input->leads) <= WEBHOOK_MAX_LEADS);
	foreach(lc, input->leads)
	{
		WebhookLead *lead = lfirst(lc);
		LeadFacts	facts = lead_facts(lead->lead);
		StringInfoData out;
		CrmLead    *again;

		PROMISE(lead->id != NULL && lead->id[0] != '\0');

		/* the snapshot that is queued is the same lead when it is sent */
		initStringInfo(&out);
		(void) JsonbToCString(&out, &lead->object->root, VARSIZE(lead->object));
		again = lead_from_jsonb(json_parse(out.data, out.len));
		PROMISE(strcmp(again->id, lead->id) == 0);
		PROMISE(lead_same(again, lead->lead) && again->deleted == facts.deleted);
	}
}

void
fuzz_webhook(const char *data, size_t size)
{
	char	   *text = fuzz_text(data, size);
	BodyInput	input = {fuzz_jsonb(text), NULL, NIL};
	int			sqlstate;

	/* request.headers is whatever a session has set */
	SetConfigOption("request.headers", pg_verify_mbstr(PG_UTF8, text, strlen(text), true) ? text : "",
					PGC_USERSET, PGC_S_SESSION);
	(void) secret_is_right();

	if (input.body == NULL)
		return;
	if (fuzz_error(read_input, &input, &sqlstate))
		judge_leads(&input);
	else
		PROMISE(sqlstate == ERRCODE_INVALID_PARAMETER_VALUE ||
				sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED);
}
