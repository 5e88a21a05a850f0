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
		dlist_init(&worker->places[i].waiting);
}

/* Look at this connection when there is a place for it, and not before. */
static void
places_wait(Connection *connection, bool first)
{
	Places	   *places = places_of(connection);

	Assert(!connection->waits_for_place);
	if (connection->ready)
		dlist_delete(&connection->ready_node);
	connection->ready = false;
	connection->waits_for_place = true;
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
	connection->waits_for_place = false;
	connection->has_place = true;
	places->promised++;
	connection_ready(connection);
	return true;
}

/* As many connections as there are places become ready, the CRMs in turn. */
void
places_assign(void)
{
	int			n_idle = 0;

	while (n_idle < crm_provider_count())
	{
		worker->crm_in_turn = (worker->crm_in_turn + 1) % crm_provider_count();
		n_idle = promise_place(worker->crm_in_turn) ? 0 : n_idle + 1;
	}
}

/* Would places_assign find anything? */
bool
places_can_assign(void)
{
	for (int i = 0; i < crm_provider_count(); i++)
	{
		if (!dlist_is_empty(&worker->places[i].waiting) && places_for(i) > 0)
			return true;
	}
	return false;
}
