/*
 * launcher.h
 *		Finding the databases that want workers, and keeping workers there.
 */
#ifndef ECHOSYNC_LAUNCHER_H
#define ECHOSYNC_LAUNCHER_H

/* Register the launcher; called from _PG_init under preload. */
extern void launcher_register(void);

#endif							/* ECHOSYNC_LAUNCHER_H */
