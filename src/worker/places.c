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
 * came, by CRM, and are looked at again when there is one.
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

/* Places that this CRM may still take. */
static int
places_for(int crm)
{
	int			n = echosync_max_in_flight;

	for (int i = 0; i < crm_provider_count(); i++)
	{
		int			used = worker->places[i].in_flight;

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

bool
places_available(const Connection *connection)
{
	return places_for(crm_provider_index(connection->crm.provider)) > 0;
}

void
places_take(const Connection *connection)
{
	worker->places[crm_provider_index(connection->crm.provider)].in_flight++;
}

void
places_give_back(const Connection *connection)
{
	worker->places[crm_provider_index(connection->crm.provider)].in_flight--;
}

/* Look at this connection when there is a place for it, and not before. */
void
places_wait(Connection *connection)
{
	Assert(!connection->waits_for_place);
	if (connection->ready)
		dlist_delete(&connection->ready_node);
	connection->ready = false;
	connection->waits_for_place = true;
	dlist_push_tail(&worker->places[crm_provider_index(connection->crm.provider)].waiting,
					&connection->ready_node);
}

/* As many connections as there are places become ready. */
void
places_assign(void)
{
	for (int i = 0; i < crm_provider_count(); i++)
	{
		dlist_head *waiting = &worker->places[i].waiting;

		for (int n = places_for(i); n > 0 && !dlist_is_empty(waiting); n--)
		{
			Connection *connection = dlist_container(Connection, ready_node,
													 dlist_pop_head_node(waiting));

			connection->waits_for_place = false;
			connection_ready(connection);
		}
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
