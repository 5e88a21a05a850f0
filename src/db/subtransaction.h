/*
 * subtransaction.h
 *		Running what may fail by somebody else's fault.
 */
#ifndef ECHOSYNC_SUBTRANSACTION_H
#define ECHOSYNC_SUBTRANSACTION_H

/* Which errors are somebody else's fault, and end here.  Never the caller's own cancellation. */
typedef enum Catch
{
	CATCH_DATA,					/* a value of which nothing can be made: class 22 */
	CATCH_ALL_BUT_SERVERS,		/* not what the server is short of or has lost */
	CATCH_ALL
} Catch;

/*
 * Run body in a subtransaction; the SQLSTATE that it failed with, 0 if not.  What
 * it did is undone then.  Errors that are not caught go on.  The statement's text
 * is not shown to whatever runs.
 */
typedef void (*SubtransactionBody) (void *arg);
extern int	run_in_subtransaction(SubtransactionBody body, void *arg, Catch what);

#endif							/* ECHOSYNC_SUBTRANSACTION_H */
