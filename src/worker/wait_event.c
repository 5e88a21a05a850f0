/*
 * wait_event.c
 *		Names of what is waited for, where the server has room for them.
 */
#include "postgres.h"

#include "pgstat.h"
#if PG_VERSION_NUM >= 170000
#include "utils/wait_event.h"
#endif

#include "worker/wait_event.h"

uint32
wait_event(WaitReason reason)
{
#if PG_VERSION_NUM >= 170000
	static const char *const names[WAIT_N_REASONS] = {
		"EchosyncLauncher", "EchosyncWorker", "EchosyncAnswer", "EchosyncWorkerStart"
	};
	static uint32 known[WAIT_N_REASONS];

	if (known[reason] == 0)
		known[reason] = WaitEventExtensionNew(names[reason]);
	return known[reason];
#else
	return PG_WAIT_EXTENSION;
#endif
}
