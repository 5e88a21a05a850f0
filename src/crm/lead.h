/*
 * lead.h
 *		The canonical lead: what an app's row means, whatever its columns are
 *		called, and whether it may be contacted.
 *
 * Not here: how a CRM wants it written (lofty.c, followupboss.c), and where
 * rows come from (api/capture.c, worker/read.c).
 */
#ifndef ECHOSYNC_LEAD_H
#define ECHOSYNC_LEAD_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "crm/integration_settings.h"

/*
 * The fields of a lead that can be mapped to columns.  The order is part of
 * the stored format of crm_lead_links.payload_hash: only append.  Those behind
 * deleted_at only say what others are, and have no digest.
 */
typedef enum LeadField
{
	LEAD_FIELD_ID = 0,
	LEAD_FIELD_USER_ID,
	LEAD_FIELD_PHONE,
	LEAD_FIELD_FIRST_NAME,
	LEAD_FIELD_LAST_NAME,
	LEAD_FIELD_EMAIL,
	LEAD_FIELD_ADDRESS,
	LEAD_FIELD_CITY,
	LEAD_FIELD_STATE,
	LEAD_FIELD_ZIP_CODE,
	LEAD_FIELD_RISK_SCORE,
	LEAD_FIELD_DO_NOT_CONTACT,
	LEAD_FIELD_TAGS,
	LEAD_FIELD_NOTES,
	LEAD_FIELD_SOURCE,
	LEAD_FIELD_DELETED_AT,
	LEAD_FIELD_NAME,			/* first and last name in one */
	LEAD_FIELD_MAY_CONTACT		/* consents, of which none must be denied */
} LeadField;
#define LEAD_FIELD_COUNT (LEAD_FIELD_MAY_CONTACT + 1)
#define LEAD_DIGEST_FIELDS (LEAD_FIELD_DELETED_AT + 1)

/*
 * No text of a lead is longer than this, in characters where it is read from
 * a column and in bytes where it is taken over: far more than a CRM takes, and
 * a bound on what one row can cost the worker.
 */
#define LEAD_TEXT_MAX 65536

/* "id", "user_id", ...: the keys of a mapping and of a webhook's lead. */
extern const char *const lead_field_names[LEAD_FIELD_COUNT];

/* Does it say who must not be contacted? */
static inline bool
lead_field_protects(LeadField field)
{
	return field == LEAD_FIELD_DO_NOT_CONTACT || field == LEAD_FIELD_MAY_CONTACT ||
		field == LEAD_FIELD_DELETED_AT || field == LEAD_FIELD_RISK_SCORE;
}

/* -1 when the name is none of the above. */
extern int	lead_field_by_name(const char *name, size_t len);

/* What a score is: there is none, a number from 0 on, or something else. */
typedef enum LeadScore
{
	LEAD_SCORE_NONE = 0,
	LEAD_SCORE_READ,
	LEAD_SCORE_UNREADABLE
} LeadScore;

/* What an opt-out says.  In this order, the stricter is the greater. */
typedef enum LeadFlag
{
	LEAD_FLAG_NO = 0,
	LEAD_FLAG_UNREADABLE,		/* a word that may say anything: refuse, raise no flag */
	LEAD_FLAG_YES
} LeadFlag;

/* A lead, normalised.  NULL means absent; no string is ever empty. */
typedef struct CrmLead
{
	char	   *id;
	char	   *user_id;
	char	   *phone;			/* as CRMs want it: ten digits for North America,
								 * else E.164 with "+"; NULL if unusable */
	char	   *phone_key;		/* digits that identify the number: ten for North
								 * America, else country code and number */
	char	   *first_name;
	char	   *last_name;
	char	   *email;			/* trimmed, lower case; NULL if unusable */
	char	   *address;
	char	   *city;
	char	   *state;
	char	   *zip_code;
	LeadScore	score;
	double		risk_score;		/* 0 unless read */
	char	   *risk_score_text;	/* canonical JSON number, NULL if unscored */
	bool		do_not_contact;
	bool		do_not_contact_unreadable;	/* and not set otherwise */
	bool		deleted;
	List	   *tags;			/* of char *, trimmed, no duplicates */
	char	   *notes;
	char	   *source;
} CrmLead;

/*
 * Why a lead is not sent.  The names of the contract (crm_sync_logs.reason)
 * are in refusal_names, in this order.
 */
typedef enum LeadRefusal
{
	REFUSAL_NONE = 0,
	REFUSAL_RISK_ABOVE_LIMIT,
	REFUSAL_RISK_UNSCORED,
	REFUSAL_NO_CONTACT_KEY,
	REFUSAL_DO_NOT_CONTACT,
	REFUSAL_LEAD_DELETED,
	REFUSAL_UNCHANGED,
	REFUSAL_AMBIGUOUS_MATCH,
	REFUSAL_IGNORED_BY_CRM,
	REFUSAL_DISCONNECTED,
	REFUSAL_ID_TOO_LONG,
	REFUSAL_RISK_UNREADABLE,
	REFUSAL_DO_NOT_CONTACT_UNREADABLE
} LeadRefusal;
extern const char *const lead_refusal_names[];

/*
 * Build a lead from an object keyed by lead_field_names: a row read from an
 * app's table, or a webhook's lead.  Values of any JSON type are accepted and
 * read for what they mean (see lead_value.h); unknown keys are ignored, but that
 * "phone_number" and "zip" stand in for an absent phone and zip_code.  id and
 * user_id are kept to the byte.  The result lives in the current memory
 * context.
 */
extern CrmLead *lead_from_jsonb(Jsonb *object);

/* A field as text, for people; tags as "a, b".  NULL: absent, or never sent. */
extern const char *lead_field_text(const CrmLead *lead, LeadField field);

/* Are two parts of addresses the same, however they are spelled?  NULL is as good as blank. */
extern bool lead_address_same(LeadField field, const char *one, const char *other);

/* In Unicode's form C, so that composed and decomposed letters are one; the text itself where it has none. */
extern char *lead_nfc(char *text);

/* Append the lead as JSON that lead_from_jsonb reads back (lead_json.c). */
extern void lead_to_json(const CrmLead *lead, StringInfo out);

/* Do they say the same, whatever their columns held (lead_json.c)? */
extern bool lead_same(const CrmLead *one, const CrmLead *other);

/*
 * The facts the rule needs, from text as type output functions give it; what
 * the trigger uses, where building a whole lead would cost too much.
 */
extern LeadFlag lead_text_opt_out(const char *text);
extern LeadFlag lead_text_no_consent(const char *text);	/* YES: it is denied */
extern LeadFlag lead_text_is_deletion(const char *text);	/* not one that is to come */
extern LeadScore lead_text_to_score(const char *text, double *score);

/* A decimal number, with exponent or not, or "Infinity"; false for anything else. */
extern bool lead_text_to_number(const char *text, double *number);

/*
 * The first usable phone number of a cell, by its key, and e-mail address, as it is
 * compared and sent (lower case); NULL: none.  A cell may be a list, JSON or an
 * array's text.
 */
extern char *lead_phone(const char *text);
extern char *lead_email(const char *text);

/*
 * May this lead be sent?  The one rule, evaluated when the lead is queued and
 * again when it is sent.  has_phone/has_email: is the key usable.
 * flags_records: can this CRM carry a do-not-contact flag (then a lead that
 * must not be contacted is let through, for the provider to raise the flag on
 * a record that exists, and to refuse otherwise).
 */
typedef struct LeadFacts
{
	bool		deleted;
	LeadFlag	do_not_contact;
	bool		has_contact_key;
	LeadScore	score;
	double		risk_score;
} LeadFacts;

extern LeadFacts lead_facts(const CrmLead *lead);
extern LeadRefusal lead_refusal(const LeadFacts *facts,
								const IntegrationSettings *settings,
								bool flags_records);

/*
 * Digest of what would be sent, LEAD_DIGEST_LEN bytes a field in LeadField
 * order.  Two equal digests mean that the CRM needs no call; a differing slot
 * says which field changed.  settings: its tags and the labels of its custom
 * fields count as part of the fields they feed.
 *
 * A slot is zero when the field has no value or is not sent.  id, user_id,
 * risk_score and source are sent only where a custom field takes them (the
 * source otherwise at creation only), do_not_contact otherwise only when set,
 * deleted_at never.  Neither the order of tags nor the spelling of the phone
 * number and the address counts.
 *
 * In a stored digest a slot is the complement of the field's own where the
 * record has something else, which is not ours to change (lead_digest_withhold):
 * nothing is left to write, and the record is not known to have the value.
 */
#define LEAD_DIGEST_LEN 8
#define LEAD_DIGEST_SIZE (LEAD_DIGEST_LEN * LEAD_DIGEST_FIELDS)
extern void lead_digest(const CrmLead *lead,
						const IntegrationSettings *settings,
						uint8 digest[LEAD_DIGEST_SIZE]);

/* One field's slot as 1.0 made it: where the spelling of an address counted. */
extern void lead_digest_spelled(const CrmLead *lead, const IntegrationSettings *settings, LeadField field,
								uint8 slot[LEAD_DIGEST_LEN]);
extern bool lead_digest_differs(const uint8 *a, const uint8 *b, LeadField field);
extern bool lead_digest_has(const uint8 *digest, LeadField field);
extern void lead_digest_withhold(uint8 *digest, LeadField field);

/*
 * 16 bytes that identify a phone key or an e-mail within one integration
 * (SHA-256 of integration id, kind and key), for crm_lead_links: finds a
 * record that we wrote a moment ago and that the CRM does not index yet.
 */
#define LEAD_KEY_HASH_LEN 16
extern void lead_key_hash(const char *integration_id, char kind,
						  const char *key, uint8 hash[LEAD_KEY_HASH_LEN]);

#endif							/* ECHOSYNC_LEAD_H */
