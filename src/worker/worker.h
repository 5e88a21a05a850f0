/*
 * worker.h
 *		What the files of the worker share: connections, jobs, and the turn of
 *		the main loop.  Nobody outside src/worker includes this.
 *
 * Words: a *job* is one session of a provider in work: bringing one lead to
 * one CRM, refreshing a token, or answering a backend.  A *connection* is the
 * worker's memory of one row of crm_integrations.
 */
#ifndef ECHOSYNC_WORKER_H
#define ECHOSYNC_WORKER_H

#include "lib/ilist.h"
#include "lib/pairingheap.h"
#include "nodes/pg_list.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "crm/crm.h"
#include "db/rowset.h"
#include "http/http.h"
#include "worker/budget.h"
#include "worker/mailbox.h"
#include "worker/shared.h"
#include "worker/stats.h"

/* Leads of one connection in work at once, and waiting for their time. */
#define CONNECTION_MAX_ACTIVE 8
#define CONNECTION_MAX_HELD 64

/* A lead written is not written again sooner: changes meanwhile make one call. */
#define SETTLE_MS 2000

/*
 * A call that waits for a limit keeps its place in the mailbox, which all share:
 * it is told to come back if that would take longer.
 */
#define MAIL_PATIENCE_US INT64CONST(10000000)

/* A lead that was in work in so many crashes is given up. */
#define WORKER_MAX_CRASHES 3

typedef enum JobKind
{
	JOB_NONE = 0,
	JOB_LEAD,
	JOB_REFRESH,
	JOB_MAIL
} JobKind;

/*
 * Where a job is.  HELD -> READ -> (COMMIT ->) SEND -> SENDING -> ... ->
 * FINISHED; a LEAD job may go back to HELD.
 */
typedef enum JobState
{
	JOB_STATE_NONE = 0,
	JOB_STATE_HELD,				/* waits for due_at; nothing loaded */
	JOB_STATE_READ,				/* lead is to be read and the session begun */
	JOB_STATE_COMMIT,			/* intent or link must be committed first */
	JOB_STATE_SEND,				/* request waits for a place */
	JOB_STATE_SENDING,			/* with the HTTP engine */
	JOB_STATE_FINISHED			/* outcome is to be committed */
} JobState;

typedef struct QueueRow
{
	int16		priority;
	int64		id;
	int64		run_id;			/* 0: none */
	ItemPointerData place;		/* where it was read */
} QueueRow;

typedef struct Connection Connection;
typedef struct SharedSettings SharedSettings;

/* One CRM's use of the HTTP engine: see places.c. */
typedef struct Places
{
	int			in_flight;
	int			promised;		/* to connections that were waiting */
	int			n_waiting;
	int			n_started;		/* that were let take up leads, this turn */
	int			n_joining;		/* of these, without a lead in work until now */
	int			n_working;		/* connections with jobs in work */
	int			n_starting;		/* length of the second list */
	dlist_head	waiting;		/* connections, by ready_node: for a place */
	dlist_head	starting;		/* ... to take up leads */
} Places;

/* A row of crm_sync_claims, and how many of its leads are still in work. */
typedef struct Claim
{
	int64		id;
	int			n_left;
	int			n_ending;		/* of these, whose outcome is being committed */
	bool		deleted;		/* the row is gone */
} Claim;

typedef struct Job
{
	dlist_node	node;			/* in connection->jobs */
	JobKind		kind;
	JobState	state;
	Connection *connection;
	MemoryContext context;		/* owns the job itself */
	CrmSession	session;		/* its context is emptied when the lead is held */
	HttpTransfer *transfer;		/* while SENDING */
	TimestampTz counted_at;		/* of this request, with the limits */
	int			token_generation;	/* of the credential last sent */
	bool		auth_retried;
	TimestampTz first_sent_at;
	TimestampTz due_at;			/* while HELD */

	/* JOB_LEAD */
	char	   *lead_id;
	int			source_id;		/* 0: snapshot */
	Jsonb	   *snapshot;		/* a webhook's lead */
	int64		snapshot_age;	/* id of the queue row it came with; 0: a retry's */
	char	   *sync_type;
	TimestampTz queued_at;		/* of the oldest row */
	TimestampTz newest_queued_at;	/* of the newest row not asked for by hand */
	QueueRow   *rows;
	int			n_rows;
	int			rows_capacity;
	int			attempts;		/* failed tries so far */
	TimestampTz intent_at;		/* a create of unknown fate; 0: none */
	char	   *intent_lead;	/* the lead as it was sent, sealed; NULL: unknown */
	TimestampTz doubt_until;	/* a lead with our phone or e-mail is in doubt */
	TimestampTz synced_at;		/* when the link was last written; 0: never */
	bool		has_attempts_row;	/* in crm_sync_attempts */
	bool		has_link_row;	/* in crm_lead_links */
	bool		begun;
	Claim	   *claim;			/* while in work */
	int			crashes;		/* of workers that had this lead in work */
	TimestampTz turn_until;		/* see job_take_turn; 0: has none */

	/* JOB_MAIL */
	MailTicket	ticket;
	MailRequest *mail;
	char	   *oauth_settings; /* given to authorize, JSON text */
} Job;

/* What the tables have of a connection. */
typedef struct ConnectionRow
{
	TransactionId xmin;
	char	   *user_id;
	char	   *crm_type;
	char	   *status;
	char	   *status_reason;
	TimestampTz updated_at;
	Jsonb	   *settings;
	char	   *account;
	int			consecutive_failures;
	TimestampTz not_before;		/* 0: none */
	TransactionId credential_xmin;
	char	   *credential_kind;
	char	   *sealed;			/* NULL: no credential */
	TimestampTz expires_at;		/* 0: does not */
} ConnectionRow;

struct Connection
{
	pg_uuid_t	id;				/* hash key */
	CrmConnection crm;
	SharedSettings *settings;	/* owns crm.settings */
	char	   *user_id;		/* NULL: no row was taken over yet */
	const char *status;			/* as in the table */
	TimestampTz updated_at;		/* of the row, as taken over */
	TransactionId row_xmin;		/* of the rows as taken over; 0: not at all */
	TransactionId credential_xmin;
	bool		stale;			/* the row is to be read again */
	bool		reload_blocked; /* ... when the jobs in work have ended */
	int			max_active;		/* leads in work at once, by what the limits allow */
	bool		temporary;		/* of a mail job, not in the table */
	dlist_node	temporary_node; /* in worker->temporaries */
	bool		missing;		/* no row: disconnected */
	bool		unsealed;		/* credential is readable */

	dlist_head	jobs;
	int			n_active;		/* READ .. FINISHED */
	int			n_sending;		/* SENDING */
	int			n_held;
	int			n_rows;			/* queue rows attached to jobs */
	bool		maybe_work;		/* the queue may hold rows not yet attached */
	int64		cursor[2];		/* per priority: rows up to here are attached */
	int			window;			/* rows to look at, if more than it has room for */
	int			n_asked;		/* rows per priority, in this claim */
	int			n_before;		/* n_active before this claim */
	int			n_met[2];		/* rows that this claim has brought */
	bool		left_behind[2]; /* ... and some could not be attached */
	bool		seen_all[2];	/* per priority: no row is there that is not attached */

	bool		may_doubt;		/* intents of leads that are not in work may be in the table */
	char	   *account;		/* crm_account of the row; NULL: not known */
	Budget	   *budget;			/* its rate limits; set with the provider */
	TimestampTz hold_until;		/* nothing is sent before; 0: no hold */
	int			outages;		/* failed probes in a row */
	int			consecutive_failures;
	bool		failures_changed;
	TimestampTz synced_at;		/* last_sync_at, to be written; 0: nothing new */
	int			n_synced;		/* not yet in crm_sync_hours: tally.c */
	int			n_failed;
	TimestampTz tally_written_at;
	int			n_ending;		/* leads in work whose outcome is being committed */
	bool		not_before_changed; /* hold_until is to be written */
	bool		dirty;			/* in worker->dirty */
	const char *new_status;		/* to be written; NULL: none */
	const char *new_reason;
	Job		   *refresh;		/* token refresh under way */
	int			token_generation;
	bool		unreachable_pause;	/* paused as unreachable: probed */

	dlist_node	ready_node;
	bool		ready;			/* in worker->ready */
	bool		waits_for_place;	/* in its CRM's places->waiting */
	bool		waits_to_start; /* in its CRM's places->starting */
	bool		has_place;		/* promised to it for this turn */
	bool		may_start;		/* take up leads, this turn */
	pairingheap_node timer_node;
	bool		timed;			/* in worker->timers */
	TimestampTz wake_at;
	TimestampTz used_at;

	bool		counted;		/* had a counter before this claim: count.c */
	bool		count_asked;
	int64		counter;
};

typedef struct Worker
{
	WorkerSlot *slot;
	Oid			database;
	Oid			extension;
	int			index;
	int			n_workers;
	HttpEngine *engine;
	Places	   *places;			/* by crm_provider_index */
	int			crm_in_turn;	/* that was offered a place last */
	HTAB	   *connections;
	dlist_head	temporaries;	/* connections that are not among them */
	dlist_head	ready;			/* connections to be looked at, in turn */
	pairingheap *timers;
	List	   *to_commit;		/* of Job *: state COMMIT */
	List	   *finished;		/* of Job *: state FINISHED */
	List	   *to_read;		/* of Job *: state READ */
	List	   *dirty;			/* of Connection *: state to be written */
	List	   *claims_done;	/* of Claim *: rows to be deleted */
	MemoryContext context;		/* life of the process */
	MemoryContext turn;			/* reset at the top of each turn */
	int64		horizon;		/* queue ids up to here are all visible or gone */
	int64		horizon_candidate;
	uint64		horizon_xmax;
	TimestampTz next_tick;		/* look at everything */
	TimestampTz commit_retry_at;	/* after a failed commit */
	TimestampTz dirty_retry_at; /* of connections whose row is held */
	TimestampTz promoted_at;	/* this server was a standby before; 0: not */
	TimeOffset	commit_us;		/* what the last commit of results took */
	bool		may_send;
	int			error_code;		/* SQLSTATE of the last transaction that failed */
	TimestampTz leave_by;		/* takes up nothing more, and ends; 0: stays */
	TimestampTz now;
} Worker;

extern Worker *worker;

/* Append to one of the worker's lists, which outlive a transaction. */
extern void worker_list_append(List **list, void *element);

/* main.c: may this worker send; ends the process where it has nothing to do */
extern void check_environment(void);
extern void check_after_error(void);	/* the same, if a table was not there */

/* main.c: this is not the database that the rows belong to; nothing is sent from here on */
extern void instance_lost(void);

/* connection.c: what is known of a connection, and when it is looked at */
extern void connections_init(void);
extern Connection *connection_get(const pg_uuid_t *id);
extern Connection *connection_make_temporary(const CrmProvider *provider, const char *api_key,
											 const char *account);
extern void connection_free(Connection *connection);
extern void connection_set_row(Connection *connection, const ConnectionRow *row);
extern void connection_set_tokens(Connection *connection, const CrmCredential *tokens);
extern void connection_reconfigure(Connection *connection);	/* after a reload */
extern void connection_mark_dirty(Connection *connection);
extern void connections_evict(void);	/* forget those that are idle */
extern void connections_trim(void);
extern void connections_visit(void (*visit) (Connection *connection));	/* the temporaries too */
extern void connections_close(void);	/* at the process's end */
extern void connection_ready(Connection *connection);	/* look at it this turn */
extern void connection_expect_rows(Connection *connection); /* rows may be new */
extern void connection_wake_at(Connection *connection, TimestampTz when);
extern bool connections_working(void);	/* is anything in work or to be written? */
extern bool connections_refreshing(void);	/* is a token being refreshed? */
extern void connections_due(void);	/* move those whose time has come to ready */
extern TimestampTz connections_next_due(void);	/* 0: none */
extern bool connection_wants_claim(Connection *connection);
extern bool connection_may_send(const Connection *connection);
extern void connection_outage(Connection *connection, const char *reason);
extern void connection_reached(Connection *connection);
extern void connection_count_failure(Connection *connection);
extern void connection_set_status(Connection *connection, const char *status, const char *reason);

/* shared_settings.c: parsed once for all connections that have the same */
extern SharedSettings *shared_settings_take(Jsonb *settings);
extern const IntegrationSettings *shared_settings_parsed(const SharedSettings *shared);
extern void shared_settings_release(SharedSettings *shared);	/* NULL: none */

/* job.c: driving sessions */
extern Job *job_make(JobKind kind, Connection *connection);
extern void job_free(Job *job);
extern void job_set_state(Job *job, JobState state);
extern void job_add_row(Job *job, const QueueRow *row);
extern bool job_has_row(const Job *job, int priority, int64 id);
extern Job *job_find_lead(Connection *connection, const char *lead_id, int source_id);
extern void job_begin(Job *job);
extern void job_hold(Job *job, TimestampTz due_at);
extern bool job_take_turn(Job *job);
extern void connection_release_jobs(Connection *connection);
extern bool connection_run(Connection *connection); /* true: it may have more to send */

/* places.c: each CRM's share of the requests under way */
extern void places_init(void);
extern bool places_take(Connection *connection);	/* false: it waits */
extern void places_give_back(const Connection *connection); /* a request has ended */
extern void places_decline(Connection *connection); /* what was promised is not used */
extern bool places_keep(Connection *connection);
extern bool places_may_start(Connection *connection);	/* false: it waits */
extern int	places_share(const Connection *connection);
extern void places_start(Connection *connection);
extern void places_working(const Connection *connection, int change);
extern void places_forget(Connection *connection);
extern void places_assign(void);	/* connections that wait become ready */
extern bool places_can_assign(void);

/* claim.c: taking due rows */
extern void claim_work(List *connections);
extern void claim_discover(void);	/* connections that have rows */
extern bool claim_load(Connection *connection);	/* read its row now */

/* read.c: reading the leads of worker->to_read and beginning their sessions */
extern void read_begin(void);

/* count.c: the counters of what is queued */
extern void count_tick(void);
extern void count_turn(void);
extern bool count_waits(void);
extern TimestampTz count_next(void);	/* 0: nothing is to be counted again */
extern void count_before_claim(List *connections);
extern void count_after_claim(List *connections);

/* results.c: writing down what happened */
extern bool results_commit(void);

/* tally.c: leads brought and not, by connection */
extern void tally_count(Connection *connection, bool synced, int n);
extern void tally_due(Connection *connection);
extern void tally_write(List *connections); /* in a transaction */
extern void tally_write_all(void);
extern void tally_written(List *connections);

/* housekeeping.c: after a crash, before an end, and once an hour */
extern void housekeeping_recover(void);
extern void housekeeping_leave(void);
extern void housekeeping_tick(void);
extern void housekeeping_turn(void);
extern TimestampTz housekeeping_next(void);	/* 0: not before a tick */

/* mail.c: what backends ask for; token refresh */
extern void mail_take_all(void);
extern void mail_finished(Job *job);
extern void refresh_start(Connection *connection);
extern void refresh_finished(Job *job);

/* transaction.c: transactions of the worker, each survived */
typedef void (*TransactionBody) (void *arg);
extern bool worker_transaction(const char *activity, TransactionBody body, void *arg);
extern void worker_log_error(const char *what, ErrorData *error);

#endif							/* ECHOSYNC_WORKER_H */
