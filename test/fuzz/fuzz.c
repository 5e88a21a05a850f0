/*
 * fuzz.c
 *		echosync_fuzz(): runs a fuzz target inside the server.
 *
 * Most of what parses foreign bytes stands on jsonb and memory contexts, which
 * no library has.  So the targets are linked with all of src/ into a module,
 * and libFuzzer is driven from an SQL function, in a single-user server
 * (run.sh).  Linked without libFuzzer, the module runs the inputs that it is
 * given, once each.
 */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "storage/fd.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(echosync_fuzz);

#define MAX_FILE (1024 * 1024)

/* libFuzzer's, where it is linked; it does not return. */
extern int	LLVMFuzzerRunDriver(int *argc, char ***argv,
								int (*run_input) (const uint8 *data, size_t size)) __attribute__((weak));

static const struct
{
	const char *name;
	FuzzTarget	run;
}			targets[] =
{
	{"api_key", fuzz_api_key},
	{"env_file", fuzz_env_file},
	{"followupboss", fuzz_followupboss},
	{"headers", fuzz_headers},
	{"json", fuzz_json},
	{"kvcore", fuzz_kvcore},
	{"lead", fuzz_lead},
	{"limits", fuzz_limits},
	{"lofty", fuzz_lofty},
	{"mapping", fuzz_mapping},
	{"phone", fuzz_phone},
	{"retry_after", fuzz_retry_after},
	{"sealed", fuzz_sealed},
	{"settings", fuzz_settings},
	{"webhook", fuzz_webhook}
};

static FuzzTarget target;
static MemoryContext input_context;

/* ------------------------------------------------------------------------
 * For the targets
 * ------------------------------------------------------------------------ */

void
fuzz_broken(const char *promise, const char *file, int line)
{
	fprintf(stderr, "\nBROKEN PROMISE: %s (%s:%d)\n", promise, file, line);
	fflush(stderr);
	abort();
}

char *
fuzz_text(const char *data, size_t size)
{
	return pnstrdup(data, size);
}

char *
fuzz_line(char **text)
{
	char	   *line = *text;
	char	   *end = line ? strchrnul(line, '\n') : NULL;

	if (line == NULL)
		return NULL;
	*text = *end == '\0' ? NULL : end + 1;
	*end = '\0';
	return line;
}

bool
fuzz_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
fuzz_error(void (*body) (void *arg), void *arg, int *sqlstate)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool ok = true;

	*sqlstate = 0;
	PG_TRY();
	{
		body(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		*sqlstate = geterrcode();
		FlushErrorState();
		ok = false;
	}
	PG_END_TRY();
	return ok;
}

typedef struct JsonbInput
{
	const char *text;
	Jsonb	   *result;
} JsonbInput;

static void
jsonb_input(void *arg)
{
	JsonbInput *input = arg;

	/* what a client sends is in the database's encoding: nothing else gets so far */
	pg_verifymbstr(input->text, strlen(input->text), false);
	input->result = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(input->text)));
}

Jsonb *
fuzz_jsonb(const char *text)
{
	JsonbInput	input = {text, NULL};
	int			sqlstate;

	return fuzz_error(jsonb_input, &input, &sqlstate) ? input.result : NULL;
}

/* ------------------------------------------------------------------------
 * Running inputs
 * ------------------------------------------------------------------------ */

/* The copy is of the very size, so that a read past the end is seen. */
static int
run_input(const uint8 *data, size_t size)
{
	MemoryContext old_context = MemoryContextSwitchTo(input_context);
	char	   *copy = palloc(size);

	memcpy(copy, data, size);
	PG_TRY();
	{
		target(copy, size);
	}
	PG_CATCH();
	{
		fprintf(stderr, "\nAN ERROR WAS RAISED:\n");
		EmitErrorReport();
		abort();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(input_context);
	return 0;
}

static int
run_file(const char *path)
{
	struct stat st;
	FILE	   *file = AllocateFile(path, PG_BINARY_R);
	char	   *bytes;

	if (file == NULL || fstat(fileno(file), &st) != 0 || st.st_size > MAX_FILE)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read \"%s\": %m", path)));
	bytes = palloc(st.st_size + 1);
	if (fread(bytes, 1, st.st_size, file) != st.st_size)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read \"%s\": %m", path)));
	FreeFile(file);
	fprintf(stderr, "Running: %s\n", path);
	run_input((uint8 *) bytes, st.st_size);
	pfree(bytes);
	return 1;
}

/* Without libFuzzer: the files, and those of the folders, once each. */
static int
run_path(const char *path)
{
	struct stat st;
	struct dirent *entry;
	DIR		   *folder;
	int			n = 0;

	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return run_file(path);
	folder = AllocateDir(path);
	while ((entry = ReadDir(folder, path)) != NULL)
	{
		if (entry->d_name[0] != '.')
			n += run_file(psprintf("%s/%s", path, entry->d_name));
	}
	FreeDir(folder);
	return n;
}

/* echosync_fuzz(target, libFuzzer's arguments): the number of inputs run. */
Datum
echosync_fuzz(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum	   *elements;
	char	  **arguments;
	int			n;
	int			n_run = 0;

	for (int i = 0; i < lengthof(targets); i++)
	{
		if (strcmp(targets[i].name, name) == 0)
			target = targets[i].run;
	}
	if (target == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no fuzz target \"%s\"", name)));
	input_context = AllocSetContextCreate(TopMemoryContext, "fuzz input", ALLOCSET_DEFAULT_SIZES);

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &n);
	arguments = palloc0((n + 2) * sizeof(char *));
	arguments[0] = name;
	for (int i = 0; i < n; i++)
		arguments[i + 1] = TextDatumGetCString(elements[i]);
	n++;
	if (LLVMFuzzerRunDriver != NULL)
		(void) LLVMFuzzerRunDriver(&n, &arguments, run_input);
	for (int i = 1; i < n; i++)
		n_run += run_path(arguments[i]);
	fprintf(stderr, "Done %d inputs\n", n_run);
	PG_RETURN_INT32(n_run);
}
