/*
 * curl_prelude.h
 *		The one door to libcurl: no other file includes <curl/...>, and no file
 *		outside src/http includes this one.
 *
 * 7.87 brought CURLOPT_QUICK_EXIT, without which one hanging name lookup
 * stops every transfer of the process.  The headers are checked here; the
 * library that is loaded in the end is checked by http_engine_create.
 */
#ifndef ECHOSYNC_CURL_PRELUDE_H
#define ECHOSYNC_CURL_PRELUDE_H

#include <curl/curl.h>

#define HTTP_CURL_MIN_VERSION	0x075700	/* 7.87.0 */

_Static_assert(LIBCURL_VERSION_NUM >= HTTP_CURL_MIN_VERSION,
			   "echosync needs libcurl 7.87 or later");

#endif							/* ECHOSYNC_CURL_PRELUDE_H */
