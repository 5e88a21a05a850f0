/*
 * phone.h
 *		Phone numbers: the key by which two spellings are known to be one
 *		number, and the form in which a number is sent.
 *
 * Plain C without PostgreSQL state, so that it can be tested and fuzzed alone.
 */
#ifndef ECHOSYNC_PHONE_H
#define ECHOSYNC_PHONE_H

#include <stdbool.h>
#include <stddef.h>

#define PHONE_MAX_LEN 24		/* buffer size for key and form, with NUL */

/*
 * Key of a number as people write it: digits only, an extension ("x12",
 * "ext. 12", "#12", ";ext=12") left off; North American numbers as their ten
 * digits whether or not written with the country code 1; others with country
 * code ("+" or "00" or "011" told us), no "+".  A foreign number whose ten
 * digits have the North American shape keeps "00" before them, to be another
 * key than the American number; search and send phone_format()'s form.  Of
 * several numbers ("a / b") the first that can be used counts; labels and comments
 * are left off where the number is complete without them.  The marks of mobile
 * numbers in Mexico (+52 1) and Argentina (+54 9) are no part of a key.
 *
 * Returns false when this is no usable number: fewer than 7 or more than 15
 * digits, fewer than ten or a leading 0 without a country code (a local number:
 * two people may have it), or ten digits that the North American plan does not allow (area
 * code or exchange starting with 0 or 1), or country code 1 with anything but
 * such ten digits, or one digit repeated throughout, or letters or "*" within.
 */
extern bool phone_key(const char *text, size_t len, char key[PHONE_MAX_LEN]);

/* The same, and the form to send of what was written: with Argentina's mark, where it had one. */
extern bool phone_read(const char *text, size_t len, char key[PHONE_MAX_LEN], char form[PHONE_MAX_LEN]);

/* The other form in which a CRM may have it, with the mark of mobile numbers; false: there is none. */
extern bool phone_marked_form(const char *key, char form[PHONE_MAX_LEN]);

/* True for a key that is a ten-digit North American number. */
extern bool phone_key_is_nanp(const char *key);

/* The form to send: ten digits for North America, else "+" and the key. */
extern void phone_format(const char *key, char formatted[PHONE_MAX_LEN]);

#endif							/* ECHOSYNC_PHONE_H */
