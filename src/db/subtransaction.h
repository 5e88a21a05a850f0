/*
 * subtransaction.h
 *		Running what may fail by somebody else's fault.
 */
#ifndef ECHOSYNC_SUBTRANSACTION_H
#define ECHOSYNC_SUBTRANSACTION_H

/*
 * Run body in a subtransaction; the SQLSTATE that it failed with, 0 if not.  What
 * it did is undone then.  The caller's own cancellation goes on as an error, and
 * so does, with only_data, what the server is short of or has lost.  The statement's
 * text is not shown to whatever runs.
 */
typedef void (*SubtransactionBody) (void *arg);
extern int	run_in_subtransaction(SubtransactionBody body, void *arg, bool only_data);

#endif							/* ECHOSYNC_SUBTRANSACTION_H */
