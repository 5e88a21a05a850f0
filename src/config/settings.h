/*
 * settings.h
 *		The server settings (GUCs) of echosync.
 *
 * Each variable is the setting of the same name, "echosync." for "echosync_".
 * Secrets are not here: see secrets.h.
 */
#ifndef ECHOSYNC_SETTINGS_H
#define ECHOSYNC_SETTINGS_H

extern char *echosync_databases;
extern int	echosync_workers;
extern int	echosync_max_in_flight;
extern char *echosync_env_file;
extern char *echosync_ca_file;
extern char *echosync_redirect_url;
extern char *echosync_app_url;
extern int	echosync_connect_timeout;	/* ms */
extern int	echosync_request_timeout;	/* ms */
extern int	echosync_max_retries;
extern int	echosync_retry_base_delay;	/* ms */
extern int	echosync_pause_after_failures;
extern int	echosync_uncertain_wait;	/* ms */
extern int	echosync_log_retention; /* days */
extern char *echosync_trusted_sessions;
extern bool echosync_enabled;
extern bool echosync_capture_enabled;
extern char *echosync_user_id;

/* Define all but the CRMs' own; called once, from _PG_init. */
extern void settings_define(void);

/*
 * A CRM's own settings, "echosync.<crm_type>_...": see CrmProvider.  Both can
 * be changed by a reload.  A base URL is https and has no trailing slash.
 */
extern void settings_define_base_url(const char *name, const char *description,
									 char **variable, const char *value);
extern void settings_define_rate_limit(const char *name, const char *description,
									   int *variable, int value, int min);

/* Is name an element of a comma-separated list setting, or the list "*"? */
extern bool settings_list_contains(const char *list, const char *name);

#endif							/* ECHOSYNC_SETTINGS_H */
