/*
 * secrets.h
 *		The installation's secrets, from the file echosync.env_file or, where a
 *		name is not in it, from the server's environment.
 */
#ifndef ECHOSYNC_SECRETS_H
#define ECHOSYNC_SECRETS_H

#define SECRETS_MAX_PREVIOUS_KEYS 8
#define SECRETS_MAX_WEBHOOK_SECRETS 4

typedef struct Secrets
{
	char	   *encryption_key; /* 64 hex digits; NULL where not set */
	char	   *encryption_salt;
	char	   *previous_keys[SECRETS_MAX_PREVIOUS_KEYS];
	int			n_previous_keys;
	char	   *webhook_secrets[SECRETS_MAX_WEBHOOK_SECRETS];
	int			n_webhook_secrets;
	char	   *followupboss_client_id;
	char	   *followupboss_client_secret;
	char	   *followupboss_system_name;
	char	   *followupboss_system_key;
} Secrets;

/*
 * In the postmaster: read them now, and again whenever the setting
 * echosync.env_file is assigned.  Its children inherit them.
 */
extern void secrets_preload(void);
extern void secrets_env_file_assigned(const char *path);

/*
 * The secrets in force.  Read by the postmaster, and again by each process
 * after a reload of the configuration; a file that has turned bad leaves the
 * former ones in force.  Never NULL; without a usable file all members are NULL.  Valid until the
 * next call.
 */
extern const Secrets *secrets_current(void);

/*
 * Why the file (as last read) is not usable, NULL when it is.  Names the line
 * and the name, never a value.
 */
extern const char *secrets_problem(void);

/* Increases whenever secrets_current() gave something new. */
extern int	secrets_generation(void);

#endif							/* ECHOSYNC_SECRETS_H */
