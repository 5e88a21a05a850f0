/*
 * capture.h
 *		From changed leads to queue rows.
 */
#ifndef ECHOSYNC_CAPTURE_H
#define ECHOSYNC_CAPTURE_H

#include "crm/crm.h"

/* Transaction callbacks of the trigger's buffer; called once, from _PG_init. */
extern void capture_install_callbacks(void);

#endif							/* ECHOSYNC_CAPTURE_H */
