/*
 * lead_index.h
 *		Whether an index of an attached table serves to find rows by its columns.
 */
#ifndef ECHOSYNC_LEAD_INDEX_H
#define ECHOSYNC_LEAD_INDEX_H

#include "utils/rel.h"

/*
 * Does an index that finds equal values, of all rows, begin with this column, or
 * with both of them?  second InvalidAttrNumber: with the first.
 */
extern bool lead_index_begins_with(Relation rel, AttrNumber first, AttrNumber second);

#endif							/* ECHOSYNC_LEAD_INDEX_H */
