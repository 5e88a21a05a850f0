/*
 * policy.c
 *		How we speak HTTP: every libcurl option that is a decision of ours.
 *
 * All of it stands in one function so that it can be reviewed at a glance.
 * What belongs to one request (URL, method, headers, body, callbacks) is in
 * transfer.c.  Options left at libcurl's default are named here where the
 * default is a promise of ours too, so that a new default cannot undo it.
 */
#include "transfer.h"

/* A few API hosts, asked all day; but one that moves is to be found soon. */
#define POLICY_DNS_CACHE_S			60L

/*
 * An idle connection older than this is not used again.  Below the idle
 * timeouts common in front of APIs (60 s and more): the later of two closing
 * ends loses a request, and one that creates something is not repeated.
 */
#define POLICY_IDLE_CONNECTION_S	45L

/* Nor is any connection kept forever: DNS may have moved the host. */
#define POLICY_OLD_CONNECTION_S		300L

/* A CA file that was replaced is read again after this long. */
#define POLICY_CA_CACHE_S			300L

#define POLICY_KEEPALIVE_IDLE_S		20L
#define POLICY_KEEPALIVE_INTERVAL_S 10L

#define SET(option, value) \
	do { \
		CURLcode	set_code = curl_easy_setopt(easy, option, value); \
		if (set_code != CURLE_OK) \
			return set_code; \
	} while (0)

/* What only some TLS libraries can do, and what we can do without. */
#define SET_IF_SUPPORTED(option, value) \
	do { \
		CURLcode	set_code = curl_easy_setopt(easy, option, value); \
		if (set_code != CURLE_OK && set_code != CURLE_NOT_BUILT_IN && \
			set_code != CURLE_UNKNOWN_OPTION) \
			return set_code; \
	} while (0)

#define SET_MULTI(option, value) \
	do { \
		CURLMcode	set_code = curl_multi_setopt(multi, option, value); \
		if (set_code != CURLM_OK) \
			return set_code; \
	} while (0)

/*
 * CURLMOPT_QUICK_EXIT.  From 8.20 on the lookups belong to the multi handle.
 * By its number, since the library may be newer than the headers; one that is
 * older does not know it and needs it not.
 */
#define POLICY_MULTI_QUICK_EXIT		((CURLMoption) (CURLOPTTYPE_LONG + 21))

CURLcode
http_policy_apply(CURL *easy, const HttpEngineOptions *options)
{
	/* https only, to the host that was named and to no other */
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_MAXREDIRS, 0L);
	SET(CURLOPT_AUTOREFERER, 0L);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_PROXY, "");		/* not even one from the environment */
	SET(CURLOPT_HTTP09_ALLOWED, 0L);

	/*
	 * Certificates.  ca_file takes the place of the system's bundle file
	 * while the system's certificate directory stays (Debian, Ubuntu, SUSE),
	 * so a private CA is added to the public ones.  Where libcurl was built
	 * without a directory (Red Hat), ca_file stands alone and must hold every
	 * CA that is needed.
	 */
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	if (options->ca_file != NULL && options->ca_file[0] != '\0')
		SET(CURLOPT_CAINFO, options->ca_file);
	SET_IF_SUPPORTED(CURLOPT_CA_CACHE_TIMEOUT, POLICY_CA_CACHE_S);

	/*
	 * Nobody's identity but what the caller's headers say: no netrc, no user
	 * in the URL (hence no auth scheme of libcurl's), no cookie engine, which
	 * stays off unless one of its options is set.
	 */
	SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
	SET(CURLOPT_USERAGENT, options->user_agent);

	/* Time.  QUICK_EXIT: never wait for a lookup that was given up. */
	SET(CURLOPT_CONNECTTIMEOUT_MS, options->connect_timeout_ms);
	SET(CURLOPT_TIMEOUT_MS, options->request_timeout_ms);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_DNS_CACHE_TIMEOUT, POLICY_DNS_CACHE_S);

	/* Size.  This one looks at Content-Length; what arrives is counted too. */
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t) options->max_body);

	/*
	 * Connections.  HTTP/2 where it is offered.  No PIPEWAIT: transfers that
	 * wait to share a connection still being opened would also wait, one
	 * after the other, for each failure of a host that is down.
	 * transfer_on_socket sets the two options of a socket that libcurl has no
	 * word for.
	 */
	if (curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
						 (long) CURL_HTTP_VERSION_2TLS) != CURLE_OK)
		SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_PIPEWAIT, 0L);
	SET(CURLOPT_MAXAGE_CONN, POLICY_IDLE_CONNECTION_S);
	SET(CURLOPT_MAXLIFETIME_CONN, POLICY_OLD_CONNECTION_S);
	SET(CURLOPT_TCP_NODELAY, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_TCP_KEEPIDLE, POLICY_KEEPALIVE_IDLE_S);
	SET(CURLOPT_TCP_KEEPINTVL, POLICY_KEEPALIVE_INTERVAL_S);

	/* Replies: any status is a reply.  The decoded size is what we count. */
	SET(CURLOPT_FAILONERROR, 0L);
	SET(CURLOPT_ACCEPT_ENCODING, "gzip");

	/* Nothing is printed, and no text made of URLs or headers is kept. */
	SET(CURLOPT_NOPROGRESS, 1L);
	SET(CURLOPT_VERBOSE, 0L);
	SET(CURLOPT_ERRORBUFFER, (char *) NULL);

	return CURLE_OK;
}

CURLMcode
http_policy_apply_multi(CURLM *multi, const HttpEngineOptions *options)
{
	long		total = options->max_connections;
	long		per_host = options->max_host_connections;

	SET_MULTI(CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	SET_MULTI(CURLMOPT_MAX_TOTAL_CONNECTIONS, total);
	SET_MULTI(CURLMOPT_MAX_HOST_CONNECTIONS, per_host);
	SET_MULTI(CURLMOPT_MAXCONNECTS, total);
	(void) curl_multi_setopt(multi, POLICY_MULTI_QUICK_EXIT, 1L);

	return CURLM_OK;
}

const char *
http_policy_library_fault(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	if (info->version_num < HTTP_CURL_MIN_VERSION)
		return "the libcurl that is loaded is older than 7.87";
	if ((info->features & CURL_VERSION_SSL) == 0)
		return "libcurl was built without TLS";
	if ((info->features & CURL_VERSION_ASYNCHDNS) == 0)
		return "libcurl was built without an asynchronous resolver";
	return NULL;
}
