"""Churn: does the queue's table stay as large as its rows need, however many pass through it?

Rows are inserted, claimed and deleted in batches as the trigger and the worker do, by SQL alone: DEPTH of them are live.
Rows pass some ten times faster than a worker drains, so that autovacuum is given a nap shorter by as much.
"""

import time

import app
import lab

TOTAL = lab.size("CHURN", 10000000, 50000)     # the index is as large as it gets after some three million
DEPTH = lab.size("CHURN_DEPTH", 20000, 5000)
BATCH = lab.size("CHURN_BATCH", 1000, 1000)
CONNECTIONS = 100
POINTS = 10
MIB = 1024 * 1024

# What claim.c reads (rows above a cursor, of each connection) and results.c deletes, in transactions of
# their own.  Ids are drawn in order by one session, so that a connection's rows are known from their ids.
PROCEDURE = """CREATE PROCEDURE churn(total bigint, depth int, batch int) LANGUAGE plpgsql AS $$
DECLARE
    done bigint := 0;
    connections uuid[] := ARRAY(SELECT id FROM crm_integrations ORDER BY id);
    cursors bigint[];
    taken record;
    newest bigint;
    step bigint := (SELECT s.seqincrement FROM pg_sequence s WHERE s.seqrelid = 'crm_sync_queue_id_seq'::regclass);
BEGIN
    SELECT array_agg(COALESCE((SELECT min(q.id) - 1 FROM crm_sync_queue q
                                WHERE q.integration_id = c.id AND q.priority = 0), 0) ORDER BY c.ord)
      INTO cursors FROM unnest(connections) WITH ORDINALITY c(id, ord);
    WHILE done < total LOOP
        INSERT INTO crm_sync_queue (integration_id, lead_id, user_id, source_id, sync_type)
        SELECT connections[1 + i %% %(connections)d], (done + i)::text, '%(user)s', 1, 'auto'
          FROM generate_series(1, batch) i;
        COMMIT;
        newest := (SELECT last_value FROM crm_sync_queue_id_seq);
        SELECT array_agg(q.integration_id) AS connections, array_agg(q.priority) AS priorities, array_agg(q.id) AS ids
          INTO taken
          FROM unnest(connections, cursors) WITH ORDINALITY c(id, above, ord),
               LATERAL (SELECT l.integration_id, l.priority, l.id FROM crm_sync_queue l
                         WHERE l.integration_id = c.id AND l.priority = 0 AND l.id > c.above
                           AND l.id <= newest - depth * step
                         ORDER BY l.id LIMIT batch / %(connections)d + 1) q;
        COMMIT;
        DELETE FROM crm_sync_queue q USING (
            SELECT h.integration_id, h.priority, h.id
              FROM unnest(taken.connections, taken.priorities, taken.ids) k(integration_id, priority, id)
              JOIN crm_sync_queue h USING (integration_id, priority, id) FOR UPDATE OF h SKIP LOCKED) held
         WHERE q.integration_id = held.integration_id AND q.priority = held.priority AND q.id = held.id;
        COMMIT;
        SELECT array_agg(GREATEST(c.above, t.id) ORDER BY c.ord) INTO cursors
          FROM unnest(connections, cursors) WITH ORDINALITY c(id, above, ord)
          LEFT JOIN (SELECT k.connection, max(k.id) AS id
                       FROM unnest(taken.connections, taken.ids) k(connection, id) GROUP BY 1) t ON t.connection = c.id;
        done := done + batch;
    END LOOP;
END $$"""


def sizes(session):
    """MiB of the table and of each index."""
    text = session.sql("""SELECT string_agg(c.relname || '=' || pg_relation_size(c.oid), ' ' ORDER BY c.relkind DESC, c.relname)
        FROM pg_class c LEFT JOIN pg_index x ON x.indexrelid = c.oid
       WHERE 'crm_sync_queue'::regclass IN (c.oid, x.indrelid)""")
    return {name: int(size) / MIB for name, size in (word.split("=") for word in text.split())}


def churn(report):
    lab.configure(echosync__enabled="off", autovacuum_naptime="5s")
    session = lab.fresh_database("bench_churn")
    app.connect(session, range(1, CONNECTIONS + 1))
    session.sql(PROCEDURE % {"connections": CONNECTIONS, "user": app.user_id(1)})
    found, start = [], time.monotonic()
    for point in range(POINTS):
        session.sql("CALL churn(%d, %d, %d)" % (TOTAL // POINTS, DEPTH, BATCH))
        found.append(sizes(session))
        lab.progress("%d rows: %s" % (TOTAL // POINTS * (point + 1),
                                      ", ".join("%s %.1f MiB" % item for item in found[-1].items())))
    seconds = time.monotonic() - start
    session.close()
    for name in found[0]:
        first, second = (max(size[name] for size in half) for half in (found[:POINTS // 2], found[POINTS // 2:]))
        report.result("churn", "largest %s in the second half of %d rows / in the first" % (name, TOTAL), "%.2f" % (second / first),
                      second / first <= 1.25, "<= 1.25")
    report.say("      %d rows in %.0f s, %d live; MiB of table and indexes at each tenth:" % (TOTAL, seconds, DEPTH))
    report.say("      " + " ".join("%.0f" % sum(size.values()) for size in found))
    lab.configure(autovacuum_naptime="1min")
    lab.drop_database("bench_churn")
