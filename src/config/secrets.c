/*
 * secrets.c
 *		Reads the installation's secrets from a file in .env form.
 *
 * How it works: the file is read whole, checked for owner and mode as the
 * server checks its own key files, and parsed strictly, so that a typo is
 * reported with its line and not read as an empty secret.  A new set replaces
 * the old one only when the whole file was good.
 *
 * The postmaster reads the file at its start and at each reload, as it does
 * with the server's own key files, and its children inherit what it holds.  So
 * a session that starts after the file has turned bad has the same secrets as
 * one that started before.  Without preload each session reads for itself.
 *
 * Not here: what the key encrypts (seal.c).  No value from the file is ever
 * logged, put in an error or made a setting.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#include "config/secrets.h"
#include "config/settings.h"
#include "config/undumped.h"

#define SECRETS_MAX_FILE_SIZE (64 * 1024)

typedef struct SecretName
{
	const char *name;
	size_t		offset;			/* of the char * in Secrets; 0 with a list */
	bool		is_list;
} SecretName;

/* The one list of names: those the application already uses. */
static const SecretName secret_names[] = {
	{"INTEGRATION_ENCRYPTION_KEY", offsetof(Secrets, encryption_key), false},
	{"INTEGRATION_ENCRYPTION_SALT", offsetof(Secrets, encryption_salt), false},
	{"INTEGRATION_ENCRYPTION_KEY_PREVIOUS", offsetof(Secrets, previous_keys), true},
	{"WEBHOOK_SECRET", offsetof(Secrets, webhook_secrets), true},
	{"FOLLOWUPBOSS_CLIENT_ID", offsetof(Secrets, followupboss_client_id), false},
	{"FOLLOWUPBOSS_CLIENT_SECRET", offsetof(Secrets, followupboss_client_secret), false},
	{"FOLLOWUPBOSS_SYSTEM_NAME", offsetof(Secrets, followupboss_system_name), false},
	{"FOLLOWUPBOSS_SYSTEM_KEY", offsetof(Secrets, followupboss_system_key), false},
};

static Secrets current;
static char problem[256];
static int	generation = 0;
static bool postmaster_reads = false;
static bool loaded = false;		/* by this process, or found inherited */
static TimestampTz loaded_at_reload;

static void
secret_free(char **secret)
{
	if (*secret == NULL)
		return;
	undumped_free(*secret, strlen(*secret) + 1);
	*secret = NULL;
}

static void
secrets_wipe(Secrets *secrets)
{
	secret_free(&secrets->encryption_key);
	secret_free(&secrets->encryption_salt);
	for (int i = 0; i < secrets->n_previous_keys; i++)
		secret_free(&secrets->previous_keys[i]);
	for (int i = 0; i < secrets->n_webhook_secrets; i++)
		secret_free(&secrets->webhook_secrets[i]);
	secret_free(&secrets->followupboss_client_id);
	secret_free(&secrets->followupboss_client_secret);
	secret_free(&secrets->followupboss_system_name);
	secret_free(&secrets->followupboss_system_key);
	memset(secrets, 0, sizeof(Secrets));
}

static char *
secret_copy(const char *value, size_t len)
{
	char	   *copy = undumped_alloc(len + 1);

	return memcpy(copy, value, len);
}

/* Store a comma list's elements; false when there are too many. */
static bool
secrets_set_list(Secrets *secrets, const SecretName *name, const char *value, size_t len)
{
	bool		previous = name->offset == offsetof(Secrets, previous_keys);
	char	  **items = previous ? secrets->previous_keys : secrets->webhook_secrets;
	int		   *count = previous ? &secrets->n_previous_keys : &secrets->n_webhook_secrets;
	int			max = previous ? SECRETS_MAX_PREVIOUS_KEYS : SECRETS_MAX_WEBHOOK_SECRETS;
	const char *end = value + len;

	while (value < end)
	{
		const char *comma = memchr(value, ',', end - value);
		const char *stop = comma ? comma : end;

		while (value < stop && *value == ' ')
			value++;
		while (stop > value && stop[-1] == ' ')
			stop--;
		if (stop > value)
		{
			if (*count == max)
				return false;
			items[(*count)++] = secret_copy(value, stop - value);
		}
		value = comma ? comma + 1 : end;
	}
	return true;
}

static bool
secrets_set(Secrets *secrets, const SecretName *name, const char *value, size_t len)
{
	if (name->is_list)
		return secrets_set_list(secrets, name, value, len);
	if (len > 0)
		*(char **) ((char *) secrets + name->offset) = secret_copy(value, len);
	return true;
}

static bool
secrets_has(const Secrets *secrets, const SecretName *name)
{
	if (name->is_list)
		return (name->offset == offsetof(Secrets, previous_keys) ?
				secrets->n_previous_keys : secrets->n_webhook_secrets) > 0;
	return *(char *const *) ((const char *) secrets + name->offset) != NULL;
}

/*
 * Parse one line, NAME=value with the value bare or in single or double
 * quotes.  Returns NULL, or what is wrong.  Names that are not ours are left
 * alone: the file is often shared with the application.
 */
static const char *
secrets_parse_line(Secrets *secrets, char *line, size_t len)
{
	char	   *end = line + len;
	char	   *name = line;
	char	   *name_end;
	char	   *value;

	while (name < end && (*name == ' ' || *name == '\t'))
		name++;
	if (name == end || *name == '#')
		return NULL;
	if (end - name > 7 && strncmp(name, "export ", 7) == 0)
		name += 7;
	value = memchr(name, '=', end - name);
	if (value == NULL)
		return "is not of the form NAME=value";
	name_end = value++;
	while (name_end > name && (name_end[-1] == ' ' || name_end[-1] == '\t'))
		name_end--;
	if (name_end == name)
		return "has no name before \"=\"";
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (value < end && (*value == '"' || *value == '\''))
	{
		char		quote = *value++;

		if (end <= value || end[-1] != quote)
			return "has a quote that is not closed";
		end--;
	}
	if (memchr(value, '\0', end - value) != NULL)
		return "holds a NUL byte";

	for (int i = 0; i < lengthof(secret_names); i++)
	{
		if (strlen(secret_names[i].name) != name_end - name ||
			strncmp(secret_names[i].name, name, name_end - name) != 0)
			continue;
		if (secrets_has(secrets, &secret_names[i]))
			return "sets a name that an earlier line has set";
		if (!secrets_set(secrets, &secret_names[i], value, end - value))
			return "lists too many values";
		break;
	}
	return NULL;
}

static bool
secrets_parse(Secrets *secrets, char *text, size_t len, const char *path)
{
	char	   *line = text;
	int			number = 1;

	while (line < text + len)
	{
		char	   *newline = memchr(line, '\n', text + len - line);
		char	   *stop = newline ? newline : text + len;
		const char *wrong;

		if (stop > line && stop[-1] == '\r')
			stop--;
		wrong = secrets_parse_line(secrets, line, stop - line);
		if (wrong != NULL)
		{
			snprintf(problem, sizeof(problem), "line %d of \"%s\" %s", number, path, wrong);
			return false;
		}
		line = newline ? newline + 1 : text + len;
		number++;
	}
	return true;
}

/*
 * Owner and mode as PostgreSQL asks of its own key files: owned by the server's
 * user and closed to others, or owned by root and at most group-readable.
 */
static bool
secrets_file_is_private(int fd, const char *path, struct stat *st)
{
	if (fstat(fd, st) != 0)
	{
		snprintf(problem, sizeof(problem), "could not stat \"%s\": %s", path, strerror(errno));
		return false;
	}
	if (!S_ISREG(st->st_mode))
	{
		snprintf(problem, sizeof(problem), "\"%s\" is not a regular file", path);
		return false;
	}
	if (st->st_uid != geteuid() && st->st_uid != 0)
	{
		snprintf(problem, sizeof(problem),
				 "\"%s\" must be owned by the database server's user or by root", path);
		return false;
	}
	if ((st->st_uid == geteuid() && st->st_mode & (S_IRWXG | S_IRWXO)) ||
		(st->st_uid == 0 && st->st_mode & (S_IWGRP | S_IXGRP | S_IRWXO)))
	{
		snprintf(problem, sizeof(problem),
				 "\"%s\" has group or world access; make it 0600, or 0640 if owned by root", path);
		return false;
	}
	if (st->st_size > SECRETS_MAX_FILE_SIZE)
	{
		snprintf(problem, sizeof(problem), "\"%s\" is larger than 64 kB", path);
		return false;
	}
	return true;
}

static bool
secrets_read_file(Secrets *secrets, const char *path)
{
	/* without waiting: it might be a pipe that nobody writes to */
	int			fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK);
	struct stat st;
	char	   *text;
	ssize_t		len;
	bool		ok = false;

	if (fd < 0)
	{
		snprintf(problem, sizeof(problem), "could not open \"%s\": %s", path, strerror(errno));
		return false;
	}
	if (secrets_file_is_private(fd, path, &st))
	{
		text = palloc(st.st_size + 1);
		len = read(fd, text, st.st_size);
		if (len != st.st_size)
			snprintf(problem, sizeof(problem), "could not read \"%s\"", path);
		else
			ok = secrets_parse(secrets, text, len, path);
		explicit_bzero(text, st.st_size);
		pfree(text);
	}
	CloseTransientFile(fd);
	return ok;
}

static void
secrets_read_environment(Secrets *secrets)
{
	for (int i = 0; i < lengthof(secret_names); i++)
	{
		const char *value = getenv(secret_names[i].name);

		if (value != NULL && !secrets_has(secrets, &secret_names[i]))
			secrets_set(secrets, &secret_names[i], value, strlen(value));
	}
}

static bool
is_hex_key(const char *key)
{
	return strlen(key) == 64 && strspn(key, "0123456789abcdefABCDEF") == 64;
}

static bool
secrets_check(const Secrets *secrets)
{
	const char *wrong = NULL;

	if (secrets->encryption_key && !is_hex_key(secrets->encryption_key))
		wrong = "INTEGRATION_ENCRYPTION_KEY is not 64 hexadecimal digits";
	for (int i = 0; i < secrets->n_previous_keys; i++)
	{
		if (!is_hex_key(secrets->previous_keys[i]))
			wrong = "INTEGRATION_ENCRYPTION_KEY_PREVIOUS holds a key that is not 64 hexadecimal digits";
	}
	if (secrets->encryption_key && !secrets->encryption_salt)
		wrong = "INTEGRATION_ENCRYPTION_SALT is not set";
	if (!secrets->encryption_key)
		wrong = "INTEGRATION_ENCRYPTION_KEY is not set";
	if ((secrets->followupboss_system_name == NULL) != (secrets->followupboss_system_key == NULL))
		wrong = "FOLLOWUPBOSS_SYSTEM_NAME and FOLLOWUPBOSS_SYSTEM_KEY must be set together";
	if (wrong != NULL)
		strlcpy(problem, wrong, sizeof(problem));
	return wrong == NULL;
}

/* The postmaster says what is wrong; its children need not say it again. */
static void
report_problem(void)
{
	ereport(postmaster_reads && IsUnderPostmaster ? DEBUG1 : LOG,
			(errmsg("echosync: secrets not usable: %s", problem),
			 generation > 0 ? errdetail("The secrets read before stay in force.") : 0,
			 errhint("Correct the file named by echosync.env_file and reload the configuration.")));
}

static void
secrets_load(const char *path)
{
	Secrets		fresh = {0};
	bool		ok = true;

	problem[0] = '\0';
	if (path != NULL && path[0] != '\0')
		ok = secrets_read_file(&fresh, path);
	if (ok)
	{
		secrets_read_environment(&fresh);
		ok = secrets_check(&fresh);
	}
	if (!ok)
	{
		secrets_wipe(&fresh);
		report_problem();
		return;
	}
	secrets_wipe(&current);
	current = fresh;
	generation++;
}

void
secrets_preload(void)
{
	postmaster_reads = true;
	secrets_load(echosync_env_file);
}

/* Called whenever the setting is assigned, which is at every reload. */
void
secrets_env_file_assigned(const char *path)
{
	if (postmaster_reads && !IsUnderPostmaster)
		secrets_load(path);
}

/*
 * Has this process to read the file?  Not for what it inherited: a reload that
 * the postmaster made before the fork is older than we are.
 */
static bool
must_load(void)
{
	if (!loaded)
		return !postmaster_reads || PgReloadTime > MyStartTimestamp;
	return loaded_at_reload != PgReloadTime;
}

const Secrets *
secrets_current(void)
{
	bool		load = must_load();

	loaded = true;
	loaded_at_reload = PgReloadTime;
	if (load)
		secrets_load(echosync_env_file);
	return &current;
}

const char *
secrets_problem(void)
{
	(void) secrets_current();
	return problem[0] == '\0' ? NULL : problem;
}

int
secrets_generation(void)
{
	(void) secrets_current();
	return generation;
}
