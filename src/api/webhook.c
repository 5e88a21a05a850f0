/*
 * webhook.c
 *		echosync_webhook_lead_created(): leads that another system sends.
 *
 * The caller proves itself by the header x-webhook-secret, as PostgREST hands
 * it over in request.headers, and needs no user id: the body names the user.
 * Leads are queued with what was sent of them, their snapshots, which go with
 * their rows.  No table is read here: the worker asks the attached tables, when it
 * sends, and what one of them has counts instead (worker/read_leads.c).
 */
#include "postgres.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "api/enqueue.h"
#include "api/hidden.h"
#include "api/rest.h"
#include "config/secrets.h"
#include "crm/json.h"
#include "db/lead_sources.h"

PG_FUNCTION_INFO_V1(echosync_webhook_lead_created);

#define WEBHOOK_MAX_LEADS 10000

/* The webhook's leads, in order. */
typedef struct WebhookLead
{
	char	   *id;
	Jsonb	   *object;
	CrmLead    *lead;
} WebhookLead;

/* Digests are compared, so that neither length nor content shows in time. */
static bool
secrets_equal(const char *a, const char *b)
{
	unsigned char digest_a[SHA256_DIGEST_LENGTH];
	unsigned char digest_b[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *) a, strlen(a), digest_a);
	SHA256((const unsigned char *) b, strlen(b), digest_b);
	return CRYPTO_memcmp(digest_a, digest_b, sizeof(digest_a)) == 0;
}

static bool
secret_is_right(void)
{
	const Secrets *secrets = secrets_current();
	char	   *given = rest_request_header("x-webhook-secret");
	bool		right = false;

	if (given == NULL)
		return false;
	for (int i = 0; i < secrets->n_webhook_secrets; i++)
		right |= secrets_equal(given, secrets->webhook_secrets[i]);
	return right;
}

static Datum
answer(bool success, const char *key, const char *text, int64 queued, int64 skipped)
{
	StringInfoData out;

	initStringInfo(&out);
	json_object_start(&out);
	json_key(&out, "success");
	json_literal(&out, success ? "true" : "false");
	if (text != NULL)
		json_key_string(&out, key, text);
	if (success)
	{
		json_key(&out, "queued");
		json_int64(&out, queued);
		json_key(&out, "skipped");
		json_int64(&out, skipped);
	}
	json_object_end(&out);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(out.data));
}

static void
add_lead(List **leads, JsonbValue *value)
{
	WebhookLead *lead;

	if (json_value_object(value) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lead number %d of the body is not an object", list_length(*leads) + 1),
				 errhidestmt(true)));
	lead = palloc0(sizeof(WebhookLead));
	lead->object = JsonbValueToJsonb(value);
	lead->lead = lead_from_jsonb(lead->object);
	lead->id = lead->lead->id;
	if (lead->id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lead number %d of the body has no id", list_length(*leads) + 1),
				 errhidestmt(true)));
	lead_id_require(lead->id);
	*leads = lappend(*leads, lead);
}

/* {user_id, lead: {...}} or {user_id, leads: [...]}. */
static List *
read_body(Jsonb *body, char **user_id)
{
	JsonbValue *one = NULL;
	JsonbContainer *many = NULL;
	List	   *leads = NIL;

	if (JB_ROOT_IS_OBJECT(body))
	{
		*user_id = json_get_text(&body->root, "user_id");
		one = json_get(&body->root, "lead");
		many = json_get_array(&body->root, "leads");
	}
	if (!JB_ROOT_IS_OBJECT(body) || *user_id == NULL || (*user_id)[0] == '\0' ||
		(one == NULL) == (many == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the body is not {\"user_id\": ..., \"lead\": {...}} or {\"user_id\": ..., \"leads\": [...]}"),
				 errhidestmt(true)));
	if (one != NULL)
		add_lead(&leads, one);
	else if (json_array_length(many) > WEBHOOK_MAX_LEADS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the body has more than %d leads", WEBHOOK_MAX_LEADS),
				 errhidestmt(true)));
	else
	{
		for (int i = 0; i < json_array_length(many); i++)
			add_lead(&leads, json_array_element(many, i));
	}
	return leads;
}

/*
 * The lead is queued whatever the rule says of it: the newest word of it counts,
 * and the worker refuses by it what older ones would still send.  The answer tells
 * what the rule says of what was sent.
 */
static void
queue_snapshot(Enqueue *enqueue, const Target *target, const WebhookLead *lead, const LeadFacts *facts)
{
	(void) enqueue_lead(enqueue, target, lead->id, 0, NULL, JsonbPGetDatum(lead->object));
	if (enqueue_refusal(target, facts) == REFUSAL_NONE)
		return;
	enqueue->n_queued--;
	enqueue->n_refused++;
}

static void
queue_leads(Enqueue *enqueue, List *leads, const char *user_id)
{
	const TargetList *list = targets_of_user(user_id);
	ListCell   *lc;

	foreach(lc, leads)
	{
		WebhookLead *lead = lfirst(lc);
		LeadFacts	facts = lead_facts(lead->lead);

		for (int i = 0; i < list->n; i++)
		{
			const Target *target = &list->targets[i];

			if (target->settings->auto_sync)
				queue_snapshot(enqueue, target, lead, &facts);
		}
	}
	enqueue_write(enqueue);
}

/*
 * The connected user that the body names: by exactly this text, or as some
 * attached table understands it.
 */
static const char *
find_user(const char *user_id)
{
	ListCell   *lc;

	if (targets_of_user(user_id)->n > 0)
		return user_id;
	foreach(lc, lead_sources_load())
	{
		const char *meant = lead_source_user(lfirst(lc), user_id);

		if (meant != NULL && targets_of_user(meant)->n > 0)
			return meant;
	}
	return user_id;
}

static Datum
lead_created_hidden(FunctionCallInfo fcinfo)
{
	char	   *user_id = NULL;
	List	   *leads;
	Enqueue    *enqueue;
	int64		queued,
				refused;

	if (!secret_is_right())
	{
		rest_set_status("401");
		PG_RETURN_DATUM(answer(false, "error", "invalid or missing x-webhook-secret", 0, 0));
	}
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the body must not be null")));
	leads = read_body(PG_GETARG_JSONB_P(0), &user_id);

	SPI_connect();
	db_use_extension();
	enqueue = enqueue_begin("webhook", 0, 0);
	queue_leads(enqueue, leads, find_user(user_id));
	queued = enqueue->n_queued;
	refused = enqueue->n_refused;
	SPI_finish();
	rest_set_status("202");
	PG_RETURN_DATUM(answer(true, NULL, NULL, queued, refused));
}

Datum
echosync_webhook_lead_created(PG_FUNCTION_ARGS)
{
	return call_hidden(lead_created_hidden, fcinfo);
}
