/*
 * buffer.h
 *		A bounded byte buffer that leaves no copy of its bytes behind.
 */
#ifndef ECHOSYNC_HTTP_BUFFER_H
#define ECHOSYNC_HTTP_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct HttpBuffer
{
	char	   *data;			/* NUL-terminated; NULL while empty */
	size_t		len;			/* without the NUL */
	size_t		size;			/* allocated */
} HttpBuffer;

typedef enum HttpBufferResult
{
	HTTP_BUFFER_NONE = 0,		/* unset */
	HTTP_BUFFER_OK,
	HTTP_BUFFER_FULL,			/* would pass the cap */
	HTTP_BUFFER_NO_MEMORY
} HttpBufferResult;

/* Append; the buffer is as it was unless HTTP_BUFFER_OK is returned. */
extern HttpBufferResult http_buffer_append(HttpBuffer *buffer, size_t cap,
										   const char *bytes, size_t n);

/* Wipe and free; the buffer is empty afterwards and may be used again. */
extern void http_buffer_wipe(HttpBuffer *buffer);

/* Wipe and free what malloc gave; NULL is allowed. */
extern void http_wipe_free(void *memory, size_t len);

#endif							/* ECHOSYNC_HTTP_BUFFER_H */
