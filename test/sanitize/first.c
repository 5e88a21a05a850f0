/*
 * first.c
 *		Makes AddressSanitizer set itself up before any library does.
 *
 * To be preloaded with it, linked with -z initfirst.  Otherwise the sanitizer
 * is set up by the first malloc of some library's constructor.  PostgreSQL's
 * libraries bring in libgpg-error, whose constructor calls bindtextdomain,
 * which holds a lock while it allocates; the sanitizer's setup calls dlerror,
 * which wants the same lock, and the server never starts.
 */
#include <stdlib.h>

__attribute__((constructor))
static void
allocate_first(void)
{
	void	   *volatile memory = malloc(1);

	free(memory);
}
