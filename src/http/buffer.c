/*
 * buffer.c
 *		A bounded byte buffer that leaves no copy of its bytes behind.
 *
 * Replies carry tokens and personal data.  realloc would leave the old copy
 * in freed memory whenever it moves, so growth is malloc, copy, wipe, free.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"

#define BUFFER_FIRST_SIZE	2048

void
http_wipe_free(void *memory, size_t len)
{
	if (memory == NULL)
		return;
	explicit_bzero(memory, len);
	free(memory);
}

void
http_buffer_wipe(HttpBuffer *buffer)
{
	http_wipe_free(buffer->data, buffer->size);
	buffer->data = NULL;
	buffer->len = 0;
	buffer->size = 0;
}

static bool
buffer_grow(HttpBuffer *buffer, size_t need)
{
	size_t		size = buffer->size;
	char	   *data;

	if (size == 0)
		size = BUFFER_FIRST_SIZE;
	while (size < need)
		size = (size > SIZE_MAX / 2) ? need : size * 2;

	data = malloc(size);
	if (data == NULL)
		return false;
	if (buffer->len > 0)
		memcpy(data, buffer->data, buffer->len);
	http_wipe_free(buffer->data, buffer->size);
	buffer->data = data;
	buffer->size = size;
	return true;
}

HttpBufferResult
http_buffer_append(HttpBuffer *buffer, size_t cap, const char *bytes, size_t n)
{
	if (cap >= SIZE_MAX)
		cap = SIZE_MAX - 1;		/* room for the NUL */
	if (buffer->len > cap || n > cap - buffer->len)
		return HTTP_BUFFER_FULL;
	if (buffer->len + n + 1 > buffer->size &&
		!buffer_grow(buffer, buffer->len + n + 1))
		return HTTP_BUFFER_NO_MEMORY;
	if (n > 0)
		memcpy(buffer->data + buffer->len, bytes, n);
	buffer->len += n;
	buffer->data[buffer->len] = '\0';
	return HTTP_BUFFER_OK;
}
