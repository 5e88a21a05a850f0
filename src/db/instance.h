/*
 * instance.h
 *		Whether the rows belong to this database (crm_instance, crm_credentials).
 */
#ifndef ECHOSYNC_INSTANCE_H
#define ECHOSYNC_INSTANCE_H

/* The name of this database that its credentials carry (crm_credentials.instance). */
extern const char *instance_name(void);

/* Is this credential's name ours?  NULL, where nobody has said, is. */
extern bool instance_is_ours(const char *name);

/*
 * Is another database's stamp on the rows: were they restored or cloned?  For a
 * worker, in a transaction with a snapshot.
 */
extern bool instance_is_anothers(void);

/* Does a credential carry another name?  Looks at all of them. */
extern bool instance_has_anothers_credentials(void);

#endif							/* ECHOSYNC_INSTANCE_H */
