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
extern char *echosync_followupboss_api_url;
extern char *echosync_followupboss_app_url;
extern char *echosync_lofty_api_url;
extern int	echosync_connect_timeout;	/* ms */
extern int	echosync_request_timeout;	/* ms */
extern int	echosync_max_retries;
extern int	echosync_retry_base_delay;	/* ms */
extern int	echosync_pause_after_failures;
extern int	echosync_lofty_rate_limit;	/* calls a minute */
extern int	echosync_followupboss_rate_limit;	/* calls in 10 s; 0: by key */
extern int	echosync_uncertain_wait;	/* ms */
extern int	echosync_log_retention; /* days */
extern char *echosync_trusted_sessions;
extern bool echosync_enabled;
extern bool echosync_capture_enabled;
extern char *echosync_user_id;

/* Define them all; called once, from _PG_init. */
extern void settings_define(void);

/* Is name an element of a comma-separated list setting, or the list "*"? */
extern bool settings_list_contains(const char *list, const char *name);

#endif							/* ECHOSYNC_SETTINGS_H */
