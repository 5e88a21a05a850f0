/*
 * seal.h
 *		Sealing of credentials: AES-256-GCM with a key derived from the secrets.
 */
#ifndef ECHOSYNC_SEAL_H
#define ECHOSYNC_SEAL_H

/*
 * Seal a text.  The context (integration and tenant, or "" where there is
 * none) is bound to it: it opens under the same context only.  ERROR when no
 * key is in force.
 */
extern char *seal_text(const char *plain, const char *context);

/*
 * Open a sealed text with the current or a previous key.  Returns NULL, and a
 * static reason, when it cannot be opened; never throws for bad input.  The
 * caller wipes the result with seal_wipe.
 */
extern char *seal_open(const char *sealed, const char *context, const char **reason);

/* May anything be sealed: is there a key in force? */
extern bool seal_ready(void);

/* Was it sealed with the current key?  (Rotation leaves those alone.) */
extern bool seal_is_current(const char *sealed);

/* Overwrite a secret and free it; NULL is allowed. */
extern void seal_wipe(char *secret);

#endif							/* ECHOSYNC_SEAL_H */
