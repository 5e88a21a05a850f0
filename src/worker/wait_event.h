/*
 * wait_event.h
 *		What pg_stat_activity says our processes wait for.
 *
 * Before PostgreSQL 17 an extension has one wait event, named Extension; from
 * then on each of these has its name.
 */
#ifndef ECHOSYNC_WAIT_EVENT_H
#define ECHOSYNC_WAIT_EVENT_H

typedef enum WaitReason
{
	WAIT_LAUNCHER = 0,			/* EchosyncLauncher: for workers to end or to be wanted */
	WAIT_WORKER,				/* EchosyncWorker: for leads, replies, or a time */
	WAIT_ANSWER,				/* EchosyncAnswer: a session, for the worker to answer it */
	WAIT_WORKER_START,			/* EchosyncWorkerStart: a session, for a worker */
	WAIT_N_REASONS
} WaitReason;

extern uint32 wait_event(WaitReason reason);

#endif							/* ECHOSYNC_WAIT_EVENT_H */
