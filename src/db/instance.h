/*
 * instance.h
 *		Whether the rows belong to this database (crm_instance).
 */
#ifndef ECHOSYNC_INSTANCE_H
#define ECHOSYNC_INSTANCE_H

/*
 * Is another database's stamp on the rows: were they restored or cloned?  For a
 * worker, in a transaction with a snapshot.
 */
extern bool instance_is_anothers(void);

#endif							/* ECHOSYNC_INSTANCE_H */
