/* Views.  They run with the owner's rights and filter by the one rule of access. */

CREATE VIEW echosync_status WITH (security_barrier) AS
SELECT i.id AS integration_id, i.user_id, i.crm_type, i.status, i.status_reason,
       q.queued, d.failed, q.oldest_queued_at, i.last_sync_at,
       l.synced_24h, l.failed_24h, i.consecutive_failures
  FROM crm_integrations i
 CROSS JOIN LATERAL (SELECT count(*) AS queued, min(queued_at) AS oldest_queued_at
                       FROM crm_sync_queue WHERE integration_id = i.id) q
 CROSS JOIN LATERAL (SELECT count(*) AS failed
                       FROM crm_dead_letters WHERE integration_id = i.id) d
 CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE status = 'success') AS synced_24h,
                            count(*) FILTER (WHERE status = 'failed') AS failed_24h
                       FROM crm_sync_logs
                      WHERE user_id = i.user_id AND integration_id = i.id
                        AND logged_at > now() - interval '24 hours') l
 WHERE echosync_may_see(i.user_id, 'monitor');
COMMENT ON VIEW echosync_status IS 'One row for each connection: state, what waits, what failed.';

CREATE VIEW echosync_runs WITH (security_barrier) AS
SELECT r.id AS run_id, r.integration_id, r.user_id, r.queued, r.skipped,
       r.synced, r.failed, r.skipped_later,
       r.synced + r.failed + r.skipped_later AS done, r.queued AS total,
       r.started_at, r.finished_at
  FROM crm_sync_runs r
 WHERE echosync_may_see(r.user_id, 'monitor');
COMMENT ON VIEW echosync_runs IS 'Manual runs and how far they are: done of total.';

CREATE VIEW echosync_dead_letters WITH (security_barrier) AS
SELECT d.integration_id, d.lead_id, d.user_id, i.crm_type, d.queued_at, d.failed_at,
       d.attempts, d.http_status, d.error_code, d.error_message
  FROM crm_dead_letters d JOIN crm_integrations i ON i.id = d.integration_id
 WHERE echosync_may_see(d.user_id, 'monitor');
COMMENT ON VIEW echosync_dead_letters IS 'Leads out of retries. echosync_retry_failed() queues them again.';
