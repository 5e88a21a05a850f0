/*
 * headers.c
 *		Fuzz target: the head and body of a reply as libcurl hands them over,
 *		and the header lines of a request.
 *
 * The input is a reply as it is on the wire, after a first line that is tried
 * as a header of a request.  What is kept is named in lower case and trimmed,
 * within the caps, and nothing is leaked.
 */
#include "fuzz.h"

#include "http/transfer.c"

#define MAX_BODY 2048

/* A trailer, which nobody sends by chance. */
#define LATE_NAME "x-late-9f2c"
#define LATE_VALUE "too late"

/* Where there is AddressSanitizer. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t
allocated(void)
{
	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : 0;
}

const char *
fuzz_request_fault(const HttpRequest *request)
{
	return transfer_request_fault(request);
}

/* A header that is let through starts no other line. */
static void
judge_request_header(const char *line)
{
	const char *headers[] = {line};
	HttpRequest request = {.method = "GET",.url = "https://a.test/",.headers = headers,.n_headers = 1};

	if (transfer_request_fault(&request) != NULL)
		return;
	PROMISE(strpbrk(line, "\r\n") == NULL);
	PROMISE(strchr(line, ':') != NULL && strchr(line, ':') != line);
	PROMISE(strcspn(line, " \t") > strcspn(line, ":"));
}

/* Line by line until an empty one that no other head follows; the rest is body. */
static const char *
feed_head(HttpTransfer *transfer, const char *data, const char *end)
{
	while (data < end)
	{
		const char *newline = memchr(data, '\n', end - data);
		const char *next = newline ? newline + 1 : end;
		bool		blank = next - data <= 2 && (*data == '\r' || *data == '\n');

		if (transfer_on_header((char *) data, 1, next - data, transfer) != next - data)
			return NULL;
		data = next;
		if (blank && (end - data < 5 || strncmp(data, "HTTP/", 5) != 0))
			break;
	}
	return data;
}

static bool
feed_body(HttpTransfer *transfer, const char *data, const char *end)
{
	static char late[] = LATE_NAME ": " LATE_VALUE "\r\n";

	while (data < end)
	{
		size_t		n = Min(end - data, 700);

		if (transfer_on_body((char *) data, 1, n, transfer) != n)
			return false;
		data += n;
	}
	return transfer_on_header(late, 1, strlen(late), transfer) == strlen(late);
}

static void
judge_header(const HttpReply *reply, const HttpHeader *header)
{
	const char *value = header->value;
	size_t		len = strlen(value);
	const char *first;

	PROMISE(header->name[0] != '\0');
	for (const char *c = header->name; *c != '\0'; c++)
		PROMISE(tolower((unsigned char) *c) == (unsigned char) *c);
	PROMISE(len == 0 || (!isspace((unsigned char) value[0]) && !isspace((unsigned char) value[len - 1])));
	first = http_reply_header(reply, header->name);
	PROMISE(first != NULL && first <= value);
}

static void
judge_reply(const HttpReply *reply, bool complete, const char *body, size_t body_len)
{
	PROMISE((reply->result == HTTP_RESULT_RESPONSE) == complete);
	PROMISE(reply->body != NULL && reply->body[reply->body_len] == '\0');
	PROMISE(reply->n_headers <= HTTP_MAX_HEADER_COUNT);
	if (!complete)
	{
		PROMISE(reply->result == HTTP_RESULT_TOO_LARGE);
		PROMISE(reply->n_headers == 0 && reply->body_len == 0 && reply->detail[0] != '\0');
		return;
	}
	PROMISE(reply->body_len == body_len && memcmp(reply->body, body, body_len) == 0);
	for (int i = 0; i < reply->n_headers; i++)
		judge_header(reply, &reply->headers[i]);
	if (body_len > 0 && http_reply_header(reply, LATE_NAME) != NULL)
		PROMISE(strcmp(http_reply_header(reply, LATE_NAME), LATE_VALUE) != 0);
}

void
fuzz_headers(const char *data, size_t size)
{
	static CURL *easy = NULL;
	const char *end = data + size;
	const char *newline = memchr(data, '\n', size);
	const char *body;
	bool		complete;
	HttpTransfer *transfer;
	size_t		before;

	if (easy == NULL)
		easy = curl_easy_init();
	judge_request_header(pnstrdup(data, newline ? newline - data : size));
	if (newline == NULL)
		return;

	before = allocated();
	transfer = calloc(1, sizeof(HttpTransfer));
	transfer->easy = easy;
	transfer->max_body = MAX_BODY;
	transfer->submitted_us = transfer->sent_us = 1;
	body = feed_head(transfer, newline + 1, end);
	complete = body != NULL && feed_body(transfer, body, end);
	if (!complete)
	{
		transfer->code = CURLE_WRITE_ERROR;
		PROMISE(transfer->header_bytes > HTTP_MAX_HEADER_BYTES ||
				transfer->n_headers > HTTP_MAX_HEADER_COUNT ||
				(body != NULL && end - body > MAX_BODY));
	}
	http_transfer_fill_reply(transfer);
	judge_reply(&transfer->reply, complete, body, complete ? end - body : 0);
	http_transfer_free(transfer);
	PROMISE(allocated() == before);
}
