/*
 * echosync.c
 *		The entry point of the library: settings, hooks, the launcher.
 *
 * Nothing else belongs here.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "api/capture.h"
#include "config/secrets.h"
#include "config/settings.h"
#include "crm/crm.h"
#include "worker/backlog.h"
#include "worker/launcher.h"
#include "worker/shared.h"
#include "worker/step_aside.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	settings_define();
	crm_define_settings();
	MarkGUCPrefixReserved("echosync");
	wake_install_callbacks();
	backlog_install_callbacks();	/* called before those of the wake-up */
	capture_install_callbacks();

	/* Without preload there is no shared memory and no worker, only a queue. */
	if (!process_shared_preload_libraries_in_progress)
		return;
	if (IsPostmasterEnvironment)
		secrets_preload();
	shared_install_hooks();
	step_aside_install_hook();
	launcher_register();
}
