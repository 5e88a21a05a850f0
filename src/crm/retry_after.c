/*
 * retry_after.c
 *		Reading the Retry-After header: delay-seconds and HTTP dates
 *		(RFC 9110, section 5.6.7).
 *
 * Own parsing instead of strptime, which follows the locale and the C
 * library's ideas of leniency.  Not here: what to do with the answer.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "crm/retry_after.h"

typedef struct HttpDate
{
	int			year;
	int			month;			/* 1..12 */
	int			day;
	int			hour;
	int			minute;
	int			second;
} HttpDate;

static const char month_names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Each reader moves *p past what it read, or returns false. */
static bool
read_number(const char **p, int min_digits, int max_digits, int *number)
{
	int			n = 0;

	*number = 0;
	while (n < max_digits && is_digit(**p))
	{
		*number = *number * 10 + (**p - '0');
		(*p)++;
		n++;
	}
	return n >= min_digits && !is_digit(**p);
}

static bool
read_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool
read_spaces(const char **p)
{
	if (**p != ' ')
		return false;
	while (**p == ' ')
		(*p)++;
	return true;
}

static bool
read_month(const char **p, int *month)
{
	int			i;

	for (i = 0; i < 12; i++)
	{
		const char *name = month_names + 3 * i;

		if (((*p)[0] | 0x20) == name[0] && ((*p)[1] | 0x20) == name[1] &&
			((*p)[2] | 0x20) == name[2])
		{
			*p += 3;
			*month = i + 1;
			return true;
		}
	}
	return false;
}

static bool
read_time(const char **p, HttpDate *date)
{
	return read_number(p, 2, 2, &date->hour) && read_char(p, ':') &&
		read_number(p, 2, 2, &date->minute) && read_char(p, ':') &&
		read_number(p, 2, 2, &date->second);
}

static bool
read_gmt(const char **p)
{
	if (strncmp(*p, "GMT", 3) != 0 && strncmp(*p, "UTC", 3) != 0)
		return false;
	*p += 3;
	return true;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
static int64_t
days_from_date(int year, int month, int day)
{
	int			y = month <= 2 ? year - 1 : year;
	int			era = y / 400;
	int			year_of_era = y - era * 400;
	int			day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int			day_of_era = year_of_era * 365 + year_of_era / 4 -
		year_of_era / 100 + day_of_year;

	return (int64_t) era * 146097 + day_of_era - 719468;
}

static bool
date_is_valid(const HttpDate *date)
{
	static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = (date->year % 4 == 0 && date->year % 100 != 0) ||
		date->year % 400 == 0;

	if (date->year < 1600 || date->month < 1 || date->month > 12 ||
		date->day < 1 || date->day > month_days[date->month - 1] ||
		(date->month == 2 && date->day == 29 && !leap))
		return false;
	/* 60 is a leap second */
	return date->hour < 24 && date->minute < 60 && date->second <= 60;
}

/* A year of two digits is the one within fifty years of now. */
static int
full_year(int two_digits, int64_t now_unix)
{
	int			this_year = 1970 + (int) (now_unix / 31556952);
	int			year = this_year - this_year % 100 + two_digits;

	if (year > this_year + 50)
		year -= 100;
	else if (year <= this_year - 50)
		year += 100;
	return year;
}

bool
http_date_read(const char *p, int64_t now_unix, int64_t *unix_time)
{
	HttpDate	date;
	const char *weekday = p;
	size_t		weekday_len;

	if (p == NULL)
		return false;
	while (is_letter(*p))
		p++;
	weekday_len = (size_t) (p - weekday);
	if (weekday_len < 3 || weekday_len > 9)
		return false;

	if (read_char(&p, ','))
	{
		if (!read_spaces(&p) || !read_number(&p, 1, 2, &date.day))
			return false;
		if (read_char(&p, '-'))
		{
			/* RFC 850: Sunday, 06-Nov-94 08:49:37 GMT */
			if (!read_month(&p, &date.month) || !read_char(&p, '-'))
				return false;
			if (!read_number(&p, 2, 4, &date.year))
				return false;
			if (date.year < 100)
				date.year = full_year(date.year, now_unix);
		}
		else
		{
			/* IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT */
			if (!read_spaces(&p) || !read_month(&p, &date.month) ||
				!read_spaces(&p) || !read_number(&p, 4, 4, &date.year))
				return false;
		}
		if (!read_spaces(&p) || !read_time(&p, &date) ||
			!read_spaces(&p) || !read_gmt(&p))
			return false;
	}
	else
	{
		/* asctime: Sun Nov  6 08:49:37 1994 */
		if (!read_spaces(&p) || !read_month(&p, &date.month) ||
			!read_spaces(&p) || !read_number(&p, 1, 2, &date.day) ||
			!read_spaces(&p) || !read_time(&p, &date) ||
			!read_spaces(&p) || !read_number(&p, 4, 4, &date.year))
			return false;
	}

	while (*p == ' ' || *p == '\t')
		p++;
	if (*p != '\0' || !date_is_valid(&date))
		return false;

	*unix_time = days_from_date(date.year, date.month, date.day) * 86400 +
		date.hour * 3600 + date.minute * 60 + date.second;
	return true;
}

/* Digits, perhaps with a fraction, which counts as a whole second. */
static bool
read_delay(const char *p, int64_t *seconds)
{
	if (!is_digit(*p))
		return false;
	*seconds = 0;
	for (; is_digit(*p); p++)
	{
		if (*seconds < RETRY_AFTER_MAX_MS)
			*seconds = *seconds * 10 + (*p - '0');
	}
	if (*p == '.' && is_digit(p[1]))
	{
		bool		fraction = false;

		for (p++; is_digit(*p); p++)
			fraction = fraction || *p != '0';
		if (fraction)
			(*seconds)++;
	}
	while (*p == ' ' || *p == '\t')
		p++;
	return *p == '\0';
}

int
retry_after_ms(const char *value, int64_t now_unix)
{
	int64_t		seconds;
	int64_t		until;

	if (value == NULL)
		return -1;
	while (*value == ' ' || *value == '\t')
		value++;

	if (!read_delay(value, &seconds))
	{
		if (!http_date_read(value, now_unix, &until))
			return -1;
		seconds = until - now_unix;
	}

	if (seconds <= 0)
		return 0;
	if (seconds >= RETRY_AFTER_MAX_MS / 1000)
		return RETRY_AFTER_MAX_MS;
	return (int) (seconds * 1000);
}
