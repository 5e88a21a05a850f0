/*
 * undumped.c
 *		Memory that the kernel leaves out of core dumps.
 *
 * Every process of the server has the installation's secrets, since it
 * inherits them.  A core dump of any of them, sent to somebody who is to find
 * out why it crashed, must not hold the key of all credentials.
 *
 * Not OpenSSL's secure heap: there is one for a process, and once it is set
 * up, OpenSSL takes the server's own TLS keys from it too, until it is full.
 */
#include "postgres.h"

#include <sys/mman.h>
#include <unistd.h>

#include "config/undumped.h"

static Size
page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

void *
undumped_alloc(Size size)
{
	void	   *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
							  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	undumped_mark(memory, TYPEALIGN(page_size(), size));
	return memory;
}

void
undumped_free(void *memory, Size size)
{
	explicit_bzero(memory, size);
	(void) munmap(memory, size);
}

void
undumped_mark(void *memory, Size size)
{
#ifdef MADV_DONTDUMP
	uintptr_t	before = TYPEALIGN(page_size(), memory) - (uintptr_t) memory;

	if (size >= before + page_size())
		(void) madvise((char *) memory + before,
					   TYPEALIGN_DOWN(page_size(), size - before), MADV_DONTDUMP);
#endif
}
