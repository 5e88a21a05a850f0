/*
 * settings.c
 *		The server settings (GUCs) of echosync: names, units, bounds, checks.
 *
 * Nothing is decided here.  Most settings are SIGHUP: the workers read the
 * configuration files only, so that a SET in a session would silently do
 * nothing.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "config/secrets.h"
#include "config/settings.h"

char	   *echosync_databases;
int			echosync_workers;
int			echosync_max_in_flight;
char	   *echosync_env_file;
char	   *echosync_ca_file;
char	   *echosync_redirect_url;
char	   *echosync_app_url;
int			echosync_connect_timeout;
int			echosync_request_timeout;
int			echosync_max_retries;
int			echosync_retry_base_delay;
int			echosync_pause_after_failures;
int			echosync_uncertain_wait;
int			echosync_log_retention;
char	   *echosync_trusted_sessions;
bool		echosync_enabled;
bool		echosync_capture_enabled;
char	   *echosync_user_id;

static bool
check_list(char **newval, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*newval);
	List	   *elements;

	if (!SplitIdentifierString(copy, ',', &elements) && strcmp(*newval, "*") != 0)
	{
		GUC_check_errdetail("List syntax is invalid.");
		return false;
	}
	return true;
}

/* Only https is spoken; a trailing slash would be doubled when paths follow. */
static bool
check_base_url(char **newval, void **extra, GucSource source)
{
	size_t		len = strlen(*newval);

	if (strncmp(*newval, "https://", 8) != 0 || len <= 8)
	{
		GUC_check_errdetail("The URL must start with \"https://\".");
		return false;
	}
	if ((*newval)[len - 1] == '/')
	{
		GUC_check_errdetail("The URL must not end with a slash.");
		return false;
	}
	if (strpbrk(*newval, " \t\r\n?#@") != NULL)
	{
		GUC_check_errdetail("The URL must hold no space, user, query or fragment.");
		return false;
	}
	return true;
}

/* A page of the application; it may be on the developer's own machine. */
static bool
check_app_url(char **newval, void **extra, GucSource source)
{
	const char *url = *newval;

	if (url[0] == '\0')
		return true;
	if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
	{
		GUC_check_errdetail("The URL must start with \"https://\" or \"http://\".");
		return false;
	}
	for (; *url != '\0'; url++)
	{
		if ((unsigned char) *url <= ' ' || (unsigned char) *url >= 0x7f || strchr("\"<>\\^`{|}", *url))
		{
			GUC_check_errdetail("The URL holds a character that must be percent-encoded.");
			return false;
		}
	}
	return true;
}

static void
assign_env_file(const char *newval, void *extra)
{
	secrets_env_file_assigned(newval);
}

void
settings_define_base_url(const char *name, const char *description, char **variable,
						 const char *value)
{
	DefineCustomStringVariable(name, description, NULL, variable, value,
							   PGC_SIGHUP, 0, check_base_url, NULL, NULL);
}

static void
define_string(const char *name, const char *description, char **variable)
{
	DefineCustomStringVariable(name, description, NULL, variable, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
}

static void
define_int(const char *name, const char *description, int *variable,
		   int value, int min, int max, int flags)
{
	DefineCustomIntVariable(name, description, NULL, variable, value, min, max,
							PGC_SIGHUP, flags, NULL, NULL, NULL);
}

void
settings_define_rate_limit(const char *name, const char *description, int *variable,
						   int value, int min)
{
	define_int(name, description, variable, value, min, INT_MAX / 2, 0);
}

static void
define_worker_settings(void)
{
	DefineCustomStringVariable("echosync.databases",
							   "Databases whose queues are drained; * for every one that has the extension.",
							   NULL, &echosync_databases, "*",
							   PGC_SIGHUP, GUC_LIST_INPUT, check_list, NULL, NULL);
	define_int("echosync.workers",
			   "Workers in each database; connections are divided among them.",
			   &echosync_workers, 1, 1, 16, 0);
	define_int("echosync.max_in_flight",
			   "Requests that one worker has under way at once.",
			   &echosync_max_in_flight, 64, 1, 1024, 0);
	DefineCustomBoolVariable("echosync.enabled",
							 "Off: workers finish what is in flight and idle.",
							 NULL, &echosync_enabled, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	define_int("echosync.max_retries",
			   "Times a lead is tried again before it becomes a dead letter.",
			   &echosync_max_retries, 3, 0, 20, 0);
	define_int("echosync.retry_base_delay",
			   "Wait before the first retry; doubles with each.",
			   &echosync_retry_base_delay, 1000, 1, 3600 * 1000, GUC_UNIT_MS);
	define_int("echosync.pause_after_failures",
			   "Failures in a row after which a connection is paused.",
			   &echosync_pause_after_failures, 10, 1, 100000, 0);
	define_int("echosync.uncertain_wait",
			   "Wait before searching again after a create whose fate is unknown.",
			   &echosync_uncertain_wait, 90 * 1000, 0, 3600 * 1000, GUC_UNIT_MS);
	define_int("echosync.log_retention",
			   "Days that rows of crm_sync_logs are kept; 0 keeps them for ever.",
			   &echosync_log_retention, 30, 0, 36500, 0);
}

static void
define_http_settings(void)
{
	define_int("echosync.connect_timeout", "Time to connect to a CRM.",
			   &echosync_connect_timeout, 10 * 1000, 10, 600 * 1000, GUC_UNIT_MS);
	define_int("echosync.request_timeout", "Time for a whole request to a CRM.",
			   &echosync_request_timeout, 30 * 1000, 10, 600 * 1000, GUC_UNIT_MS);
	DefineCustomStringVariable("echosync.env_file",
							   "File with the secrets, in .env form.",
							   NULL, &echosync_env_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, assign_env_file, NULL);
	define_string("echosync.ca_file",
				  "PEM file with a private certificate authority.", &echosync_ca_file);
	define_string("echosync.redirect_url",
				  "OAuth callback registered with Follow Up Boss.", &echosync_redirect_url);
	DefineCustomStringVariable("echosync.app_url",
							   "Where a browser is sent after a GET callback.",
							   NULL, &echosync_app_url, "",
							   PGC_SIGHUP, 0, check_app_url, NULL, NULL);
}

static void
define_session_settings(void)
{
	DefineCustomStringVariable("echosync.trusted_sessions",
							   "Session users that may say for whom they act; * for all.",
							   "Any other session acts for its own role name.",
							   &echosync_trusted_sessions, "*",
							   PGC_SUSET, GUC_LIST_INPUT, check_list, NULL, NULL);
	DefineCustomStringVariable("echosync.user_id",
							   "The application's user on whose behalf the session acts.",
							   NULL, &echosync_user_id, "",
							   PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("echosync.capture",
							 "Off: triggers queue nothing in this session.",
							 "For bulk loads and restores.",
							 &echosync_capture_enabled, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
}

void
settings_define(void)
{
	define_worker_settings();
	define_http_settings();
	define_session_settings();
}

bool
settings_list_contains(const char *list, const char *name)
{
	char	   *copy;
	List	   *elements;
	ListCell   *lc;

	if (strcmp(list, "*") == 0)
		return true;
	copy = pstrdup(list);
	if (!SplitIdentifierString(copy, ',', &elements))
		return false;
	foreach(lc, elements)
	{
		if (strcmp((char *) lfirst(lc), name) == 0)
			return true;
	}
	return false;
}
