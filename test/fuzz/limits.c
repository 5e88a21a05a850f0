/*
 * limits.c
 *		Fuzz target: what the headers of a reply say of rate limits.
 *
 * Whatever they say, nobody waits longer than the caps, no count is negative,
 * and the context is one that the provider has.  A date counts from the date of
 * the reply, and who was refused waits for a second at least.
 */
#include "fuzz.h"

#include "crm/crm.h"
#include "crm/retry_after.h"

/* Of a date whose year no clock is needed for. */
static bool
read_date(const char *value, int64_t *unix_time)
{
	return value != NULL && strchr(value, '-') == NULL && http_date_read(value, 0, unix_time);
}

static void
judge_hint(const CrmProvider *provider, const HttpReply *reply, int limit_context)
{
	const char *retry_after = http_reply_header(reply, "retry-after");
	const int	least = reply->status == 429 ? 1000 : 0;
	int64_t		until;
	int64_t		sent_at;
	CrmLimitHint hint;

	memset(&hint, 0x5A, sizeof(hint));
	provider->limit_hint(reply, limit_context, &hint);
	PROMISE(hint.limit_context >= 0 && hint.limit_context < provider->n_limits);
	PROMISE(hint.limit >= -1 && hint.remaining >= -1);
	PROMISE(hint.reset_ms >= -1 && hint.reset_ms <= RETRY_AFTER_MAX_MS);
	PROMISE(reply->status != 429 || hint.reset_ms >= 0);
	if (retry_after != NULL && strspn(retry_after, "0123456789") == strlen(retry_after) &&
		retry_after[0] != '\0')
		PROMISE(hint.reset_ms == Max(retry_after_ms(retry_after, 0), least));
	if (read_date(retry_after, &until) && read_date(http_reply_header(reply, "date"), &sent_at))
		PROMISE(hint.reset_ms == Min(Max((until - sent_at) * 1000, least), RETRY_AFTER_MAX_MS));
}

/* A limit is asked of whole responses only. */
void
fuzz_limits(const char *data, size_t size)
{
	char	   *text = fuzz_text(data, size);
	const CrmProvider *provider;
	HttpReply	reply;

	while (fuzz_reply(&text, &reply))
	{
		for (int i = 0; (provider = crm_provider_by_index(i)) != NULL; i++)
		{
			for (int c = 0; c < provider->n_limits; c++)
				judge_hint(provider, &reply, c);
		}
	}
}
