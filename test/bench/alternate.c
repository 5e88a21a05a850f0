/*
 * alternate.c
 *		Applications that do one statement as often as they can, then another,
 *		and so on by turns: how often in each turn?
 *
 *	alternate CONNECTION CLIENTS TURN_MS PAIRS FIRST SECOND
 *
 * FIRST and SECOND are statements without parameters, each prepared once by
 * each client.  A pair is a turn of each, the first one and the second one
 * beginning by turns, so that what else the machine does falls on both alike.
 * Prints a line for each pair: transactions a second of the first statement and
 * of the second.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "session.h"

static const char *const names[2] = {"first", "second"};

static const char *connection_string;
static const char *statements[2];
static double turn_seconds;
static int	n_pairs;
static pthread_barrier_t barrier;

typedef struct Client
{
	pthread_t	thread;
	PGconn	   *connection;
	long		done;			/* in this turn */
	double		ended;
} Client;

static int
statement_of(int turn)
{
	return (turn + turn / 2) % 2;	/* 0 1, 1 0, 0 1 ... */
}

static void
open_connection(Client *client)
{
	client->connection = session_open(connection_string);
	for (int i = 0; i < 2; i++)
		session_check(client->connection, PQprepare(client->connection, names[i], statements[i], 0, NULL));
}

/* Between the two barriers of a turn the main thread notes the time, after them the counts. */
static void *
client_main(void *arg)
{
	Client	   *client = arg;

	for (int turn = 0; turn < 2 * n_pairs; turn++)
	{
		const char *name = names[statement_of(turn)];
		double		end;

		pthread_barrier_wait(&barrier);
		client->done = 0;
		end = clock_seconds(CLOCK_MONOTONIC) + turn_seconds;
		do
		{
			session_check(client->connection, PQexecPrepared(client->connection, name, 0, NULL, NULL, NULL, 0));
			client->done++;
			client->ended = clock_seconds(CLOCK_MONOTONIC);
		} while (client->ended < end);
		pthread_barrier_wait(&barrier);
	}
	PQfinish(client->connection);
	return NULL;
}

/* Transactions a second, by all clients, until the last one has ended. */
static double
measure_turn(const Client *clients, int n_clients)
{
	double		began,
				ended = 0;
	long		done = 0;

	pthread_barrier_wait(&barrier);
	began = clock_seconds(CLOCK_MONOTONIC);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < n_clients; i++)
	{
		done += clients[i].done;
		if (clients[i].ended > ended)
			ended = clients[i].ended;
	}
	return done / (ended - began);
}

int
main(int argc, char **argv)
{
	Client	   *clients;
	int			n_clients;

	if (argc != 7)
	{
		fprintf(stderr, "usage: alternate CONNECTION CLIENTS TURN_MS PAIRS FIRST SECOND\n");
		return 2;
	}
	connection_string = argv[1];
	n_clients = atoi(argv[2]);
	turn_seconds = atoi(argv[3]) / 1000.0;
	n_pairs = atoi(argv[4]);
	statements[0] = argv[5];
	statements[1] = argv[6];
	clients = calloc(n_clients, sizeof(Client));
	pthread_barrier_init(&barrier, NULL, n_clients + 1);
	for (int i = 0; i < n_clients; i++)
		open_connection(&clients[i]);
	for (int i = 0; i < n_clients; i++)
		pthread_create(&clients[i].thread, NULL, client_main, &clients[i]);
	for (int pair = 0; pair < n_pairs; pair++)
	{
		double		rates[2];

		for (int turn = 2 * pair; turn < 2 * pair + 2; turn++)
			rates[statement_of(turn)] = measure_turn(clients, n_clients);
		printf("%.1f %.1f\n", rates[0], rates[1]);
		fflush(stdout);
	}
	for (int i = 0; i < n_clients; i++)
		pthread_join(clients[i].thread, NULL);
	return 0;
}
