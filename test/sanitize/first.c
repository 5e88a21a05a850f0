/*
 * first.c
 *		Makes AddressSanitizer set itself up before any library does.
 *
 * To be preloaded with it, linked with -z initfirst.  Otherwise the sanitizer
 * is set up by the first malloc of some library's constructor.  PostgreSQL's
 * libraries bring in libgpg-error, whose constructor calls bindtextdomain,
 * which holds a lock while it allocates; the sanitizer's setup calls dlerror,
 * which wants the same lock, and the server never starts.
 *
 * UBSan reads its options when it has something to report, from an environment
 * that the server has overwritten with the title of the process: they are here.
 */
#include <stdlib.h>

extern const char *__ubsan_default_options(void);

const char *
__ubsan_default_options(void)
{
	return "print_stacktrace=1";
}

__attribute__((constructor))
static void
allocate_first(void)
{
	void	   *volatile memory = malloc(1);

	free(memory);
}
