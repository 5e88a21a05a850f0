/*
 * link.h
 *		Reading rows of crm_lead_links.
 */
#ifndef ECHOSYNC_DB_LINK_H
#define ECHOSYNC_DB_LINK_H

#include "crm/crm.h"

/* The columns that link_from_row reads, of a table with the alias l. */
#define LINK_COLUMNS \
	"l.crm_record_id, l.matched_by, l.payload_hash, l.note_hash, l.created_at, l.announced_at, l.crm_account"
#define LINK_N_COLUMNS 7

/*
 * Of the links of a lead: those of this account, NULL where it is not known.
 * One without an account is of the connection as it is.
 */
#define LINK_OF_ACCOUNT(account) "(l.crm_account IS NULL OR l.crm_account = " account ")"

/*
 * The record that another lead with the same phone number or e-mail is linked to:
 * conditions and order, for links l of one connection.  A record that we made
 * comes first: the CRM may not show it yet.  Any other proves nothing, since people
 * share numbers and addresses; then the CRM is asked, which has the names.
 */
#define LINK_KNOWN_BY_PHONE(hash) \
	"l.phone_hash = " hash " ORDER BY (l.matched_by = 'created') DESC, l.created_at LIMIT 1"
#define LINK_KNOWN_BY_EMAIL(hash) \
	"l.email_hash = " hash " ORDER BY (l.matched_by = 'created') DESC, l.created_at LIMIT 1"

/*
 * Fill a link from columns first, first + 1, ... of an SPI row; strings go to
 * the current memory context.  Without a row (outer join) it is not linked.
 */
extern void link_from_row(uint64 row, int first, CrmLink *link);

/* crm_account of a connection as links have it: the account without its user. */
extern char *link_account(const char *crm_account);

/*
 * How a record is a lead's that another lead of its connection is linked to by its
 * phone number or its e-mail.  phone, email: columns of an SPI row with a link's
 * crm_record_id, payload_hash and matched_by = 'created'.  CRM_MATCH_NONE: two records,
 * or one that was found: a search is to judge.
 */
extern CrmMatch link_known_match(uint64 row, int phone, int email, const CrmLead *lead,
								 const IntegrationSettings *settings);

#endif							/* ECHOSYNC_DB_LINK_H */
