/*
 * outcome.c
 *		What a transfer came to: an HttpResult, whether the peer may have
 *		acted on it, and words that say where the time went.
 *
 * The words are made of libcurl's fixed texts, our own, and numbers: never of
 * a URL, a header or a body, nor of libcurl's error buffer, which quotes
 * them.
 */
#include <stdio.h>
#include <string.h>

#include "transfer.h"

/* What a transfer was about when it ended. */
typedef enum OutcomePhase
{
	OUTCOME_PHASE_NONE = 0,
	OUTCOME_PHASE_QUEUED,
	OUTCOME_PHASE_LOOKUP,
	OUTCOME_PHASE_CONNECT,
	OUTCOME_PHASE_TLS,
	OUTCOME_PHASE_SEND,
	OUTCOME_PHASE_WAIT,
	OUTCOME_PHASE_READ
} OutcomePhase;

static OutcomePhase
outcome_phase(const HttpTransfer *transfer)
{
	curl_off_t	uploaded = 0;

	if (transfer->fault == HTTP_FAULT_RESEND)
		return OUTCOME_PHASE_WAIT;	/* libcurl counts from zero again */
	if (transfer->sent_us != 0)
	{
		if (transfer->header_bytes > 0)
			return OUTCOME_PHASE_READ;
		(void) curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T,
								 &uploaded);
		return uploaded < (curl_off_t) transfer->body_len ?
			OUTCOME_PHASE_SEND : OUTCOME_PHASE_WAIT;
	}
	if (transfer->tls_us != 0)
		return OUTCOME_PHASE_TLS;
	if (transfer->socket_us != 0)
		return OUTCOME_PHASE_CONNECT;
	if (transfer->lookup_us != 0)
		return OUTCOME_PHASE_LOOKUP;
	return OUTCOME_PHASE_QUEUED;
}

static const char *
outcome_phase_words(OutcomePhase phase)
{
	switch (phase)
	{
		case OUTCOME_PHASE_NONE:
			break;
		case OUTCOME_PHASE_QUEUED:
			return "waiting for a connection";
		case OUTCOME_PHASE_LOOKUP:
			return "resolving the host name";
		case OUTCOME_PHASE_CONNECT:
			return "connecting";
		case OUTCOME_PHASE_TLS:
			return "in the TLS handshake";
		case OUTCOME_PHASE_SEND:
			return "sending the request";
		case OUTCOME_PHASE_WAIT:
			return "waiting for the reply";
		case OUTCOME_PHASE_READ:
			return "reading the reply";
	}
	return "starting";
}

/*
 * OpenSSL's reasons an administrator can act upon (X509_V_ERR_*, numbers that
 * are part of its ABI).  Another TLS library gives other numbers, so only
 * OpenSSL's are looked up.
 */
static const char *
outcome_certificate_words(CURL *easy)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
	long		reason = 0;

	if (info->ssl_version == NULL ||
		strncmp(info->ssl_version, "OpenSSL/", 8) != 0 ||
		curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &reason) != CURLE_OK)
		return NULL;
	switch (reason)
	{
		case 9:
			return "certificate is not yet valid";
		case 10:
			return "certificate has expired";
		case 18:
		case 19:
			return "certificate is self-signed";
		case 2:
		case 20:
		case 21:
			return "certificate is from an unknown CA";
		case 0:					/* nothing is wrong with the chain, */
		case 1:					/* or it was not looked at: it is the name */
			return "certificate is not for this host";
		default:
			return "certificate was not accepted";
	}
}

/*
 * libcurl's code as a result.  No default, and grouped by what the caller
 * does about it; what is not listed is a use of libcurl we never make.
 */
static HttpResult
outcome_of_code(CURLcode code, bool sent)
{
	switch ((int) code)
	{
		case CURLE_OK:
			return HTTP_RESULT_RESPONSE;

		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_RESOLVE_PROXY:
			return HTTP_RESULT_RESOLVE;

		case CURLE_COULDNT_CONNECT:
		case CURLE_INTERFACE_FAILED:
		case CURLE_NO_CONNECTION_AVAILABLE:
			return HTTP_RESULT_CONNECT;

		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_CRL_BADFILE:
		case CURLE_SSL_ENGINE_INITFAILED:
		case CURLE_SSL_ENGINE_NOTFOUND:
		case CURLE_SSL_ENGINE_SETFAILED:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		case CURLE_USE_SSL_FAILED:
			return HTTP_RESULT_TLS;

		case CURLE_OPERATION_TIMEDOUT:
			return HTTP_RESULT_TIMEOUT;

		case CURLE_SEND_ERROR:
		case CURLE_RECV_ERROR:
		case CURLE_GOT_NOTHING:
		case CURLE_PARTIAL_FILE:
		case CURLE_HTTP2:
		case CURLE_HTTP2_STREAM:
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_BAD_CONTENT_ENCODING:
		case CURLE_SEND_FAIL_REWIND:
		case CURLE_SSL_SHUTDOWN_FAILED:
			return HTTP_RESULT_LOST;

		case CURLE_FILESIZE_EXCEEDED:
#if LIBCURL_VERSION_NUM >= 0x080600
		case CURLE_TOO_LARGE:
#endif
			return HTTP_RESULT_TOO_LARGE;

			/* before sending: a URL not of https; after: "not HTTP/1 or 2" */
		case CURLE_UNSUPPORTED_PROTOCOL:
			return sent ? HTTP_RESULT_LOST : HTTP_RESULT_INTERNAL;
	}
	return HTTP_RESULT_INTERNAL;
}

static HttpResult
outcome_result(const HttpTransfer *transfer)
{
	if (transfer->connected)
		return HTTP_RESULT_RESPONSE;
	switch (transfer->fault)
	{
		case HTTP_FAULT_NONE:
			break;
		case HTTP_FAULT_REFUSED:
		case HTTP_FAULT_NO_MEMORY:
			return HTTP_RESULT_INTERNAL;
		case HTTP_FAULT_TOO_LARGE:
			return HTTP_RESULT_TOO_LARGE;
		case HTTP_FAULT_RESEND:
			return HTTP_RESULT_LOST;
		case HTTP_FAULT_STALE:
			return HTTP_RESULT_CONNECT;
		case HTTP_FAULT_DEADLINE:
			return HTTP_RESULT_TIMEOUT;
		case HTTP_FAULT_CANCELLED:
			return HTTP_RESULT_CANCELLED;
	}

	/*
	 * Until 8.6 libcurl says "out of memory" of a header line of more than
	 * 100 kB.
	 */
	if (transfer->code == CURLE_OUT_OF_MEMORY && transfer->header_bytes > 0)
		return HTTP_RESULT_TOO_LARGE;
	return outcome_of_code(transfer->code, transfer->sent_us != 0);
}

static const char *
outcome_fault_words(const HttpTransfer *transfer)
{
	switch (transfer->fault)
	{
		case HTTP_FAULT_NONE:
			break;
		case HTTP_FAULT_REFUSED:
			return transfer->fault_text;
		case HTTP_FAULT_NO_MEMORY:
			return "Out of memory";
		case HTTP_FAULT_TOO_LARGE:
			break;				/* libcurl has its own way to notice, too */
		case HTTP_FAULT_RESEND:
		case HTTP_FAULT_STALE:
			return "Connection closed without a reply";
		case HTTP_FAULT_DEADLINE:
			return "Timeout was reached";
		case HTTP_FAULT_CANCELLED:
			return "Cancelled";
	}
	if (transfer->code == CURLE_PEER_FAILED_VERIFICATION)
	{
		const char *words = outcome_certificate_words(transfer->easy);

		if (words != NULL)
			return words;
	}
	if (transfer->reply.result == HTTP_RESULT_TOO_LARGE)
		return "Reply is larger than allowed";
	if (transfer->code == CURLE_UNSUPPORTED_PROTOCOL && transfer->sent_us != 0)
		return "Reply is not HTTP";
	return curl_easy_strerror(transfer->code);
}

/* Append " (NAME n ms": a step from one stamp to the next, if both are set. */
static void
outcome_step(char *words, size_t size, const char *name, int64_t from,
			 int64_t to)
{
	size_t		used = strlen(words);

	if (from != 0 && to != 0)
		snprintf(words + used, size - used, "%s%s %ld ms",
				 used > 0 ? ", " : " (", name, (long) ((to - from) / 1000));
}

/*
 * " (DNS 1 ms, TCP 20 ms, TLS 40 ms)": the steps that were completed.  The
 * stamps are our own, since libcurl tells its times only of a connection that
 * stands.
 */
static void
outcome_step_words(const HttpTransfer *transfer, char *words, size_t size)
{
	words[0] = '\0';
	if (transfer->sent_us != 0 &&
		(transfer->socket_us == 0 || transfer->socket_us > transfer->sent_us))
	{
		snprintf(words, size, " (connection used before)");
		return;
	}
	outcome_step(words, size, "DNS", transfer->lookup_us, transfer->socket_us);
	outcome_step(words, size, "TCP", transfer->socket_us, transfer->tls_us);
	outcome_step(words, size, "TLS", transfer->tls_us, transfer->sent_us);
	if (words[0] != '\0')
		strncat(words, ")", size - strlen(words) - 1);
}

void
http_outcome_judge(HttpTransfer *transfer)
{
	HttpReply  *reply = &transfer->reply;
	char		steps[80];

	reply->result = outcome_result(transfer);
	reply->maybe_sent = transfer->sent_us != 0;
	reply->detail[0] = '\0';
	if (reply->result == HTTP_RESULT_RESPONSE)
		return;
	if (transfer->fault == HTTP_FAULT_REFUSED)
	{
		snprintf(reply->detail, sizeof(reply->detail), "%s",
				 outcome_fault_words(transfer));
		return;
	}
	outcome_step_words(transfer, steps, sizeof(steps));
	snprintf(reply->detail, sizeof(reply->detail), "%s %s, after %ld ms%s",
			 outcome_fault_words(transfer),
			 outcome_phase_words(outcome_phase(transfer)),
			 (long) (reply->duration_us / 1000), steps);
}
