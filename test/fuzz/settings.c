/*
 * settings.c
 *		Fuzz target: the settings of a connection as a user gives them.
 *
 * They are merged, or refused with one SQLSTATE; merging what was merged
 * changes nothing; the limit of the risk score is lifted by null alone.
 */
#include "fuzz.h"

#include "crm/json.h"
#include "crm/integration_settings.h"

typedef struct MergeInput
{
	Jsonb	   *base;
	Jsonb	   *changes;
	const char *crm_type;
	Jsonb	   *merged;
} MergeInput;

static void
merge(void *arg)
{
	MergeInput *input = arg;

	input->merged = integration_settings_merge(input->base, input->changes, input->crm_type);
}

static void
judge_merged(Jsonb *changes, Jsonb *merged, const char *crm_type)
{
	IntegrationSettings *settings = integration_settings_parse(merged);
	JsonbValue *limit = json_get(&changes->root, "max_risk_score");
	Jsonb	   *again;

	again = integration_settings_merge(merged, NULL, crm_type);
	PROMISE(compareJsonbContainers(&merged->root, &again->root) == 0);
	again = integration_settings_merge(merged, merged, crm_type);
	PROMISE(compareJsonbContainers(&merged->root, &again->root) == 0);

	PROMISE(settings->has_max_risk_score == (limit == NULL || limit->type != jbvNull));
	PROMISE(settings->max_risk_score >= 0 && settings->max_risk_score <= 1000);
	PROMISE(settings->source != NULL && settings->source[0] != '\0');
	PROMISE(settings->delivery == DELIVERY_QUIET || strcmp(crm_type, "followupboss") == 0);
	PROMISE(settings->assigned_user_id >= 0);
	PROMISE(list_length(settings->tags) <= 20);
	if (json_get_object(&changes->root, "custom_fields") != NULL)
		PROMISE(list_length(settings->custom_fields) ==
				JsonContainerSize(json_get_object(&changes->root, "custom_fields")));
}

void
fuzz_settings(const char *data, size_t size)
{
	static const char *const crm_types[] = {"lofty", "followupboss"};
	Jsonb	   *changes = fuzz_jsonb(fuzz_text(data, size));
	int			sqlstate;

	if (changes == NULL)
		return;
	(void) integration_settings_parse(changes);
	for (int i = 0; i < lengthof(crm_types); i++)
	{
		MergeInput	input = {NULL, changes, crm_types[i], NULL};

		if (fuzz_error(merge, &input, &sqlstate))
			judge_merged(changes, input.merged, crm_types[i]);
		else
			PROMISE(sqlstate == ERRCODE_INVALID_PARAMETER_VALUE);
	}
}
