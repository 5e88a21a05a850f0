/*
 * main.c
 *		The worker: one process that drains the queue of one database.
 *
 * One loop, one place to wait: latch (new rows, requests of backends, signals),
 * postmaster death, and the HTTP engine's descriptor.  It sleeps until one of
 * them, or until the earliest thing that is due; a tick of a minute covers
 * wake-ups that were missed.  No transaction is open while it waits.
 *
 * A turn: take hints and mail; let HTTP complete; commit what must be; give
 * each connection that is ready its turn; claim and read for those that have
 * room.  If that made more to do, go round again before sleeping.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/extension.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "config/seal.h"
#include "config/secrets.h"
#include "config/settings.h"
#include "db/instance.h"
#include "pg_compat.h"
#include "worker/wait_event.h"
#include "worker/worker.h"

#define TICK_MS 60000
/* Where our tables could not be looked at, again after this. */
#define UNKNOWN_WAIT_MS 2000
/* How long a worker that ends for a reload goes on with what it has in work. */
#define LEAVE_MS 5000
/* ... and with a refreshed token, which is the connection. */
#define LEAVE_TOKEN_MS 60000
/* Whoever asks for a look makes us read the rows of so many connections at most. */
#define HINT_ALL_MAX 1000
/* A worker that knows no schema looks again after this. */
#define NO_SCHEMA_WAIT_MS 1000
#define KEY_CHECK_TEXT "echosync"
#define KEY_CHECK_CONTEXT "key check"
#define MAX_BODY (4 * 1024 * 1024)

PGDLLEXPORT void echosync_worker_main(Datum arg);

Worker	   *worker = NULL;


static Statement select_version = {
	.sql = "SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'echosync'",
	.nargs = 0
};

/* Stamp a database that has no stamp. */
static Statement select_stamp = {
	.sql = "SELECT 1 FROM @schema@.crm_instance",
	.nargs = 0
};
static Statement stamp_instance = {
	.sql = "INSERT INTO @schema@.crm_instance (system_identifier, database_oid)"
	" SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM @schema@.crm_instance)",
	.nargs = 2,
	.argtypes = {INT8OID, OIDOID}
};

void
worker_list_append(List **list, void *element)
{
	MemoryContext caller = MemoryContextSwitchTo(worker->context);

	*list = lappend(*list, element);
	MemoryContextSwitchTo(caller);
}

static void
worker_set_state(WorkerState state)
{
	pg_atomic_write_u32(&worker->slot->state, state);
}

/*
 * A promoted standby has a timeline of its own.  Without waiting for standbys,
 * what its predecessor committed last is not here.
 */
static Statement note_timeline = {
	.sql = "UPDATE @schema@.crm_instance SET timeline = $1,"
	" promoted_at = CASE WHEN timeline < $1 THEN pg_catalog.clock_timestamp() ELSE promoted_at END"
	" WHERE timeline IS DISTINCT FROM $1",
	.nargs = 1,
	.argtypes = {INT4OID}
};
static Statement select_promotion = {
	.sql = "SELECT pg_catalog.max(i.promoted_at), pg_catalog.bool_or(i.timeline IS DISTINCT FROM $1)"
	" FROM @schema@.crm_instance i",
	.nargs = 1,
	.argtypes = {INT4OID}
};

static Statement select_key_check = {
	.sql = "SELECT i.key_check FROM @schema@.crm_instance i LIMIT 1",
	.nargs = 0
};
static Statement update_key_check = {
	.sql = "UPDATE @schema@.crm_instance SET key_check = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* What check_environment found. */
typedef struct Environment
{
	Oid			extension;		/* InvalidOid: not installed */
	bool		same_version;
	bool		copy;
	bool		wrong_key;
} Environment;

void
instance_lost(void)
{
	worker->may_send = false;
	worker_set_state(WORKER_STATE_COPY);
	worker->next_look = 0;		/* the next turn says so */
}

/* The first key is taken at its word; from then on it, or its successor, counts. */
static void
check_key(Environment *environment)
{
	const char *reason;
	char	   *sealed;
	Datum		value;

	if (!seal_ready())
		return;
	statement_execute(&select_key_check, NULL, NULL, false, 1);
	sealed = SPI_processed == 1 ? spi_text(0, 1) : NULL;
	if (sealed != NULL)
		environment->wrong_key = seal_open(sealed, KEY_CHECK_CONTEXT, &reason) == NULL;
	if (sealed == NULL || (!environment->wrong_key && !seal_is_current(sealed)))
	{
		value = CStringGetTextDatum(seal_text(KEY_CHECK_TEXT, KEY_CHECK_CONTEXT));
		statement_execute(&update_key_check, &value, NULL, false, 0);
	}
}

static void
note_promotion(void)
{
	Datum		timeline = Int32GetDatum((int32) GetWALInsertionTimeLine());

	statement_execute(&select_promotion, &timeline, NULL, false, 1);
	if (spi_bool(0, 2))
	{
		statement_execute(&note_timeline, &timeline, NULL, false, 0);
		statement_execute(&select_promotion, &timeline, NULL, false, 1);
	}
	worker->promoted_at = spi_timestamptz(0, 1);
}

static void
environment_body(void *arg)
{
	Environment *environment = arg;
	Datum		values[2];

	environment->extension = get_extension_oid("echosync", true);
	if (!OidIsValid(environment->extension))
		return;
	db_use_extension();
	statement_execute(&select_version, NULL, NULL, false, 1);
	environment->same_version = SPI_processed == 1 &&
		strcmp(spi_text(0, 1), ECHOSYNC_VERSION) == 0;
	if (!environment->same_version)
		return;
	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	statement_execute(&select_stamp, NULL, NULL, false, 1);
	if (SPI_processed == 0)
		statement_execute(&stamp_instance, values, NULL, false, 0);
	environment->copy = instance_is_anothers() || instance_has_anothers_credentials();
	if (environment->copy)
		instance_lost();
	else
		note_promotion();
	check_key(environment);
}

/* Say a change of state once. */
static void
say_state(WorkerState state)
{
	static WorkerState said = WORKER_STATE_NONE;
	const WorkerStateWords *words = &worker_states[state];

	if (state == said)
		return;
	said = state;
	if (words->problem != NULL)
		ereport(LOG,
				(errmsg("echosync: %s; nothing is sent", words->problem),
				 errhint("%s", words->hint)));
}

/*
 * What could not be looked at may be in order: who sends goes on.  Who does not
 * must not seem to be starting, or to know why.
 */
static void
look_failed(void)
{
	if (worker->may_send)
		return;
	worker_set_state(WORKER_STATE_UNKNOWN);
	say_state(WORKER_STATE_UNKNOWN);
}

/*
 * May this worker send?  Looked at on start, reload, tick and whenever a
 * backend says that everything may have changed.  Ends the process where
 * there is nothing to do.
 */
void
check_environment(void)
{
	Environment environment = {0};
	WorkerState state = WORKER_STATE_IDLE;

	if (!worker_transaction("echosync: looking at the extension", environment_body, &environment))
	{
		look_failed();
		return;
	}
	if (!OidIsValid(environment.extension))
	{
		worker->slot->exit = WORKER_EXIT_NO_EXTENSION;
		proc_exit(0);
	}
	if (worker->extension != InvalidOid && worker->extension != environment.extension)
	{
		/* Dropped and created again: what we know is of rows that are gone. */
		worker->slot->exit = WORKER_EXIT_REQUESTED;
		proc_exit(0);
	}
	worker->extension = environment.extension;
	if (!environment.same_version)
		state = WORKER_STATE_OTHER_VERSION;
	else if (environment.copy)
		state = WORKER_STATE_COPY;
	else if (!echosync_enabled)
		state = WORKER_STATE_DISABLED;
	else if (secrets_current()->encryption_key == NULL)
		state = WORKER_STATE_NO_KEY;
	else if (environment.wrong_key)
		state = WORKER_STATE_WRONG_KEY;
	/* A credential that cannot be opened is blamed only by who may send. */
	if (state == WORKER_STATE_IDLE && !worker->may_send)
		connections_visit(connection_reconfigure);
	worker->may_send = state == WORKER_STATE_IDLE;
	worker_set_state(state);
	say_state(state);
}

/* DROP EXTENSION under a worker that has work: it goes without many words. */
void
check_after_error(void)
{
	if (worker->error_code == ERRCODE_UNDEFINED_TABLE)
		check_environment();
}

/*
 * What is committed before a request goes must not be lost with the server: the
 * intent of a create, the link to a record, a refreshed token.  Standbys are
 * waited for as the server says.
 */
static void
keep_commits_durable(void)
{
	SetConfigOption("synchronous_commit", NULL, PGC_USERSET, PGC_S_SESSION);
	if (synchronous_commit < SYNCHRONOUS_COMMIT_LOCAL_FLUSH)
		SetConfigOption("synchronous_commit", "local", PGC_USERSET, PGC_S_SESSION);
}

/*
 * Settings that a database or role may have set for its own sessions must not
 * reach ours.
 */
static void
override_session_settings(void)
{
	static const char *const settings[][2] = {
		{"statement_timeout", "0"},
		{"lock_timeout", "250ms"},	/* a net: no wait for a backend is meant */
		{"idle_in_transaction_session_timeout", "0"},
		{"idle_session_timeout", "0"},
#if PG_VERSION_NUM >= 170000
		{"transaction_timeout", "0"},
#endif
		{"default_transaction_read_only", "off"},
		{"default_transaction_isolation", "read committed"},
		{"transaction_read_only", "off"},
		{"row_security", "off"},
		{"search_path", "pg_catalog, pg_temp"},
		{"DateStyle", "ISO, YMD"},
		{"IntervalStyle", "postgres"},
		{"TimeZone", "UTC"},
		{"bytea_output", "hex"},
		{"extra_float_digits", "1"},
		{"log_statement", "none"},
		{"log_min_duration_statement", "-1"},
		{"log_parameter_max_length_on_error", "0"},
		{"auto_explain.log_min_duration", "-1"},	/* plans hold parameters */
		{"session_replication_role", "origin"},
		{"client_min_messages", "error"},
		{"jit", "off"},
		{"role", "none"},
		{"plan_cache_mode", "force_generic_plan"},	/* planning costs as much as running */
		{"enable_seqscan", "off"},	/* the plan is kept while the tables grow */
		{"enable_hashjoin", "off"},
		{"enable_mergejoin", "off"}
	};

	for (int i = 0; i < lengthof(settings); i++)
	{
		if (strncmp(settings[i][0], "transaction_read", 16) == 0)
			continue;			/* only within a transaction; the default rules */
		SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_SESSION);
	}

	keep_commits_durable();

	/* Of this process: or a claim would wait for the disk each 200 ms (write_claim). */
	SetConfigOption("wal_writer_delay", "10s", PGC_SIGHUP, PGC_S_OVERRIDE);
}

static void
worker_detach(int code, Datum arg)
{
	LWLockReleaseAll();			/* an error outside of a transaction */
	mailbox_fail_taken();
	connections_close();
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	worker->slot->latch = NULL;
	worker->slot->pid = 0;
	LWLockRelease(shared_state->lock);
	ConditionVariableBroadcast(&shared_state->worker_changed);
}

static void
reset_counters(WorkerSlot *slot)
{
	pg_atomic_write_u32(&slot->in_flight, 0);
	pg_atomic_write_u64(&slot->due_at, 0);
	pg_atomic_write_u64(&slot->requests, 0);
	pg_atomic_write_u64(&slot->synced, 0);
	pg_atomic_write_u64(&slot->failed, 0);
	pg_atomic_write_u64(&slot->retries, 0);
	pg_atomic_write_u64(&slot->rate_limited, 0);
}

static void
worker_attach(int32 ticket)
{
	int			n = shared_slot_take(ticket);
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "echosync worker",
												  ALLOCSET_DEFAULT_SIZES);

	if (n < 0)
		proc_exit(0);			/* the launcher that started us has been replaced */
	worker = MemoryContextAllocZero(context, sizeof(Worker));
	worker->context = context;
	worker->turn = AllocSetContextCreate(context, "echosync worker turn",
										 ALLOCSET_DEFAULT_SIZES);
	worker->slot = &shared_state->slots[n];
	before_shmem_exit(worker_detach, 0);
	worker->database = worker->slot->database;
	worker->index = worker->slot->index;
	worker->n_workers = worker->slot->n_workers;
	reset_counters(worker->slot);
	stats_attach(worker->database);
	budget_attach();
}

/*
 * An orderly end only.  An error that ends the process is a crash like one that
 * runs no callbacks: the leads that it had in work may be the cause.
 */
static void
worker_leave(int code, Datum arg)
{
	if (worker->slot->exit == WORKER_EXIT_REQUESTED && db_schema_name() != NULL)
		housekeeping_leave();
}

/*
 * pg_cancel_backend: a statement of ours may be cancelled, and is tried again.
 * Outside of one there is nothing to cancel, and an error would end the process.
 */
static void
worker_cancel(SIGNAL_ARGS)
{
	if (worker->in_transaction)
		StatementCancelHandler(postgres_signal_arg);
}

/*
 * Ended by an administrator, or to step aside: that is no failure, and the
 * successor may come at once.  A signal handler: plain stores only.
 */
static void
worker_die(SIGNAL_ARGS)
{
	worker->slot->exit = WORKER_EXIT_REQUESTED;
	die(postgres_signal_arg);
}

/* From here on backends find us. */
static void
worker_announce(void)
{
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	worker->slot->latch = MyLatch;
	LWLockRelease(shared_state->lock);
	ConditionVariableBroadcast(&shared_state->worker_changed);
}

static void
engine_options(HttpEngineOptions *options)
{
	options->max_requests = echosync_max_in_flight;
	options->max_connections = echosync_max_in_flight;
	options->max_host_connections = echosync_max_in_flight;
	options->connect_timeout_ms = echosync_connect_timeout;
	options->request_timeout_ms = echosync_request_timeout;
	options->max_body = MAX_BODY;
	options->ca_file = echosync_ca_file[0] != '\0' ? echosync_ca_file : NULL;
	options->user_agent = "echosync/" ECHOSYNC_VERSION " (PostgreSQL extension)";
}

static void
engine_start(void)
{
	HttpEngineOptions options;
	const char *error;

	engine_options(&options);
	worker->engine = http_engine_create(&options, &error);
	if (worker->engine == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("echosync: could not set up HTTP: %s", error)));
}

static void
reload(void)
{
	HttpEngineOptions options;

	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	keep_commits_durable();
	engine_options(&options);
	http_engine_configure(worker->engine, &options);
	connections_visit(connection_reconfigure);
	worker->next_look = worker->next_tick = 0;

	/* Divided anew: the launcher starts the new set when all have ended. */
	if (echosync_workers != worker->n_workers && worker->leave_by == 0)
		worker->leave_by = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LEAVE_MS);
}

/*
 * A worker that is to end finishes the leads that it has in work: a create that
 * is cut off is in doubt, and waits for long.  What takes too long is cut off
 * all the same, but for the refresh of a token: a token that was spent, and its
 * successor not read, is a connection lost.  Even that comes to an end.
 */
static void
leave_if_done(void)
{
	if (worker->leave_by == 0)
		return;
	if (worker->leave_by > worker->now)
	{
		if (connections_working() || results_next() != 0 ||
			http_engine_in_flight(worker->engine) > 0)
			return;
	}
	else if (worker->leave_by > TimestampTzPlusMilliseconds(worker->now, -LEAVE_TOKEN_MS) &&
			 connections_refreshing())
		return;
	worker->slot->exit = WORKER_EXIT_REQUESTED;
	proc_exit(0);
}

static void
hint_loaded(Connection *connection)
{
	if (!connection->temporary && connection->user_id != NULL)
		connection_hint(connection);
}

/* Look at everything: somebody says that anything may have changed. */
static void
look_at_everything(void)
{
	check_environment();
	mail_take_all();
	claim_discover();
	gaps_expect();
	count_tick();
	/* Hints may have been more than there was room for. */
	if (worker->now >= worker->next_look || hash_get_num_entries(worker->connections) <= HINT_ALL_MAX)
		connections_visit(hint_loaded);
	worker->next_look = TimestampTzPlusMilliseconds(worker->now,
													pg_atomic_read_u32(&worker->slot->state) == WORKER_STATE_UNKNOWN ?
													UNKNOWN_WAIT_MS : TICK_MS);
}

static void
take_hints(void)
{
	pg_uuid_t	hints[SHARED_MAX_HINTS];
	bool		all;
	int			n = shared_take_hints(worker->slot, hints, &all);

	for (int i = 0; i < n; i++)
	{
		Connection *connection = connection_get(&hints[i]);

		connection->stale = true;
		connection_expect_rows(connection);
		connection_ready(connection);
	}
	if (all || worker->now >= worker->next_look)
		look_at_everything();
	if (worker->now >= worker->next_tick)
	{
		housekeeping_tick();
		worker->next_tick = TimestampTzPlusMilliseconds(worker->now, TICK_MS);
	}
}

/*
 * Is a connection to be claimed for: may it take up leads, or is its row to be
 * loaded?  Until it was loaded once, its CRM is not known.  While nothing may
 * be sent, only one with leads in work is: what has rows is found later.
 */
static bool
takes_part_in_claim(Connection *connection)
{
	if (!worker->may_send && connection->n_active == 0)
		return false;
	if (connection->crm.provider != NULL && connection_wants_leads(connection) &&
		places_may_start(connection))
		return true;
	connection->may_start = false;
	return connection_wants_row(connection);
}

/*
 * Give every connection that is ready now its turn, in the order in which
 * they became so: one request each, and again for those that have more.
 */
static void
run_ready(void)
{
	dlist_head	turn;
	List	   *claims = NIL;

	places_assign();
	dlist_init(&turn);
	while (!dlist_is_empty(&worker->ready))
		dlist_push_tail(&turn, dlist_pop_head_node(&worker->ready));
	while (!dlist_is_empty(&turn))
	{
		Connection *connection = dlist_container(Connection, ready_node,
												 dlist_pop_head_node(&turn));

		connection->ready = false;
		if (connection_run(connection) && !connection->ready)
		{
			dlist_push_tail(&turn, &connection->ready_node);
			connection->ready = true;
			continue;
		}
		places_decline(connection);
		if (takes_part_in_claim(connection))
			claims = lappend(claims, connection);
	}
	http_engine_run(worker->engine);	/* what is to be sent goes before we claim */
	claim_work(claims);
	read_begin();
}

/* Is there something that can be done without waiting? */
static bool
busy(void)
{
	TimestampTz results = results_next();

	return (results != 0 && results <= worker->now) || jobs_any(JOB_STATE_READ) ||
		jobs_any(JOB_STATE_CHECK) || count_waits() || !dlist_is_empty(&worker->ready) ||
		places_can_assign();
}

static long
sleep_ms(void)
{
	TimestampTz due = Min(worker->next_look, worker->next_tick);
	TimestampTz timer = connections_next_due();
	long		http = http_engine_timeout_ms(worker->engine);
	long		ms;

	if (timer != 0)
		due = Min(due, timer);
	if (results_next() != 0)
		due = Min(due, results_next());
	if (housekeeping_next() != 0)
		due = Min(due, housekeeping_next());
	if (gaps_next() != 0)
		due = Min(due, gaps_next());
	if (count_next() != 0)
		due = Min(due, count_next());
	if (worker->leave_by > worker->now)
		due = Min(due, worker->leave_by);
	ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), due);
	return http >= 0 ? Min(ms, http) : ms;
}

static void
report_state(void)
{
	int			in_flight = http_engine_in_flight(worker->engine);

	pg_atomic_write_u32(&worker->slot->in_flight, in_flight);
	if (worker->may_send)
		worker_set_state(in_flight > 0 ? WORKER_STATE_DRAINING : WORKER_STATE_IDLE);
}

/* What pg_stat_activity says of a worker that waits. */
static void
report_waiting(void)
{
	int			in_flight = http_engine_in_flight(worker->engine);
	TimestampTz due = connections_next_due();
	char		text[100];

	if (in_flight > 0)
		snprintf(text, sizeof(text), "echosync: %d requests under way", in_flight);
	else if (!worker->may_send)
		snprintf(text, sizeof(text), "echosync: not sending, %s",
				 worker_states[pg_atomic_read_u32(&worker->slot->state)].name);
	else if (due != 0)
		snprintf(text, sizeof(text), "echosync: waiting for a limit, a retry or a probe until %s",
				 timestamptz_to_str(due));
	else
		snprintf(text, sizeof(text), "echosync: waiting for queued leads");
	pgstat_report_activity(STATE_IDLE, text);
}

/*
 * Nothing can be done before it is known where our tables are.  Somebody may
 * hold the catalog that says so: then this is tried again.
 */
static void
wait_for_schema(void)
{
	for (;;)
	{
		check_environment();
		if (db_schema_name() != NULL)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 NO_SCHEMA_WAIT_MS, wait_event(WAIT_WORKER_START));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		worker->now = GetCurrentTimestamp();
	}
}

/* What must outlive the turn says so where it is allocated. */
static void
turn(void)
{
	MemoryContextReset(worker->turn);
	MemoryContextSwitchTo(worker->turn);
	clock_turn();
	stats_progress();
	QueryCancelPending = false; /* of a statement that had ended */
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
		reload();
	take_hints();
	connections_due();
	http_engine_run(worker->engine);
	results_commit();
	mail_sweep();
	run_ready();
	count_turn();
	housekeeping_turn();
	gaps_turn();
	connections_trim();
	leave_if_done();
}

static WaitEventSet *
make_wait_set(void)
{
	WaitEventSet *set = CreateWaitEventSet(NULL, 3);

	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(set, WL_SOCKET_READABLE, http_engine_fd(worker->engine), NULL, NULL);
	return set;
}

void
echosync_worker_main(Datum arg)
{
	WaitEventSet *set;
	WaitEvent	event;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	worker_attach(DatumGetInt32(arg));
	pqsignal(SIGTERM, worker_die);
	pqsignal(SIGINT, worker_cancel);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(worker->database, InvalidOid, 0);
	pgstat_report_appname("echosync worker");
	override_session_settings();
	if (echosync_workers != worker->n_workers)
	{
		/* Started by a launcher that had not seen the reload yet. */
		worker->slot->exit = WORKER_EXIT_REQUESTED;
		proc_exit(0);
	}

	worker->now = GetCurrentTimestamp();
	connections_init();
	jobs_init();
	places_init();
	wait_for_schema();
	housekeeping_recover();
	before_shmem_exit(worker_leave, 0);
	engine_start();
	set = make_wait_set();
	worker_announce();

	for (;;)
	{
		turn();
		report_state();
		if (!busy())
		{
			long		ms = sleep_ms();

			stats_sleep(ms);
			(void) pgstat_report_stat(true);
			report_waiting();
			(void) WaitEventSetWait(set, ms, &event, 1, wait_event(WAIT_WORKER));
			ResetLatch(MyLatch);
		}
	}
}
