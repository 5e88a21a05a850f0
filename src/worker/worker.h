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
	JOB_MAIL,
	JOB_ACCOUNT					/* whose credential it is, where that is not known */
} JobKind;

/*
 * Where a job is, and in which list: each state has one.  HELD -> READ ->
 * (COMMIT ->) SEND -> (CHECK -> SEND ->) SENDING -> ... -> FINISHED; a LEAD job
 * may go back to HELD or READ.
 */
typedef enum JobState
{
	JOB_STATE_NONE = 0,
	JOB_STATE_HELD,				/* waits for due_at; nothing loaded */
	JOB_STATE_READ,				/* lead is to be read and the session begun */
	JOB_STATE_CHECK,			/* lead was read a while ago: is it as it was? */
	JOB_STATE_COMMIT,			/* intent or link must be committed first */
	JOB_STATE_SEND,				/* request waits for a place */
	JOB_STATE_SENDING,			/* with the HTTP engine */
	JOB_STATE_FINISHED			/* outcome is to be committed, from due_at on */
} JobState;
#define JOB_STATE_COUNT (JOB_STATE_FINISHED + 1)

/* What becomes of a job whose session has ended: verdict.c. */
typedef enum Verdict
{
	VERDICT_DONE = 0,			/* success or skip: rows are gone */
	VERDICT_DEAD,				/* dead letter: rows are gone */
	VERDICT_RETRY,				/* held; it used up a try */
	VERDICT_WAIT,				/* held; it did not */
	VERDICT_PROBE,				/* held: the CRM cannot be reached, nobody pays */
	VERDICT_RELEASE,			/* back to the queue, nobody pays */
	VERDICT_AGAIN				/* a doubt is settled; now the lead as it is */
} Verdict;

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
	dlist_node	state_node;		/* in the list of its state */
	JobKind		kind;
	JobState	state;
	Connection *connection;
	MemoryContext context;		/* owns the job itself */
	CrmSession	session;		/* its context is emptied when the lead is held */
	HttpTransfer *transfer;		/* while SENDING */
	TimestampTz counted_at;		/* of this request, with the limits */
	Budget	   *counted_with;	/* to compare: the connection may have another */
	int			token_generation;	/* of the credential last sent */
	bool		auth_retried;
	TimestampTz first_sent_at;
	bool		has_spoken;		/* a request of this session was sent */
	TimestampTz due_at;			/* while HELD or FINISHED */

	/* JOB_LEAD */
	char	   *lead_id;		/* as its table writes it */
	char	   *queue_lead;		/* ... and its rows of the queue */
	int			queue_source;	/* source_id of these; 0: of a webhook */
	int			source_id;		/* whose lead it is: of a webhook's too, if a table
								 * has it; 0: the snapshot */
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
	bool		intent_unsent;	/* ... which was never handed over: no doubt */
	bool		ended_here;		/* its session was cut short: a doubt stays */
	int			n_rereads;		/* since it was last held: it changes all the time */
	char	   *intent_lead;	/* the lead as it was sent, sealed; NULL: unknown */
	TimestampTz read_at;		/* when the lead was last seen as it is */
	CrmLead    *seen;			/* while CHECK: the lead as it is now */
	int			unsure_ms;		/* a table that may have it cannot be read, so look again */
	bool		respelled;		/* its link may have another text of its id */
	CrmWrite	written;		/* by sessions of this job that were begun anew */
	CrmWrite	written_before; /* ... that failed, which the log has */
	char	   *link_account;	/* crm_account of its row in crm_lead_links */
	TimestampTz waiting_since;	/* of waits that are no tries; 0: none yet */
	TimestampTz doubt_met_at;	/* when a doubt of a clock ahead was met first */
	Verdict		verdict;		/* while FINISHED */
	bool		has_answer;		/* the CRM has answered this session well */
	TimestampTz outage_at;		/* it last met the CRM unreachable; 0: never */
	int			n_outages;		/* how often */
	int64		passed[2];		/* per priority: the first row that the cursor has
								 * passed while the lead was in work; 0: none */
	TimestampTz doubt_until;	/* a lead with our phone or e-mail is in doubt */
	TimestampTz synced_at;		/* when the link was last written; 0: never */
	bool		has_attempts_row;	/* in crm_sync_attempts */
	bool		has_link_row;	/* in crm_lead_links */
	bool		begun;
	Claim	   *claim;			/* while in work */
	int			crashes;		/* of workers that had this lead in work */
	TimestampTz turn_until;		/* see job_take_turn; 0: has none */

	/* JOB_REFRESH, JOB_ACCOUNT: of the credential that it is about */
	char	   *refresh_token;
	TransactionId credential_xmin;

	/* JOB_MAIL */
	MailTicket	ticket;
	MailRequest *mail;
	MailWait	told_wait;		/* what its asker knows */
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
	TimestampTz connected_at;
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
	TimestampTz connected_at;
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
	int			n_leads;		/* of these, that bring leads */
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
	bool		account_asked;	/* ... and the CRM does not tell it */
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
	bool		token_used;		/* an answer has come for it */
	int64		token_life_us;	/* of the access token, when it was new */
	TimestampTz reached_at;		/* when a lead was last brought to its end */
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
	dlist_head	jobs[JOB_STATE_COUNT];	/* by state */
	List	   *dirty;			/* of Connection *: state to be written */
	int			n_mail;			/* jobs of kind MAIL */
	List	   *claims_done;	/* of Claim *: rows to be deleted */
	MemoryContext context;		/* life of the process */
	MemoryContext turn;			/* reset at the top of each turn */
	int64		horizon;		/* queue ids up to here are all visible or gone */
	int64		horizon_candidate;
	uint64		horizon_xmax;
	TimestampTz next_look;		/* at everything: connections, mail, what is queued */
	TimestampTz next_tick;		/* what is done once a minute whoever asks */
	TimestampTz dirty_retry_at; /* of what is to be written of connections and claims */
	TimestampTz promoted_at;	/* this server was a standby before; 0: not */
	TimeOffset	commit_us;		/* what the last commit of results took */
	TimeOffset	read_us;		/* ... and the last look at leads */
	bool		may_send;
	volatile bool in_transaction;	/* for signal handlers */
	int			error_code;		/* SQLSTATE of the last transaction that failed */
	TimestampTz leave_by;		/* takes up nothing more, and ends; 0: stays */
	TimestampTz now;
} Worker;

extern Worker *worker;

/* Append to one of the worker's lists, which outlive a transaction. */
extern void worker_list_append(List **list, void *element);

/*
 * clock.c: the wall clock, and how far it was set meanwhile.  Times that the
 * worker has in memory move with it; one in a table that is more than max_ms ahead
 * is none (0).
 */
extern void clock_turn(void);
extern TimestampTz clock_plausible(TimestampTz when, int64 max_ms);

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
extern void connection_hint(Connection *connection);	/* ... and at its row */
extern void connection_expect_rows(Connection *connection); /* rows may be new */
extern void connection_wake_at(Connection *connection, TimestampTz when);
extern bool connections_working(void);	/* is anything in work or to be written? */
extern bool connections_refreshing(void);	/* is a token being refreshed? */
extern void connections_due(void);	/* move those whose time has come to ready */
extern TimestampTz connections_next_due(void);	/* 0: none */
extern bool connection_wants_row(const Connection *connection);
extern bool connection_wants_leads(Connection *connection);
extern void connection_start_over(Connection *connection);	/* from the queue's front */
extern void connection_shift_times(Connection *connection, TimeOffset step);
extern bool connection_may_send(const Connection *connection);
extern void connection_outage(Connection *connection, const char *reason, int retry_after_ms);
extern bool connection_knows_account(const Connection *connection);
extern void connection_learn_account(Connection *connection, const char *account);
extern void connection_reached(Connection *connection);
extern void connection_count_failure(Connection *connection);
extern void connection_set_status(Connection *connection, const char *status, const char *reason);

/* shared_settings.c: parsed once for all connections that have the same */
extern SharedSettings *shared_settings_take(Jsonb *settings);
extern const IntegrationSettings *shared_settings_parsed(const SharedSettings *shared);
extern void shared_settings_release(SharedSettings *shared);	/* NULL: none */

/* job.c: driving sessions */
extern void jobs_init(void);
extern Job *job_make(JobKind kind, Connection *connection);
extern void job_free(Job *job);
extern void job_set_state(Job *job, JobState state);
extern void job_finish(Job *job);	/* its outcome is known */
extern void job_refuse(Job *job, LeadRefusal refusal);
extern List *jobs_in(JobState state);	/* as they are now, in the current context */
extern bool jobs_any(JobState state);
extern void job_add_row(Job *job, const QueueRow *row);
extern bool job_has_row(const Job *job, int priority, int64 id);
extern Job *job_find_lead(Connection *connection, const char *lead_id, int queue_source);
extern void job_begin(Job *job);
extern void job_hold(Job *job, TimestampTz due_at);
extern void job_read_again(Job *job);
extern bool job_take_turn(Job *job);
extern void connection_release_jobs(Connection *connection, bool held_too);
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
/* xmin or xmax of a pg_snapshot. */
extern uint64 snapshot_end(PGFunction end, Datum snapshot);
extern void claim_discover(void);	/* connections that have rows */
extern bool claim_load(Connection *connection);	/* read its row now */

/* read.c: reading leads in state READ and beginning their sessions; and CHECK */
extern void read_begin(void);

/* read_leads.c: the application's tables; what cannot be read is held, or ends */
extern void leads_renew(List *jobs);	/* the newest snapshot of a webhook's lead */
extern void leads_resolve(List *jobs);	/* which of them has it? */
extern void leads_read(List *jobs);

/* respell.c: links under another text of their lead's id */
extern void leads_respell(List *jobs);

/* count.c: the counters of what is queued */
extern void count_tick(void);
extern void count_turn(void);
extern bool count_waits(void);
extern void count_shift_times(TimeOffset step);
extern TimestampTz count_next(void);	/* 0: nothing is to be counted again */
extern void count_before_claim(List *connections);
extern void count_after_claim(List *connections);

/* verdict.c: what becomes of a job that is finished */
extern Verdict verdict_of(const Job *job);
extern TimestampTz verdict_due(const Job *job); /* of RETRY and WAIT */
extern bool verdict_is_outage(const CrmOutcome *outcome);
extern bool verdict_holds_connection(const Job *job);
extern bool verdict_in_doubt(const Job *job);
extern bool verdict_is_counted(const Job *job);

/* results.c: writing down what happened */
extern void results_commit(void);
extern TimestampTz results_next(void);	/* when there is something to write; 0: nothing */

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
extern void housekeeping_shift_times(TimeOffset step);
extern TimestampTz housekeeping_next(void);	/* 0: not before a tick */

/* gaps.c: leads of transactions that did not see a connection */
extern void gaps_expect(void);	/* there may be more of them */
extern void gaps_turn(void);
extern void gaps_shift_times(TimeOffset step);
extern TimestampTz gaps_next(void); /* 0: nothing is to be done */

/* mail.c: what backends ask for; token refresh */
extern void mail_take_all(void);
extern void mail_finished(Job *job);
extern void mail_sweep(void);	/* end what nobody waits for any more */
extern void mail_progress(Connection *connection);	/* tell who waits for what */

/* token.c: access tokens that end, and whose credential it is */
extern bool token_is_fresh(Connection *connection); /* else a refresh is under way */
extern void token_refuse(Connection *connection);	/* a 401: not to be used again */
extern void token_retry_store(Connection *connection);
extern void tokens_store_last(void);	/* at the process's end, in a transaction */
extern void token_abandon(Connection *connection);	/* another credential is there */
extern void refresh_finished(Job *job);
extern void account_ask(Connection *connection);
extern void account_finished(Job *job);

/* transaction.c: transactions of the worker, each survived */
typedef void (*TransactionBody) (void *arg);
extern bool worker_transaction(const char *activity, TransactionBody body, void *arg);

#endif							/* ECHOSYNC_WORKER_H */
