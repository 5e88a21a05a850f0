/*
 * providers.h
 *		The CRMs there are: one line each, for <name>_provider.
 *
 * Included by crm.c, which says what CRM_PROVIDER is.
 */
CRM_PROVIDER(followupboss)
CRM_PROVIDER(lofty)
