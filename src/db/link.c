/*
 * link.c
 *		Reading rows of crm_lead_links.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "crm/record.h"
#include "db/link.h"
#include "db/statement.h"

/* Copy a bytea of exactly this size; false for null or another size. */
static bool
copy_bytes(uint64 row, int column, uint8 *to, int size)
{
	bool		isnull;
	Datum		value = spi_datum(row, column, &isnull);

	if (isnull || VARSIZE_ANY_EXHDR(DatumGetByteaPP(value)) != size)
		return false;
	memcpy(to, VARDATA_ANY(DatumGetByteaPP(value)), size);
	return true;
}

void
link_from_row(uint64 row, int first, CrmLink *link)
{
	char	   *match;
	bool		isnull;
	Datum		created_at;

	memset(link, 0, sizeof(*link));
	link->record_id = spi_text(row, first);
	if (link->record_id == NULL)
		return;
	match = spi_text(row, first + 1);
	for (int m = CRM_MATCH_CREATED; m <= CRM_MATCH_SHARED_EMAIL; m++)
	{
		if (strcmp(match, crm_match_names[m]) == 0)
			link->match = m;
	}
	link->has_digest = copy_bytes(row, first + 2, link->digest, LEAD_DIGEST_SIZE);
	(void) copy_bytes(row, first + 3, link->note_digest, LEAD_DIGEST_LEN);
	created_at = spi_datum(row, first + 4, &isnull);
	link->created_at = isnull ? 0 : DatumGetTimestampTz(created_at);
	link->announced_at = spi_timestamptz(row, first + 5);
}

char *
link_account(const char *crm_account)
{
	return crm_account ? pnstrdup(crm_account, strcspn(crm_account, "/")) : NULL;
}

/* Only their digests are known: alike are those of one first name. */
static CrmNames
names_of(uint64 row, int column, const CrmLead *lead, const IntegrationSettings *settings)
{
	uint8		mine[LEAD_DIGEST_SIZE];
	uint8		theirs[LEAD_DIGEST_SIZE];

	if (!copy_bytes(row, column, theirs, LEAD_DIGEST_SIZE))
		return CRM_NAMES_DIFFER;
	lead_digest(lead, settings, mine);
	if (lead_digest_differs(mine, theirs, LEAD_FIELD_FIRST_NAME))
		return CRM_NAMES_DIFFER;
	if (!lead_digest_differs(mine, theirs, LEAD_FIELD_LAST_NAME))
		return CRM_NAMES_AGREE;
	return lead_digest_has(mine, LEAD_FIELD_FIRST_NAME) ? CRM_NAMES_ALIKE : CRM_NAMES_DIFFER;
}

/* Another one of ours that was created has the names that its lead had. */
CrmMatch
link_known_match(uint64 row, int phone, int email, const CrmLead *lead, const IntegrationSettings *settings)
{
	char	   *by_phone = spi_text(row, phone);
	char	   *by_email = spi_text(row, email);
	int			created = by_phone != NULL && spi_bool(row, phone + 2) ? phone :
		by_email != NULL && spi_bool(row, email + 2) ? email : 0;

	if (created == 0 || (by_phone != NULL && by_email != NULL && strcmp(by_phone, by_email) != 0))
		return CRM_MATCH_NONE;
	return record_match(by_phone != NULL, by_email != NULL, names_of(row, created + 1, lead, settings));
}
