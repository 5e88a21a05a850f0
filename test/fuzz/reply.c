/*
 * reply.c
 *		A reply written as a text, as the corpora of the CRMs and of the limits
 *		have them.
 */
#include "fuzz.h"

#define MAX_HEADERS 20

/* Instead of a status: there was no reply. */
static const struct
{
	const char *word;
	HttpResult	result;
}			failures[] =
{
	{"dns", HTTP_RESULT_RESOLVE},
	{"connect", HTTP_RESULT_CONNECT},
	{"tls", HTTP_RESULT_TLS},
	{"timeout", HTTP_RESULT_TIMEOUT},
	{"lost", HTTP_RESULT_LOST},
	{"large", HTTP_RESULT_TOO_LARGE},
	{"cancelled", HTTP_RESULT_CANCELLED},
	{"internal", HTTP_RESULT_INTERNAL}
};

static void
read_status(const char *line, HttpReply *reply)
{
	reply->result = HTTP_RESULT_RESPONSE;
	reply->status = (int) (strtoul(line, NULL, 10) % 1000);	/* libcurl reads three digits */
	reply->maybe_sent = true;
	for (int i = 0; i < lengthof(failures); i++)
	{
		if (strcmp(line, failures[i].word) == 0)
		{
			reply->result = failures[i].result;
			reply->status = 0;
			reply->maybe_sent = reply->result > HTTP_RESULT_TLS;
		}
	}
}

/* As the engine leaves it: the name in lower case, the value trimmed. */
static void
read_header(char *line, HttpReply *reply)
{
	char	   *colon = strchr(line, ':');

	if (colon == NULL || colon == line || reply->n_headers == MAX_HEADERS)
		return;
	*colon = '\0';
	for (char *c = line; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	colon += 1 + strspn(colon + 1, " \t\r\v\f");
	for (char *end = colon + strlen(colon); end > colon && isspace((unsigned char) end[-1]);)
		*--end = '\0';
	reply->headers[reply->n_headers].name = line;
	reply->headers[reply->n_headers++].value = colon;
}

bool
fuzz_reply(char **text, HttpReply *reply)
{
	char	   *line = fuzz_line(text);
	StringInfoData body;

	if (line == NULL)
		return false;
	memset(reply, 0, sizeof(*reply));
	reply->headers = palloc(MAX_HEADERS * sizeof(HttpHeader));
	read_status(line, reply);
	while ((line = fuzz_line(text)) != NULL && line[0] != '\0' && strcmp(line, "%%") != 0)
		read_header(line, reply);

	initStringInfo(&body);
	if (line != NULL && line[0] == '\0')
	{
		while ((line = fuzz_line(text)) != NULL && strcmp(line, "%%") != 0)
			appendStringInfo(&body, "%s%s", body.len > 0 ? "\n" : "", line);
	}

	/* of the very size: nobody may read past the NUL */
	reply->body = pnstrdup(body.data, body.len);
	reply->body_len = body.len;
	if (reply->result != HTTP_RESULT_RESPONSE)
	{
		reply->n_headers = 0;
		reply->body_len = 0;
		reply->body[0] = '\0';
	}
	return true;
}
