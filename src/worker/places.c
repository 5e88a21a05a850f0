/*
 * places.c
 *		Who may use the HTTP engine's places: a share for each CRM.
 *
 * Requests under way are bounded by echosync.max_in_flight.  A CRM that does
 * not answer would come to hold all of them, each for the length of a timeout,
 * and the other CRMs' leads would wait.  So half of the places are anybody's,
 * and the other half is kept in equal parts for the CRMs: a request may go if
 * it leaves free what the other CRMs have not yet used of their part.
 *
 * Connections for which there was no place wait in the order in which they
 * came, by CRM.  Who comes while others wait waits behind them; a place that
 * becomes free is promised to the first, for one request.  So none is served
 * twice before another has been served once.
 *
 * Leads in work wait for places in memory.  So that there are no more of them
 * than the places can use, whatever the number of connections that have some,
 * connections wait here to take up leads as well.
 *
 * Not here: rate limits (limits.c), how many leads of one connection are in
 * work (connection.c).
 */
#include "postgres.h"

#include "config/settings.h"
#include "worker/worker.h"

static int
part_of_one(void)
{
	return echosync_max_in_flight / (2 * crm_provider_count());
}

static Places *
places_of(const Connection *connection)
{
	return &worker->places[crm_provider_index(connection->crm.provider)];
}

/* Places that this CRM may still take. */
static int
places_for(int crm)
{
	int			n = echosync_max_in_flight;

	for (int i = 0; i < crm_provider_count(); i++)
	{
		int			used = worker->places[i].in_flight + worker->places[i].promised;

		n -= i == crm ? used : Max(used, part_of_one());
	}
	return n;
}

void
places_init(void)
{
	worker->places = MemoryContextAllocZero(worker->context,
											crm_provider_count() * sizeof(Places));
	for (int i = 0; i < crm_provider_count(); i++)
	{
		dlist_init(&worker->places[i].waiting);
		dlist_init(&worker->places[i].starting);
	}
}

/* From the list of those that are ready, if it is there, to one of ours. */
static void
leave_ready(Connection *connection)
{
	Assert(!connection->waits_for_place && !connection->waits_to_start);
	if (connection->ready)
		dlist_delete(&connection->ready_node);
	connection->ready = false;
}

/* Look at this connection when there is a place for it, and not before. */
static void
places_wait(Connection *connection, bool first)
{
	Places	   *places = places_of(connection);

	leave_ready(connection);
	connection->waits_for_place = true;
	places->n_waiting++;
	if (first)
		dlist_push_head(&places->waiting, &connection->ready_node);
	else
		dlist_push_tail(&places->waiting, &connection->ready_node);
}

/* Take a place for one request; if there is none, the connection waits. */
bool
places_take(Connection *connection)
{
	Places	   *places = places_of(connection);

	if (!connection->has_place &&
		(!dlist_is_empty(&places->waiting) || places_for(places - worker->places) <= 0))
	{
		places_wait(connection, false);
		return false;
	}
	places_decline(connection);
	places->in_flight++;
	return true;
}

void
places_give_back(const Connection *connection)
{
	places_of(connection)->in_flight--;
}

/* A place that was promised is not needed. */
void
places_decline(Connection *connection)
{
	if (connection->has_place)
		places_of(connection)->promised--;
	connection->has_place = false;
}

/*
 * Its turn has come, but something must be committed first: then the next
 * place is promised to it again.  True if it waits for that.
 */
bool
places_keep(Connection *connection)
{
	if (!connection->has_place)
		return false;
	places_decline(connection);
	places_wait(connection, true);
	return true;
}

/*
 * May this connection take up leads?  Not when as many connections as there are
 * places wait for one: more leads in work would only take memory.  One that
 * has no lead in work then waits, behind others that do; any other is looked
 * at again when a lead of its own has ended.
 */
bool
places_may_start(Connection *connection)
{
	Places	   *places = places_of(connection);

	if (!connection->may_start && dlist_is_empty(&places->starting) &&
		places->n_waiting + places->n_started < echosync_max_in_flight)
	{
		places->n_started++;
		places->n_joining += connection->n_active == 0;
		connection->may_start = true;
	}
	if (!connection->may_start && connection->n_active == 0)
	{
		leave_ready(connection);
		connection->waits_to_start = true;
		places->n_starting++;
		dlist_push_tail(&places->starting, &connection->ready_node);
	}
	return connection->may_start;
}

/*
 * How many leads this connection may have in work: as many as its share of the
 * places can use, and half of them wait for a commit.  More would come to have
 * their turn before other connections' first.
 */
int
places_share(const Connection *connection)
{
	Places	   *places = places_of(connection);
	int			n = places->n_working + places->n_joining + places->n_starting;

	return Max(1, 2 * echosync_max_in_flight / Max(1, n));
}

/* It takes up leads now, after all that are ready have been asked. */
void
places_start(Connection *connection)
{
	connection->may_start = false;
	connection->max_active = Min(connection->max_active, places_share(connection));
}

/* A connection has jobs in work from now on (1), or no more (-1). */
void
places_working(const Connection *connection, int change)
{
	places_of(connection)->n_working += change;
}

/* The first that waits for a place of this CRM becomes ready, with a promise. */
static bool
promise_place(int crm)
{
	Places	   *places = &worker->places[crm];
	Connection *connection;

	if (dlist_is_empty(&places->waiting) || places_for(crm) <= 0)
		return false;
	connection = dlist_container(Connection, ready_node,
								 dlist_pop_head_node(&places->waiting));
	places->n_waiting--;
	connection->waits_for_place = false;
	connection->has_place = true;
	places->promised++;
	connection_ready(connection);
	return true;
}

/* As many as may take up leads become ready. */
static void
let_start(Places *places)
{
	places->n_started = places->n_joining = 0;
	while (places->n_waiting + places->n_started < echosync_max_in_flight &&
		   !dlist_is_empty(&places->starting))
	{
		Connection *connection = dlist_container(Connection, ready_node,
												 dlist_pop_head_node(&places->starting));

		connection->waits_to_start = false;
		connection->may_start = true;
		places->n_starting--;
		places->n_started++;
		places->n_joining += connection->n_active == 0;
		connection_ready(connection);
	}
}

/*
 * At the top of a turn: as many connections as there are places become ready,
 * the CRMs in turn, and those that may take up leads.
 */
void
places_assign(void)
{
	int			n_idle = 0;

	while (n_idle < crm_provider_count())
	{
		worker->crm_in_turn = (worker->crm_in_turn + 1) % crm_provider_count();
		n_idle = promise_place(worker->crm_in_turn) ? 0 : n_idle + 1;
	}
	for (int i = 0; i < crm_provider_count(); i++)
		let_start(&worker->places[i]);
}

/* Would places_assign find anything? */
bool
places_can_assign(void)
{
	for (int i = 0; i < crm_provider_count(); i++)
	{
		Places	   *places = &worker->places[i];

		if ((!dlist_is_empty(&places->waiting) && places_for(i) > 0) ||
			(!dlist_is_empty(&places->starting) && places->n_waiting < echosync_max_in_flight))
			return true;
	}
	return false;
}

/* The connection is to be freed. */
void
places_forget(Connection *connection)
{
	places_decline(connection);
	if (connection->waits_for_place)
		places_of(connection)->n_waiting--;
	if (connection->waits_to_start)
		places_of(connection)->n_starting--;
	if (connection->waits_for_place || connection->waits_to_start)
		dlist_delete(&connection->ready_node);
}
