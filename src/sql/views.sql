/* Views.  They run with the owner's rights and filter by the one rule of access. */

/*
 * What waits is counted in shared memory.  The trigger sees who queues or
 * cancels by SQL, the worker too; what the triggers of attached tables queue
 * is noted by them.
 */
CREATE FUNCTION echosync_count_queue() RETURNS trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_count_queue() IS 'Trigger of crm_sync_queue: keeps the counters of what waits.';
CREATE TRIGGER echosync_count_queue AFTER INSERT OR DELETE ON crm_sync_queue
    FOR EACH ROW EXECUTE FUNCTION echosync_count_queue();
CREATE TRIGGER echosync_count_truncated AFTER TRUNCATE ON crm_sync_queue
    FOR EACH STATEMENT EXECUTE FUNCTION echosync_count_queue();

CREATE FUNCTION echosync_queue_length(id uuid) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_queue_length(uuid) IS 'How many leads wait for one of the caller''s connections, from a counter in shared memory or, where there is none, counted. Null for another''s id and for no id. Read it as echosync_status.queued.';

CREATE VIEW echosync_status WITH (security_barrier) AS
SELECT i.id AS integration_id, i.user_id, i.crm_type, i.status, i.status_reason,
       echosync_queue_length(i.id) AS queued,
       (SELECT count(*) FROM crm_dead_letters d WHERE d.integration_id = i.id) AS failed,
       least((SELECT q.queued_at FROM crm_sync_queue q WHERE q.integration_id = i.id AND q.priority = 0 ORDER BY q.id LIMIT 1),
             (SELECT q.queued_at FROM crm_sync_queue q WHERE q.integration_id = i.id AND q.priority = 1 ORDER BY q.id LIMIT 1)) AS oldest_queued_at,
       i.last_sync_at, h.synced_24h, h.failed_24h, i.consecutive_failures
  FROM crm_integrations i
 CROSS JOIN LATERAL (SELECT coalesce(sum(s.synced), 0)::bigint AS synced_24h, coalesce(sum(s.failed), 0)::bigint AS failed_24h
                       FROM crm_sync_hours s
                      WHERE s.integration_id = i.id AND s.hour > now() - interval '24 hours') h
 WHERE echosync_may_see(i.user_id, 'monitor');
COMMENT ON VIEW echosync_status IS 'One row for each connection: state, what waits, what failed. Costs the same whatever waits, so that it may be asked each second.';
COMMENT ON COLUMN echosync_status.queued IS 'From a counter in shared memory, which each commit that queues or cancels adds to and the worker subtracts from. A commit in the moment when the worker counts may be in it twice, and rows of a prepared transaction are not; that ends when the queue is empty, and each hour. Before the worker has counted, the rows are.';
COMMENT ON COLUMN echosync_status.oldest_queued_at IS 'Of the row that was queued first, among live changes and back-fills.';
COMMENT ON COLUMN echosync_status.failed IS 'Dead letters.';
COMMENT ON COLUMN echosync_status.synced_24h IS 'Log rows with status success, of this hour and the 23 before it.';
COMMENT ON COLUMN echosync_status.failed_24h IS 'Log rows with status failed, of this hour and the 23 before it.';

CREATE FUNCTION echosync_lead_seconds(id uuid, crm_type text) RETURNS double precision
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_lead_seconds(uuid, text) IS 'How long a new lead with phone and e-mail takes at the limit of its CRM. Read it as echosync_runs.estimated_finish.';

/* What is left of a run, and of the connection's runs before it. */
CREATE VIEW echosync_runs WITH (security_barrier) AS
SELECT r.id AS run_id, r.integration_id, r.user_id, r.queued, r.skipped,
       r.synced, r.failed, r.skipped_later,
       r.synced + r.failed + r.skipped_later AS done, r.queued AS total,
       r.started_at, r.finished_at, e.seconds_left,
       clock_timestamp() + make_interval(secs => e.seconds_left) AS estimated_finish
  FROM crm_sync_runs r
  LEFT JOIN crm_integrations i ON i.id = r.integration_id
 CROSS JOIN LATERAL (SELECT CASE WHEN r.finished_at IS NULL AND i.status = 'active' THEN
           round(greatest(extract(epoch FROM i.not_before - clock_timestamp()), 0)
                 + (SELECT sum(b.queued - b.synced - b.failed - b.skipped_later) FROM crm_sync_runs b
                     WHERE b.user_id = r.user_id AND b.id <= r.id
                       AND b.integration_id = r.integration_id AND b.finished_at IS NULL)
                   * echosync_lead_seconds(i.id, i.crm_type))
           END) e(seconds_left)
 WHERE echosync_may_see(r.user_id, 'monitor');
COMMENT ON VIEW echosync_runs IS 'Manual runs and how far they are: done of total.';
COMMENT ON COLUMN echosync_runs.seconds_left IS 'If each lead that is left were new, with phone and e-mail, and no live change came in between: leads, of this run and those of the connection before it, times the calls that the CRM needs, at the limit that it has told or that is set now. Leads that the CRM has already are quicker; connections that share the limit of one key or account make it longer. Null when finished, while the connection is paused or its credential refused, and where echosync.enabled is off.';
COMMENT ON COLUMN echosync_runs.estimated_finish IS 'Now and seconds_left.';

CREATE VIEW echosync_dead_letters WITH (security_barrier) AS
SELECT d.integration_id, d.lead_id, d.user_id, i.crm_type, d.queued_at, d.failed_at,
       d.attempts, d.http_status, d.error_code, d.error_message
  FROM crm_dead_letters d JOIN crm_integrations i ON i.id = d.integration_id
 WHERE echosync_may_see(d.user_id, 'monitor');
COMMENT ON VIEW echosync_dead_letters IS 'Leads out of retries. echosync_retry_failed() queues them again.';
