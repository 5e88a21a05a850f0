/*
 * crm.c
 *		The list of CRM providers, and what they share: how a request starts,
 *		how a session ends, and what a failure below the CRM's own words means.
 *
 * Not here: any CRM's API (lofty.c, followupboss.c), who waits after a
 * failure and how long (worker/).  Raises no error but out-of-memory.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "crm/crm.h"
#include "crm/json.h"
#include "crm/retry_after.h"

/* Less than the fields of the mailbox that a label goes through. */
#define CRM_LABEL_BYTES 250

/* The shortest wait after a 429 that says how long. */
#define CRM_REFUSED_MIN_MS 1000

static const CrmProvider *const provider_list[] = {
#define CRM_PROVIDER(name) &name##_provider,
#include "crm/providers.h"
#undef CRM_PROVIDER
};

const char *const crm_match_names[] = {
	"none", "created", "email", "phone", "shared_phone", "shared_email"
};
StaticAssertDecl(lengthof(crm_match_names) == CRM_MATCH_SHARED_EMAIL + 1,
				 "crm_match_names must follow CrmMatch");

void
crm_define_settings(void)
{
	for (int i = 0; i < lengthof(provider_list); i++)
		provider_list[i]->define_settings();
}

char *
crm_provider_names(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(provider_list); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", provider_list[i]->crm_type);
	return names.data;
}

int
crm_provider_count(void)
{
	return lengthof(provider_list);
}

int
crm_provider_index(const CrmProvider *provider)
{
	int			i = 0;

	while (provider_list[i] != provider)
	{
		i++;
		Assert(i < lengthof(provider_list));
	}
	return i;
}

const CrmProvider *
crm_provider_by_index(int index)
{
	if (index < 0 || index >= lengthof(provider_list))
		return NULL;
	return provider_list[index];
}

const CrmProvider *
crm_provider_by_type(const char *crm_type)
{
	int			i;

	if (crm_type == NULL)
		return NULL;
	for (i = 0; i < lengthof(provider_list); i++)
	{
		if (strcmp(provider_list[i]->crm_type, crm_type) == 0)
			return provider_list[i];
	}
	return NULL;
}

void
crm_request_start(CrmSession *session, const char *method,
				  const char *base, const char *path)
{
	CrmRequest *request = &session->request;
	MemoryContext old_context = MemoryContextSwitchTo(session->context);

	MemSet(request, 0, sizeof(CrmRequest));
	request->method = method;
	request->url = psprintf("%s%s", base, path);
	initStringInfo(&request->body);

	MemoryContextSwitchTo(old_context);
}

/* ------------------------------------------------------------------------
 * Endings
 * ------------------------------------------------------------------------ */

/* An outcome without content; what the last reply said of HTTP is kept. */
static CrmOutcome *
start_outcome(CrmSession *session, CrmStatus status)
{
	CrmOutcome *outcome = &session->outcome;

	outcome->status = status;
	outcome->write = CRM_WRITE_NONE;
	outcome->reason = REFUSAL_NONE;
	outcome->error_class = CRM_ERROR_NONE;
	outcome->error_code = NULL;
	outcome->error_message = NULL;
	return outcome;
}

CrmAction
crm_success(CrmSession *session, CrmWrite write)
{
	start_outcome(session, CRM_STATUS_SUCCESS)->write = write;
	return CRM_ACTION_DONE;
}

CrmAction
crm_skip(CrmSession *session, LeadRefusal reason)
{
	start_outcome(session, CRM_STATUS_SKIPPED)->reason = reason;
	return CRM_ACTION_DONE;
}

CrmAction
crm_fail(CrmSession *session, CrmErrorClass error_class,
		 const char *code, const char *message)
{
	CrmOutcome *outcome = start_outcome(session, CRM_STATUS_FAILED);

	/* where there is no lead, it is no lead's failure; one may end before its task */
	if (session->task != CRM_TASK_SYNC && session->task != CRM_TASK_NONE &&
		(error_class == CRM_ERROR_LEAD_FINAL || error_class == CRM_ERROR_LEAD_RETRY))
		error_class = CRM_ERROR_CONNECTION;
	outcome->error_class = error_class;
	outcome->error_code = code;
	outcome->error_message = message;
	return CRM_ACTION_DONE;
}

/* ------------------------------------------------------------------------
 * Failures that are not the CRM's to explain
 * ------------------------------------------------------------------------ */

/* End the session in failure.  message is ours and has one %s: the CRM's name. */
static bool
transport_fail(CrmSession *session, CrmErrorClass error_class,
			   const char *code, const char *message)
{
	MemoryContext old_context = MemoryContextSwitchTo(session->context);
	char	   *text = psprintf(message, session->connection->provider->label);

	MemoryContextSwitchTo(old_context);
	(void) crm_fail(session, error_class, code, text);
	return true;
}

/* The class of a failure that may have come after a create was carried out. */
static CrmErrorClass
unless_created(bool maybe_created, CrmErrorClass error_class)
{
	return maybe_created ? CRM_ERROR_UNCERTAIN : error_class;
}

static bool
no_response(CrmSession *session, HttpResult result, bool maybe_created)
{
	switch (result)
	{
		case HTTP_RESULT_RESOLVE:
			return transport_fail(session, CRM_ERROR_CONNECTION, "dns",
								  "The host name of %s could not be resolved.");
		case HTTP_RESULT_CONNECT:
			return transport_fail(session, CRM_ERROR_CONNECTION, "connect",
								  "No connection to %s could be made.");
		case HTTP_RESULT_TLS:
			return transport_fail(session, CRM_ERROR_CONNECTION, "tls",
								  "No secure connection to %s could be made.");
		case HTTP_RESULT_TIMEOUT:
			return transport_fail(session,
								  unless_created(maybe_created, CRM_ERROR_CONNECTION),
								  "timeout",
								  "%s did not answer in time.");
		case HTTP_RESULT_LOST:
			return transport_fail(session,
								  unless_created(maybe_created, CRM_ERROR_CONNECTION),
								  "connection_lost",
								  "The connection to %s broke before its answer was complete.");
		case HTTP_RESULT_TOO_LARGE:
			return transport_fail(session,
								  unless_created(maybe_created, CRM_ERROR_LEAD_RETRY),
								  "reply_too_large",
								  "The answer of %s was too large to read.");
		case HTTP_RESULT_CANCELLED:
			return transport_fail(session,
								  unless_created(maybe_created, CRM_ERROR_LEAD_RETRY),
								  "cancelled",
								  "The request to %s was cancelled.");
		case HTTP_RESULT_NONE:
		case HTTP_RESULT_INTERNAL:
		case HTTP_RESULT_RESPONSE:	/* not a case of ours */
			break;
	}
	return transport_fail(session,
						  unless_created(maybe_created, CRM_ERROR_LEAD_RETRY),
						  "internal",
						  "The request to %s could not be carried out.");
}

static char *
http_code(CrmSession *session, int status)
{
	MemoryContext old_context = MemoryContextSwitchTo(session->context);
	char	   *code = psprintf("http_%d", status);

	MemoryContextSwitchTo(old_context);
	return code;
}

bool
crm_transport_failed(CrmSession *session, const HttpReply *reply)
{
	const bool	creates = session->request.creates;
	const int	status = reply->status;
	const char *code;
	int64		now_unix;
	int			retry_after;

	session->outcome.http_status = 0;
	session->outcome.retry_after_ms = 0;
	if (reply->result != HTTP_RESULT_RESPONSE)
		return no_response(session, reply->result, creates && reply->maybe_sent);

	session->outcome.http_status = status;
	if (status >= 200 && status < 300)
		return false;
	if (status >= 400 && status < 500 && status != 408 && status != 429)
		return false;

	if (status >= 300 && status < 400)
		return transport_fail(session, CRM_ERROR_LEAD_FINAL, "redirect",
							  "%s answered with a redirect, which is never followed.");

	if (status == 429 || status == 503)
	{
		now_unix = session->now / USECS_PER_SEC +
			(int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
		retry_after = crm_retry_after_ms(reply, now_unix);
		session->outcome.retry_after_ms = Max(retry_after, 0);
	}
	if (status == 429)
		return transport_fail(session, CRM_ERROR_RATE_LIMIT, "rate_limited",
							  "%s asked for fewer requests.");

	code = http_code(session, status);
	if (status == 408)
		return transport_fail(session,
							  unless_created(creates, CRM_ERROR_CONNECTION), code,
							  "%s did not receive the request in time.");
	if (status == 502 || status == 503 || status == 504)
		return transport_fail(session,
							  unless_created(creates, CRM_ERROR_CONNECTION), code,
							  "%s is not available at the moment.");
	if (status >= 500 && status < 600)
		return transport_fail(session,
							  unless_created(creates, CRM_ERROR_LEAD_RETRY), code,
							  "%s reported an error of its own.");

	/* 1xx that ends a reply, or no status at all */
	return transport_fail(session,
						  unless_created(creates, CRM_ERROR_LEAD_RETRY), code,
						  "%s answered in a way that HTTP does not know.");
}

/*
 * A date is by the CRM's clock, so that it counts from what the CRM says the
 * time is: ours may be ahead, and every date would be past.
 */
int
crm_retry_after_ms(const HttpReply *reply, int64 now_unix)
{
	int64_t		sent_at;
	int			wait_ms;

	if (http_date_read(http_reply_header(reply, "date"), now_unix, &sent_at))
		now_unix = sent_at;
	wait_ms = retry_after_ms(http_reply_header(reply, "retry-after"), now_unix);

	/* a refusal that names this very moment would be answered by the next one */
	return wait_ms >= 0 && reply->status == 429 ? Max(wait_ms, CRM_REFUSED_MIN_MS) : wait_ms;
}

/* ------------------------------------------------------------------------
 * Notes and names
 * ------------------------------------------------------------------------ */

void
crm_note_digest(const char *note, uint8 digest[LEAD_DIGEST_LEN])
{
	uint8		hash[LEAD_KEY_HASH_LEN];

	memset(digest, 0, LEAD_DIGEST_LEN);
	if (note == NULL || note[0] == '\0')
		return;

	/* the same hash as of keys, in a domain that no integration id has */
	lead_key_hash("note", 'n', note, hash);
	memcpy(digest, hash, LEAD_DIGEST_LEN);
}

/* Controls (C0, DEL, C1), and marks of direction, of order and of no width. */
static bool
char_is_seen(uint32 c)
{
	return c >= 0x20 && !(c >= 0x7F && c <= 0x9F) && c != 0xAD && c != 0x061C &&
		!(c >= 0x200B && c <= 0x200F) && !(c >= 0x2028 && c <= 0x202E) &&
		!(c >= 0x2060 && c <= 0x206F) && c != 0xFEFF && !(c >= 0xFFF0 && c <= 0xFFFF) &&
		!(c >= 0xE0000 && c <= 0xE0FFF);
}

char *
crm_label(const char *text)
{
	StringInfoData label;

	initStringInfo(&label);
	while (*text != '\0')
	{
		const char *start = text;
		uint32		c = text_next_char(&text);

		if (label.len + (text - start) > CRM_LABEL_BYTES)
			break;
		if (char_is_seen(c))
			appendBinaryStringInfo(&label, start, text - start);
	}
	return label.data;
}

/* Lower case, for the alphabets whose capitals are at a fixed distance. */
static uint32
fold_char(uint32 c)
{
	if (c >= 'A' && c <= 'Z')
		return c + 0x20;
	if (c >= 0xC0 && c <= 0xDE && c != 0xD7)
		return c + 0x20;		/* Latin-1 */
	if ((c >= 0x0391 && c <= 0x03A9) || (c >= 0x0410 && c <= 0x042F))
		return c + 0x20;		/* Greek, Cyrillic */
	if (c >= 0x0400 && c <= 0x040F)
		return c + 0x50;		/* Cyrillic, the letters before its alphabet */
	if ((c >= 0x0100 && c <= 0x012F) || (c >= 0x0132 && c <= 0x0137) ||
		(c >= 0x014A && c <= 0x0177))
		return c | 1;			/* Latin with capitals at even places */
	if ((c >= 0x0139 && c <= 0x0148) || (c >= 0x0179 && c <= 0x017E))
		return c + (c & 1);		/* and at odd ones */
	return c;
}

/* The next character that counts, folded; 0 at the end. */
static uint32
next_name_char(const char **name)
{
	while (**name != '\0')
	{
		uint32		c = text_next_char(name);

		if (c > 0x20 && c != 0x7F && c != 0xA0 && c != 0x202F &&
			!(c >= 0x2000 && c <= 0x200B) && c != 0x3000 && c != 0xFEFF)
			return fold_char(c);
	}
	return 0;
}

static bool
name_agrees(const char *ours, const char *theirs)
{
	const char *a = ours != NULL ? ours : "";
	const char *b = theirs != NULL ? theirs : "";
	uint32		next_a = next_name_char(&a);
	uint32		next_b = next_name_char(&b);

	if (next_a == 0 || next_b == 0)
		return true;
	while (next_a != 0 && next_a == next_b)
	{
		next_a = next_name_char(&a);
		next_b = next_name_char(&b);
	}
	return next_a == next_b;
}

/* A lead's names are composed; a record's may be as the agent's keyboard has made them. */
static const char *
composed(const char *name)
{
	return name != NULL ? lead_nfc(unconstify(char *, name)) : NULL;
}

bool
crm_names_agree(const CrmLead *lead, const char *first, const char *last)
{
	return name_agrees(lead->first_name, composed(first)) &&
		name_agrees(lead->last_name, composed(last));
}

#define NAME_LETTERS_MAX 32
#define SHORT_NAME_MIN 3

/* The letters of a name, folded; how many. */
static int
name_letters(const char *name, uint32 *letters)
{
	int			n = 0;
	uint32		c;

	while (n < NAME_LETTERS_MAX && (c = next_name_char(&name)) != 0)
		letters[n++] = c;
	return n;
}

/*
 * Is one short for the other, as "Dan" for "Daniel" or, where the last letter may be
 * another one, "Dana" for "Danielle"?  Two letters less at least: "Daniela" is
 * somebody else, and so are Mark and Mary.
 */
static bool
is_short_for(const char *one, const char *other, bool whole)
{
	uint32		a[NAME_LETTERS_MAX];
	uint32		b[NAME_LETTERS_MAX];
	int			n_a = name_letters(one, a);
	int			n_b = name_letters(other, b);
	int			n = Min(n_a, n_b);

	return n >= SHORT_NAME_MIN && abs(n_a - n_b) >= 2 &&
		memcmp(a, b, (whole ? n : n - 1) * sizeof(uint32)) == 0;
}

/* The next part of a name of several, as married people have them; NULL: none. */
static char *
next_part(const char **name)
{
	size_t		len;

	*name += strspn(*name, " -");
	len = strcspn(*name, " -");
	*name += len;
	return len > 0 ? pnstrdup(*name - len, len) : NULL;
}

static bool
last_names_alike(const char *ours, const char *theirs)
{
	char	   *a;
	char	   *b;

	if (text_is_blank(ours) || text_is_blank(theirs))
		return true;
	while ((a = next_part(&ours)) != NULL)
	{
		for (const char *rest = theirs; (b = next_part(&rest)) != NULL;)
		{
			if (name_agrees(a, b))
				return true;
		}
	}
	return false;
}

CrmNames
crm_names_compare(const CrmLead *lead, const char *first, const char *last)
{
	bool		nameless = lead->first_name == NULL && lead->last_name == NULL;
	bool		named = !text_is_blank(first) || !text_is_blank(last);

	if (nameless && named)
		return CRM_NAMES_DIFFER;
	if (crm_names_agree(lead, first, last))
		return CRM_NAMES_AGREE;
	if (lead->first_name == NULL || text_is_blank(first))
		return CRM_NAMES_DIFFER;
	if (name_agrees(lead->first_name, first))
		return CRM_NAMES_ALIKE;
	if (name_agrees(lead->last_name, last))	/* or a family: the whole of the short form */
		return is_short_for(lead->first_name, first, true) ? CRM_NAMES_ALIKE : CRM_NAMES_DIFFER;
	return last_names_alike(lead->last_name, last) && is_short_for(lead->first_name, first, false) ?
		CRM_NAMES_ALIKE : CRM_NAMES_DIFFER;
}
