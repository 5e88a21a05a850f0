/*
 * integration_settings.h
 *		The settings of one connection (crm_integrations.settings): parsing,
 *		checking, defaults.
 */
#ifndef ECHOSYNC_INTEGRATION_SETTINGS_H
#define ECHOSYNC_INTEGRATION_SETTINGS_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#define DEFAULT_LEAD_SOURCE "Echo Safe Compliance"
#define DEFAULT_LEAD_TAG "Echo Safe - Clean Lead"

typedef enum DeliveryMode
{
	DELIVERY_QUIET = 0,			/* no automation in the CRM */
	DELIVERY_EVENTS				/* Follow Up Boss: POST /events, agents are told */
} DeliveryMode;

/* One custom field of the CRM, and the lead's field that fills it. */
typedef struct CustomFieldSetting
{
	int			field;			/* LeadField */
	char	   *label;			/* as the CRM shows it */
} CustomFieldSetting;

typedef struct IntegrationSettings
{
	bool		auto_sync;
	bool		has_max_risk_score; /* false: no limit */
	double		max_risk_score;
	bool		sync_unscored;
	List	   *tags;			/* of char * */
	char	   *source;
	List	   *custom_fields;	/* of CustomFieldSetting * */
	DeliveryMode delivery;
	int64		assigned_user_id;	/* 0: none */
} IntegrationSettings;

/*
 * Merge changes over base (NULL: the defaults) and check the result for this
 * kind of CRM.  Every key of the contract is present in the returned object.
 * An unknown key, a wrong type or a value out of range is an ERROR (22023)
 * that names the key.
 */
extern Jsonb *integration_settings_merge(Jsonb *base, Jsonb *changes,
										 const char *crm_type);

/*
 * Parse what integration_settings_merge made; allocates in
 * CurrentMemoryContext.  Raises no error: what is missing or unreadable (NULL
 * too) has its default, so that only an explicit null lifts the risk limit.
 */
extern IntegrationSettings *integration_settings_parse(Jsonb *settings);

/* A copy in CurrentMemoryContext, without what parsing has left there; and its end. */
extern IntegrationSettings *integration_settings_copy(const IntegrationSettings *settings);
extern void integration_settings_free(IntegrationSettings *settings);

#endif							/* ECHOSYNC_INTEGRATION_SETTINGS_H */
