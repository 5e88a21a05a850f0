\echo Use "ALTER EXTENSION echosync UPDATE TO '1.1.0'" to load this file. \quit

ALTER TABLE crm_sync_attempts ADD COLUMN waiting_since timestamptz;
COMMENT ON COLUMN crm_sync_attempts.waiting_since IS 'When the first of the waits began that count as no try. After a day of them the lead is a dead letter.';

-- One record for each account of the CRM that a lead was brought to.
ALTER TABLE crm_lead_links
    ADD COLUMN crm_account text COLLATE "C",
    ADD COLUMN announced_at timestamptz,
    DROP CONSTRAINT crm_lead_links_pkey,
    ADD CONSTRAINT crm_lead_links_key UNIQUE NULLS NOT DISTINCT (integration_id, lead_id, source_id, crm_account);
ALTER TABLE crm_lead_links REPLICA IDENTITY FULL;
COMMENT ON COLUMN crm_lead_links.phone_hash IS 'Salted digest of the phone key that the record is known to carry: finds a record written a moment ago that the CRM does not index yet.';
COMMENT ON COLUMN crm_lead_links.email_hash IS 'The same of the e-mail address.';
COMMENT ON COLUMN crm_lead_links.crm_account IS 'The account of the CRM that the record is in: crm_integrations.crm_account up to the slash. Null: the account of the connection as it was when 1.1 was installed, or one that the CRM does not tell. Links of another account are kept, and used again when that account is connected again.';
COMMENT ON COLUMN crm_lead_links.announced_at IS 'When an event about the lead was posted (Follow Up Boss, delivery "events"); it is not posted again.';

SELECT @extschema@.echosync_wake();
