/*
 * providers.h
 *		The CRMs there are: one line each, for <name>_provider.
 *
 * Included by crm.h and crm.c, which say what CRM_PROVIDER is.
 */
CRM_PROVIDER(followupboss)
CRM_PROVIDER(lofty)
CRM_PROVIDER(kvcore)
