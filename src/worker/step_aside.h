/*
 * step_aside.h
 *		Workers make room for commands that want a database to themselves.
 */
#ifndef ECHOSYNC_STEP_ASIDE_H
#define ECHOSYNC_STEP_ASIDE_H

#include "postgres_ext.h"

/* Install the utility hook; called from _PG_init under preload. */
extern void step_aside_install_hook(void);

/* Has somebody asked that no worker run in this database now? */
extern bool step_aside_wanted(Oid database);

#endif							/* ECHOSYNC_STEP_ASIDE_H */
