/*
 * session.h
 *		A session with the server, for the programs of the bench: what goes wrong
 *		ends the program with the server's message.
 */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

static inline void
session_fail(const PGconn *connection)
{
	fprintf(stderr, "%s", PQerrorMessage(connection));
	exit(1);
}

static inline PGconn *
session_open(const char *connection_string)
{
	PGconn	   *connection = PQconnectdb(connection_string);

	if (PQstatus(connection) != CONNECTION_OK)
		session_fail(connection);
	return connection;
}

/* A result without rows is expected. */
static inline void
session_check(const PGconn *connection, PGresult *result)
{
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		session_fail(connection);
	PQclear(result);
}

#endif							/* BENCH_SESSION_H */
