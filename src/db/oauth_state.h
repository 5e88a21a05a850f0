/*
 * oauth_state.h
 *		OAuth flows under way: states, kept as hashes, single-use, ten minutes.
 */
#ifndef ECHOSYNC_OAUTH_STATE_H
#define ECHOSYNC_OAUTH_STATE_H

#include "utils/jsonb.h"

typedef struct OauthState
{
	char	   *user_id;
	char	   *crm_type;
	char	   *settings;		/* JSON text */
} OauthState;

/* Make a state for a user: a random text to put in the authorize URL. */
extern char *oauth_state_create(const char *user_id, const char *crm_type, Jsonb *settings);

/*
 * Consume a state: false when it is unknown, expired, used, or not of this
 * user (NULL: whoever's).  Strings of the result live in `context`.
 */
extern bool oauth_state_consume(const char *state, const char *user_id,
								MemoryContext context, OauthState *result);

#endif							/* ECHOSYNC_OAUTH_STATE_H */
