/*
 * guarded_memory.c
 *		Makes AddressSanitizer see palloc'd memory.
 *
 * AddressSanitizer knows what malloc gave out.  PostgreSQL takes from malloc
 * blocks of 8 kB and more and cuts them up itself, so that a write past the
 * end of a palloc'd chunk, or into one that was freed, goes unseen.  Here the
 * methods of the server's allocation sets are replaced by ones that leave room
 * behind each chunk and poison it, and poison a chunk when it is freed or its
 * context is reset.  All contexts share one table of methods, so that this
 * also holds for those that the server makes.
 *
 * Compiled into the library for sanitizer runs only (script/sanitize.sh,
 * test/fuzz), never into what is installed.  The server itself is as it was:
 * of its code only what goes through libc's functions is checked.
 *
 * The layout of aset.c is copied, since it is private there: PostgreSQL 15,
 * built without assertions.
 */
#include "postgres.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nodes/memnodes.h"
#include "utils/memutils.h"

#if PG_VERSION_NUM / 10000 != 15 || defined(MEMORY_CONTEXT_CHECKING)
#error "guarded_memory.c copies the layout of aset.c of PostgreSQL 15, without assertions"
#endif

#define GUARD_SIZE	16			/* behind every chunk, at least */

typedef struct GuardedChunk
{
	Size		size;			/* as rounded up by aset.c */
	void	   *aset;			/* the context; the next one on a free list */
} GuardedChunk;

typedef struct GuardedBlock
{
	void	   *aset;
	struct GuardedBlock *prev;
	struct GuardedBlock *next;
	char	   *freeptr;
	char	   *endptr;
} GuardedBlock;

typedef struct GuardedSet
{
	MemoryContextData header;
	GuardedBlock *blocks;
	GuardedChunk *freelist[11];
	Size		initBlockSize;
	Size		maxBlockSize;
	Size		nextBlockSize;
	Size		allocChunkLimit;	/* larger chunks have a block of their own */
	GuardedBlock *keeper;
	int			freeListIndex;
} GuardedSet;

static MemoryContextMethods aset;	/* as the server has them */

static GuardedChunk *
chunk_of(void *pointer)
{
	return (GuardedChunk *) ((char *) pointer - sizeof(GuardedChunk));
}

static bool
has_own_block(MemoryContext context, void *pointer)
{
	return chunk_of(pointer)->size > ((GuardedSet *) context)->allocChunkLimit;
}

/* Of a chunk, let size bytes be used and no more. */
static void *
guard(void *pointer, Size size)
{
	GuardedChunk *chunk = pointer ? chunk_of(pointer) : NULL;

	if (chunk == NULL)
		return NULL;
	ASAN_UNPOISON_MEMORY_REGION(chunk, sizeof(GuardedChunk) + size);
	ASAN_POISON_MEMORY_REGION((char *) pointer + size, chunk->size - size);
	return pointer;
}

static void *
guarded_alloc(MemoryContext context, Size size)
{
	return guard(aset.alloc(context, size + GUARD_SIZE), size);
}

static void
guarded_free(MemoryContext context, void *pointer)
{
	Size		size = chunk_of(pointer)->size;
	bool		given_back = has_own_block(context, pointer);

	aset.free_p(context, pointer);
	if (!given_back)
		ASAN_POISON_MEMORY_REGION(pointer, size);
}

/* Always moves a chunk of a shared block, so that old pointers are found out. */
static void *
guarded_realloc(MemoryContext context, void *pointer, Size size)
{
	Size		old_size = chunk_of(pointer)->size;
	void	   *moved;

	ASAN_UNPOISON_MEMORY_REGION(pointer, old_size);
	if (has_own_block(context, pointer))
		return guard(aset.realloc(context, pointer, size + GUARD_SIZE), size);

	moved = guarded_alloc(context, size);
	if (moved != NULL)
	{
		memcpy(moved, pointer, Min(size, old_size));
		guarded_free(context, pointer);
	}
	return moved;
}

/* What is left is one block, if any. */
static void
guarded_reset(MemoryContext context)
{
	GuardedBlock *block;

	aset.reset(context);
	for (block = ((GuardedSet *) context)->blocks; block != NULL; block = block->next)
		ASAN_POISON_MEMORY_REGION(block->freeptr, block->endptr - block->freeptr);
}

/*
 * The library is loaded by a process that has its memory contexts already;
 * their table is in memory that the loader has made read-only.
 */
__attribute__((constructor))
static void
guard_memory(void)
{
	MemoryContextMethods *methods = (MemoryContextMethods *) TopMemoryContext->methods;
	uintptr_t	page_size = (uintptr_t) sysconf(_SC_PAGESIZE);
	uintptr_t	first = (uintptr_t) methods & ~(page_size - 1);
	uintptr_t	last = (uintptr_t) (methods + 1);

	if (mprotect((void *) first, last - first, PROT_READ | PROT_WRITE) != 0)
		elog(FATAL, "could not make the methods of memory contexts writable: %m");
	aset = *methods;
	methods->alloc = guarded_alloc;
	methods->free_p = guarded_free;
	methods->realloc = guarded_realloc;
	methods->reset = guarded_reset;
}
