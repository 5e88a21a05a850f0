/*
 * wait_event.c
 *		Names of what is waited for, where the server has room for them.
 */
#include "postgres.h"

#include "pg_compat.h"
#include "worker/wait_event.h"

uint32
wait_event(WaitReason reason)
{
	static const char *const names[WAIT_N_REASONS] = {
		"EchosyncLauncher", "EchosyncWorker", "EchosyncAnswer", "EchosyncWorkerStart"
	};
	static uint32 known[WAIT_N_REASONS];

	return compat_wait_event(&known[reason], names[reason]);
}
