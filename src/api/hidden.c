/*
 * hidden.c
 *		Keeps the statement of a call, and its parameters, out of the server log.
 *
 * Keys, codes and leads come as arguments.  The log repeats the statement of
 * an error, and with log_parameter_max_length_on_error also what was bound to
 * it, as context.  The client is told the context all the same: it has sent it.
 */
#include "postgres.h"

#include "api/hidden.h"

static void
hide(void *arg)
{
	(void) errhidestmt(true);
	(void) errhidecontext(true);
}

Datum
call_hidden(PGFunction function, FunctionCallInfo fcinfo)
{
	ErrorContextCallback hidden = {error_context_stack, hide, NULL};
	Datum		result;

	error_context_stack = &hidden;
	result = function(fcinfo);
	error_context_stack = hidden.previous;
	return result;
}
