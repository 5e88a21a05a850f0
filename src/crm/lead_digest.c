/*
 * lead_digest.c
 *		Digests of what would be sent of a lead, and of the keys it is found by.
 *
 * The stored format is that of crm_lead_links: what is hashed here, and in
 * which order, must not change.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "utils/resowner.h"

#include "crm/json.h"
#include "crm/lead_value.h"

/*
 * One hash state for many digests.  The server's hash functions register
 * with the current resource owner and crash where there is none, as in a
 * worker outside a transaction: then a temporary one is made.
 */
typedef struct Hasher
{
	pg_cryptohash_ctx *hash;
	ResourceOwner temporary_owner;	/* NULL: there was one */
} Hasher;

static void
hasher_open(Hasher *hasher)
{
	hasher->temporary_owner = NULL;
	if (CurrentResourceOwner == NULL)
	{
		hasher->temporary_owner = ResourceOwnerCreate(NULL, "echosync digest");
		CurrentResourceOwner = hasher->temporary_owner;
	}
	hasher->hash = pg_cryptohash_create(PG_SHA256);
}

static void
hasher_close(Hasher *hasher)
{
	pg_cryptohash_free(hasher->hash);
	if (hasher->temporary_owner != NULL)
	{
		CurrentResourceOwner = NULL;
		ResourceOwnerDelete(hasher->temporary_owner);
	}
}

static void
hasher_failed(Hasher *hasher)
{
	hasher_close(hasher);
	elog(ERROR, "could not compute a SHA-256 digest");
}

static void
hasher_start(Hasher *hasher)
{
	if (hasher->hash == NULL || pg_cryptohash_init(hasher->hash) < 0)
		hasher_failed(hasher);
}

/* Length first, so that no two lists of texts are the same bytes. */
static void
hasher_add(Hasher *hasher, const char *text)
{
	size_t		len = strlen(text);
	uint8		prefix[4];

	prefix[0] = (uint8) (len >> 24);
	prefix[1] = (uint8) (len >> 16);
	prefix[2] = (uint8) (len >> 8);
	prefix[3] = (uint8) len;
	if (pg_cryptohash_update(hasher->hash, prefix, sizeof(prefix)) < 0 ||
		pg_cryptohash_update(hasher->hash, (const uint8 *) text, len) < 0)
		hasher_failed(hasher);
}

static void
hasher_finish(Hasher *hasher, uint8 *digest, size_t len)
{
	uint8		full[PG_SHA256_DIGEST_LENGTH];

	if (pg_cryptohash_final(hasher->hash, full, sizeof(full)) < 0)
		hasher_failed(hasher);
	memcpy(digest, full, len);
}

static int
compare_text(const ListCell *a, const ListCell *b)
{
	return strcmp((const char *) lfirst(a), (const char *) lfirst(b));
}

/* The tags a CRM is to have, as one text in which their order is lost. */
static char *
tags_text(const CrmLead *lead, const IntegrationSettings *settings)
{
	List	   *tags = list_copy(lead->tags);
	StringInfoData out;
	ListCell   *lc;

	foreach(lc, settings->tags)
	{
		if (!lead_tags_contain(tags, (const char *) lfirst(lc)))
			tags = lappend(tags, lfirst(lc));
	}
	if (tags == NIL)
		return NULL;
	list_sort(tags, compare_text);

	initStringInfo(&out);
	foreach(lc, tags)
		json_string(&out, (const char *) lfirst(lc));
	return out.data;
}

/* The label under which a custom field takes this field, or NULL. */
static const char *
custom_label(const IntegrationSettings *settings, LeadField field)
{
	ListCell   *lc;

	foreach(lc, settings->custom_fields)
	{
		const CustomFieldSetting *custom = (const CustomFieldSetting *) lfirst(lc);

		if (custom->field == (int) field)
			return custom->label;
	}
	return NULL;
}

/*
 * What would be sent of a field, or NULL.  The phone's key stands for its
 * form: another spelling of one number is no change.  Nor is one of an address.
 */
static const char *
sent_text(const CrmLead *lead, const IntegrationSettings *settings,
		  LeadField field, bool has_label)
{
	switch (field)
	{
		case LEAD_FIELD_PHONE:
			return lead->phone_key;
		case LEAD_FIELD_TAGS:
			return tags_text(lead, settings);
		case LEAD_FIELD_DO_NOT_CONTACT:
			/* the flag is only ever raised; a custom field has both */
			return lead->do_not_contact || has_label ? lead_field_text(lead, field) : NULL;

			/*
			 * Of these a CRM is told through custom fields only: a score has
			 * no other place, and the source is for creation.
			 */
		case LEAD_FIELD_SOURCE:
			if (has_label && lead->source == NULL)
				return settings->source;
			/* FALLTHROUGH */
		case LEAD_FIELD_ID:
		case LEAD_FIELD_USER_ID:
		case LEAD_FIELD_RISK_SCORE:
			return has_label ? lead_field_text(lead, field) : NULL;
		default:
			return lead_field_text(lead, field);
	}
}

static void
digest_slot(Hasher *hasher, LeadField field, const char *text, const char *label, uint8 slot[LEAD_DIGEST_LEN])
{
	hasher_start(hasher);
	hasher_add(hasher, lead_field_names[field]);
	hasher_add(hasher, text);
	if (label != NULL)
		hasher_add(hasher, label);
	hasher_finish(hasher, slot, LEAD_DIGEST_LEN);
}

void
lead_digest(const CrmLead *lead, const IntegrationSettings *settings,
			uint8 digest[LEAD_DIGEST_SIZE])
{
	Hasher		hasher;
	int			field;

	memset(digest, 0, LEAD_DIGEST_SIZE);
	hasher_open(&hasher);
	for (field = 0; field < LEAD_DIGEST_FIELDS; field++)
	{
		const char *label = custom_label(settings, (LeadField) field);
		const char *text = sent_text(lead, settings, (LeadField) field,
									 label != NULL);

		if (text != NULL)
			digest_slot(&hasher, field, lead_address_spelling(field, text), label, digest + field * LEAD_DIGEST_LEN);
	}
	hasher_close(&hasher);
}

void
lead_digest_spelled(const CrmLead *lead, const IntegrationSettings *settings, LeadField field,
					uint8 slot[LEAD_DIGEST_LEN])
{
	const char *label = custom_label(settings, field);
	const char *text = sent_text(lead, settings, field, label != NULL);
	Hasher		hasher;

	memset(slot, 0, LEAD_DIGEST_LEN);
	if (text == NULL)
		return;
	hasher_open(&hasher);
	digest_slot(&hasher, field, text, label, slot);
	hasher_close(&hasher);
}

bool
lead_digest_differs(const uint8 *a, const uint8 *b, LeadField field)
{
	return memcmp(a + field * LEAD_DIGEST_LEN, b + field * LEAD_DIGEST_LEN,
				  LEAD_DIGEST_LEN) != 0;
}

/* Has the field a value that is sent? */
bool
lead_digest_has(const uint8 *digest, LeadField field)
{
	static const uint8 none[LEAD_DIGEST_LEN] = {0};

	return memcmp(digest + field * LEAD_DIGEST_LEN, none, LEAD_DIGEST_LEN) != 0;
}

/* A slot without a value stays: no record lacks what there is not. */
void
lead_digest_withhold(uint8 *digest, LeadField field)
{
	uint8	   *slot = digest + field * LEAD_DIGEST_LEN;

	if (!lead_digest_has(digest, field))
		return;
	for (int i = 0; i < LEAD_DIGEST_LEN; i++)
		slot[i] = ~slot[i];
}

void
lead_key_hash(const char *integration_id, char kind, const char *key,
			  uint8 hash[LEAD_KEY_HASH_LEN])
{
	const char	kind_text[2] = {kind, '\0'};
	Hasher		hasher;

	hasher_open(&hasher);
	hasher_start(&hasher);
	hasher_add(&hasher, integration_id);
	hasher_add(&hasher, kind_text);
	hasher_add(&hasher, key);
	hasher_finish(&hasher, hash, LEAD_KEY_HASH_LEN);
	hasher_close(&hasher);
}
