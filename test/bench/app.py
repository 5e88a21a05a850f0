"""The application of the bench: its table of leads, its users, and a backlog that is there without the trigger."""

import lab

API_KEY = "eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln"
BACKLOG = lab.size("BACKLOG", 1000000, 20000)
USERS = lab.size("USERS", 500, 50)
UNLIMITED = {"echosync__lofty_rate_limit": 100000000, "echosync__enabled": "on"}
FIRST_PHONE = 8012000001


def create_leads(session, name):
    """The table of an ordinary application: the demo's."""
    with open(lab.HERE + "/../../demo/app.sql", encoding="utf-8") as file:
        session.sql(lab.re.sub(r"\bleads\b", name, file.read()))


def user_id(number):
    return "00000000-0000-0000-0000-%012d" % number


def connect(session, users, settings="{}"):
    """Connect users (numbers) to Lofty without asking it."""
    session.sql("""SELECT count(echosync_import_integration(
        '00000000-0000-0000-0000-' || lpad(n::text, 12, '0'), 'lofty', sealed, %s::jsonb))
        FROM unnest('{%s}'::int[]) n, echosync_encrypt('{"api_key":"%s"}') sealed"""
                % (lab.literal(settings), ",".join(map(str, users)), API_KEY))


def fill(session, rows, users, email="'lead' || (%d + i) || '@example.com'" % FIRST_PHONE):
    """That many leads of so many users, who are connected, in the table and in the queue, without the trigger."""
    session.sql("SET echosync.capture = off")
    session.sql("""INSERT INTO leads (user_id, phone_number, first_name, last_name, email, risk_score)
        SELECT ('00000000-0000-0000-0000-' || lpad((1 + i %% %d)::text, 12, '0'))::uuid, (%d + i)::text, 'Dana', 'Holt',
               %s, 5 FROM generate_series(0, %d) i"""
                % (users, FIRST_PHONE, email, rows - 1))
    session.sql("SET echosync.capture = on")
    session.sql("VACUUM ANALYZE leads")
    session.sql("ANALYZE crm_integrations")     # or ten thousand of them are looked through for each lead
    queue(session, "true")
    session.sql("VACUUM ANALYZE crm_sync_queue")


def queue(session, condition):
    """Queue leads as the trigger does, without it."""
    session.sql("""INSERT INTO crm_sync_queue (integration_id, lead_id, user_id, source_id, sync_type)
        SELECT i.id, l.id::text, i.user_id, s.id, 'auto'
          FROM leads l JOIN crm_integrations i ON i.user_id = l.user_id::text, crm_lead_sources s
         WHERE %s ORDER BY l.id""" % condition)
