/*
 * mailbox.h
 *		How a backend asks the worker to speak to a CRM for it.
 *
 * Only the worker speaks HTTP.  A backend that needs an answer from a CRM
 * posts a request in a slot of shared memory and waits, interruptibly; the
 * worker takes it, does it, and leaves the reply in the slot.
 */
#ifndef ECHOSYNC_MAILBOX_H
#define ECHOSYNC_MAILBOX_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

#define MAIL_SECRET_SIZE 8192
#define MAIL_NAME_SIZE 256
#define MAIL_SETTINGS_SIZE 32768

typedef enum MailKind
{
	MAIL_NONE = 0,
	MAIL_TEST_KEY,				/* does this API key work */
	MAIL_TEST_CONNECTION,		/* does the stored credential work */
	MAIL_EXCHANGE,				/* OAuth: consume the state, exchange the code */
	MAIL_EXCHANGE_AND_STORE,	/* the same, and the worker writes the outcome */
	MAIL_REACH					/* can a host be reached, certificate and all */
} MailKind;

typedef struct MailRequest
{
	MailKind	kind;
	char		crm_type[32];
	pg_uuid_t	integration;	/* MAIL_TEST_CONNECTION; else decides the worker */
	char		user_id[MAIL_NAME_SIZE];	/* empty: the state alone decides */
	char		secret[MAIL_SECRET_SIZE];	/* API key, or OAuth code */
	char		state[MAIL_NAME_SIZE];	/* MAIL_REACH: the URL */
} MailRequest;

typedef struct MailReply
{
	bool		ok;
	char		error_code[64];
	char		error_message[MAIL_NAME_SIZE];
	char		error_hint[MAIL_NAME_SIZE]; /* not_sending: what to do */
	int			http_status;
	char		account_id[MAIL_NAME_SIZE];
	char		account_label[MAIL_NAME_SIZE];
	char		user_id[MAIL_NAME_SIZE];	/* MAIL_EXCHANGE*: whose state it was */
	char		crm_type[32];
	char		settings[MAIL_SETTINGS_SIZE];	/* MAIL_EXCHANGE: as given to authorize */
	char		secret[MAIL_SECRET_SIZE];	/* access token */
	char		refresh_token[MAIL_SECRET_SIZE];
	TimestampTz expires_at;
	pg_uuid_t	integration;	/* MAIL_EXCHANGE_AND_STORE */
} MailReply;

/* What a question that a worker has taken waits for. */
typedef enum MailWait
{
	MAIL_WAITS_FOR_TURN = 0,	/* a limit, a place, its connection */
	MAIL_WAITS_FOR_CREDENTIAL,	/* a refreshed token that cannot be stored */
	MAIL_WAITS_FOR_REPLY		/* a request is under way */
} MailWait;

extern Size mailbox_shared_size(void);
extern void mailbox_shared_startup(void);

typedef enum MailOutcome
{
	MAIL_ANSWERED = 0,
	MAIL_NO_WORKER,				/* within 5 s, or the time given */
	MAIL_FULL,
	MAIL_PENDING,				/* no answer yet; the worker goes on with it */
	MAIL_NOT_TAKEN,				/* no worker had time for it */
	MAIL_NOT_SENT,				/* nothing could be sent for it in time, */
	MAIL_NOT_STORED,			/* since a token could not be stored */
	MAIL_NO_REPLY				/* the CRM did not answer */
} MailOutcome;

/*
 * Ask and wait, for timeout_ms or as long as mailbox_ask does (-1).  ERROR on interrupts, and in
 * the worker itself; the slot is wiped on every path out.  The caller wipes
 * request and reply.
 */
extern MailOutcome mailbox_try(const MailRequest *request, MailReply *reply, int timeout_ms);

/* The same for several at once; an outcome each. */
extern void mailbox_try_all(const MailRequest *requests, MailReply *replies,
							MailOutcome *outcomes, int n, int timeout_ms);

/*
 * One, and an ERROR for what is no answer.  It comes in time: five seconds until
 * a worker takes the question, the two timeouts of a request for each that is
 * under way for it, and ten seconds where none is.  Then connection_failure
 * (08006), which says what was waited for.
 */
extern void mailbox_ask(const MailRequest *request, MailReply *reply);

/*
 * Worker side.  Take a request of this database (and share of connections);
 * false when there is none.  Every taken request must be answered; an answer
 * whose asker has gone is dropped.
 */
typedef struct MailTicket
{
	int			slot;
	uint64		generation;
} MailTicket;

extern bool mailbox_take(Oid database, int index, int n_workers,
						 MailTicket *ticket, MailRequest *request);
extern void mailbox_answer(const MailTicket *ticket, const MailReply *reply);

/* Does the asker still wait? */
extern bool mailbox_is_awaited(const MailTicket *ticket);

/* Tell the asker what its question waits for now. */
extern void mailbox_progress(const MailTicket *ticket, MailWait wait);

/* Answer what this worker has taken and not answered: it is ending. */
extern void mailbox_fail_taken(void);

#endif							/* ECHOSYNC_MAILBOX_H */
