/*
 * fuzz.h
 *		What the fuzz targets share.
 *
 * A target is a function that takes any bytes and looks whether the code under
 * test keeps its word.  It runs in a memory context that is reset after each
 * input.  An error that it does not catch (fuzz_error) is a finding, as is
 * whatever the sanitizers say.
 */
#ifndef ECHOSYNC_FUZZ_H
#define ECHOSYNC_FUZZ_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#include "http/http.h"
#include "pg_compat.h"

typedef void (*FuzzTarget) (const char *data, size_t size);

extern void fuzz_api_key(const char *data, size_t size);
extern void fuzz_env_file(const char *data, size_t size);
extern void fuzz_followupboss(const char *data, size_t size);
extern void fuzz_headers(const char *data, size_t size);
extern void fuzz_json(const char *data, size_t size);
extern void fuzz_kvcore(const char *data, size_t size);
extern void fuzz_lead(const char *data, size_t size);
extern void fuzz_limits(const char *data, size_t size);
extern void fuzz_lofty(const char *data, size_t size);
extern void fuzz_mapping(const char *data, size_t size);
extern void fuzz_phone(const char *data, size_t size);
extern void fuzz_retry_after(const char *data, size_t size);
extern void fuzz_sealed(const char *data, size_t size);
extern void fuzz_settings(const char *data, size_t size);
extern void fuzz_webhook(const char *data, size_t size);

/* A promise; an input for which it does not hold is a finding. */
#define PROMISE(condition) \
	do { \
		if (!(condition)) \
			fuzz_broken(#condition, __FILE__, __LINE__); \
	} while (0)

pg_noreturn extern void fuzz_broken(const char *promise, const char *file, int line);

/* The input as a text, up to its first NUL. */
extern char *fuzz_text(const char *data, size_t size);

/*
 * The next line of a text, without its end, and *text moved past it; NULL
 * when there is none.  The text is cut up.
 */
extern char *fuzz_line(char **text);

/* A jsonb as the server makes it of a text; NULL where that is an error. */
extern Jsonb *fuzz_jsonb(const char *text);

/*
 * Call body(arg); false and its SQLSTATE when it raises an error.  For code
 * that is allowed to: the caller judges by the SQLSTATE.
 */
extern bool fuzz_error(void (*body) (void *arg), void *arg, int *sqlstate);

/* NULL or both the same text? */
extern bool fuzz_same(const char *a, const char *b);

/*
 * Read one reply off a text: a line with its status (or with what became of it
 * instead: see reply.c), its headers, an empty line, its body up to a line
 * "%%".  False when there is none.
 */
extern bool fuzz_reply(char **text, HttpReply *reply);

/* headers.c: what the engine has against a request, or NULL. */
extern const char *fuzz_request_fault(const HttpRequest *request);

#endif							/* ECHOSYNC_FUZZ_H */
