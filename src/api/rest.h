/*
 * rest.h
 *		What PostgREST says of the request, and is told of the response.
 */
#ifndef ECHOSYNC_REST_H
#define ECHOSYNC_REST_H

/* A header of the request, its name in lower case; NULL: none. */
extern char *rest_request_header(const char *name);

/* Is this a GET (or HEAD) through PostgREST? */
extern bool rest_is_get(void);

/* The HTTP status to answer with. */
extern void rest_set_status(const char *status);

/* Answer 303 See Other with this Location. */
extern void rest_redirect(const char *location);

#endif							/* ECHOSYNC_REST_H */
