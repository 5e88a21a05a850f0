/*
 * lead_user.h
 *		Whose lead is a row: which connected user's.
 */
#ifndef ECHOSYNC_LEAD_USER_H
#define ECHOSYNC_LEAD_USER_H

#include "db/lead_key.h"

/*
 * The connected user that the text of a row's user stands for: the one of
 * exactly this text; else the one whose id is an equal value of the column, where
 * there is only one; NULL if it is nobody's.  In the current memory context.
 */
extern const char *lead_user_of(const LeadKey *key, const char *text);

/* The same without the first look: nobody of exactly this text is connected. */
extern const char *lead_user_spelled(const LeadKey *key, const char *text);

/* The same for a text from elsewhere, which may not be as the column writes it. */
extern const char *lead_user_meant(const LeadKey *key, const char *text);

#endif							/* ECHOSYNC_LEAD_USER_H */
