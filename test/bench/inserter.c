/*
 * inserter.c
 *		An application that inserts single leads, far enough apart that each
 *		finds the worker asleep, and notes the clock around each COMMIT.
 *
 *	inserter CONNECTION USER FIRST_PHONE COUNT GAP_US
 *
 * Prints a line for each lead: its phone, and CLOCK_REALTIME just before the
 * COMMIT is sent and just after it has returned.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "session.h"

int
main(int argc, char **argv)
{
	PGconn	   *connection;
	long		first,
				count;
	useconds_t	gap;

	if (argc != 6)
	{
		fprintf(stderr, "usage: inserter CONNECTION USER FIRST_PHONE COUNT GAP_US\n");
		return 2;
	}
	connection = session_open(argv[1]);
	first = atol(argv[3]);
	count = atol(argv[4]);
	gap = (useconds_t) atol(argv[5]);
	session_check(connection, PQprepare(connection, "lead",
										"INSERT INTO leads (user_id, phone_number, first_name, risk_score)"
										" VALUES ($1, $2, 'Latency', 5)", 2, NULL));
	for (long i = 0; i < count; i++)
	{
		char		phone[32];
		const char *values[2] = {argv[2], phone};
		double		before,
					after;

		snprintf(phone, sizeof(phone), "%ld", first + i);
		session_check(connection, PQexec(connection, "BEGIN"));
		session_check(connection, PQexecPrepared(connection, "lead", 2, values, NULL, NULL, 0));
		before = clock_seconds(CLOCK_REALTIME);
		session_check(connection, PQexec(connection, "COMMIT"));
		after = clock_seconds(CLOCK_REALTIME);
		printf("%s %.6f %.6f\n", phone, before, after);
		usleep(gap);
	}
	PQfinish(connection);
	return 0;
}
