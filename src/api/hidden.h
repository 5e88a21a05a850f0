/*
 * hidden.h
 *		For functions that are given keys, codes or people's data.
 */
#ifndef ECHOSYNC_HIDDEN_H
#define ECHOSYNC_HIDDEN_H

#include "fmgr.h"

/*
 * Call a function; whatever is logged of what goes wrong in it, a cancelled
 * wait included, is logged without the statement and without what was bound.
 */
extern Datum call_hidden(PGFunction function, FunctionCallInfo fcinfo);

#endif							/* ECHOSYNC_HIDDEN_H */
