/*
 * undumped.h
 *		Memory that the kernel leaves out of core dumps.
 */
#ifndef ECHOSYNC_UNDUMPED_H
#define ECHOSYNC_UNDUMPED_H

/*
 * Zeroed memory of this process, inherited by its children.  A page or more:
 * for a few secrets.  ERROR when there is none.
 */
extern void *undumped_alloc(Size size);

/* Wipe it and give it back; the size as given to undumped_alloc. */
extern void undumped_free(void *memory, Size size);

/*
 * Leave out memory that is there already, shared memory for example: the whole
 * pages that lie in it, in this process and in children to come.  Where the
 * kernel will not (huge pages, which it dumps only if told to) nothing is said.
 */
extern void undumped_mark(void *memory, Size size);

#endif							/* ECHOSYNC_UNDUMPED_H */
