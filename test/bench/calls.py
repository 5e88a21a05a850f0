"""Row 7: calls to the CRM for a new, a changed and an unchanged lead, counted by the strict fakes.

What is the least is from the references: reference/lofty.md 2, 3.3, 3.9 and 9; reference/follow-up-boss.md 4.2 to 4.8, 5.
Breaches of the CRMs' rules that the fakes note make the item fail: a call that is saved by breaking one does not count.
"""

import json
import os
import urllib.request

import app
import lab

LEADS = lab.size("CALL_LEADS", 10, 3)
CRMS = {"lofty": ("lofty", "eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln"), "fub": ("followupboss", "fka_0123456789abcdef")}

# What is done with each lead; the least calls to Lofty and to Follow Up Boss, and why.
CASES = (
    ("new, phone only", "INSERT", dict(phone_number="'{phone}'"), 2, 4,
     "search, create; FUB: two forms of the phone, checkDuplicate, create"),
    ("new, phone and e-mail", "INSERT", dict(phone_number="'{phone}'", email="'l{phone}@example.com'"), 3, 5,
     "one search more"),
    ("new, with a note", "INSERT", dict(phone_number="'{phone}'", notes="'Call after five.'"), 2, 5,
     "rides along; FUB: one more"),
    ("changed name", "UPDATE", dict(first_name="'Renamed'"), 1, 1, "update"),
    ("changed tags", "UPDATE", dict(tags="tags || '{Hot}'"), 1, 1, "update"),
    ("changed phone", "UPDATE", dict(phone_number="'{new_phone}'"), 2, 2, "read (lists are replaced), update"),
    ("changed note", "UPDATE", dict(notes="'Called.'"), 1, 1, "note"),
    ("unchanged, written again", "UPDATE", dict(created_at="now()"), 0, 0, "nothing"),
    ("unchanged, asked for by hand", "SYNC", {}, 0, 0, "nothing"),
)


def control(method, path, body=None):
    request = urllib.request.Request(os.environ["CONTROL_URL"] + path, method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def counted(crm):
    return sum(row["count"] for row in control("GET", "/stats")["requests"] if row["crm"] == crm)


class Tally:
    """Leads of one user, who is connected to one CRM."""

    def __init__(self, session, crm, number):
        self.session, self.crm, self.user = session, crm, app.user_id(number)
        crm_type, key = CRMS[crm]
        session.sql("SET echosync.user_id = '%s'" % self.user)
        self.integration = session.sql("SELECT echosync_connect('%s', '%s')" % (crm_type, key))
        session.sql("RESET echosync.user_id")
        self.next_phone = 3852000000 + number * 100000
        self.leads = []

    def act(self, what, columns):
        if what == "SYNC":
            ids = ",".join("'%s'" % lead for lead in self.leads)
            self.session.sql("SET echosync.user_id = '%s'; SELECT echosync_manual_sync('%s', ARRAY[%s]);"
                             "RESET echosync.user_id" % (self.user, self.integration, ids))
        elif what == "INSERT":
            self.leads = [self.insert(columns) for _ in range(LEADS)]
        else:
            for lead in self.leads:
                values = ["%s = %s" % (name, value.replace("{new_phone}", str(7022000000 + int(lead))))
                          for name, value in columns.items()]
                self.session.sql("UPDATE leads SET %s WHERE id = %s" % (", ".join(values), lead))

    def insert(self, columns):
        self.next_phone += 7
        names = ["user_id", "first_name", "last_name", "risk_score", *columns]
        values = ["'%s'" % self.user, "'Dana'", "'Holt'", "5", *(
            value.replace("{phone}", str(self.next_phone)) for value in columns.values())]
        return self.session.sql("INSERT INTO leads (%s) VALUES (%s) RETURNING id" % (", ".join(names), ", ".join(values)))

    def calls(self, what, columns):
        before = counted(self.crm)
        self.act(what, columns)
        lab.wait_until("the leads are sent", lambda: self.session.number("SELECT count(*) FROM crm_sync_queue") == 0)
        known = self.session.number("SELECT count(*) FROM crm_lead_links WHERE integration_id = '%s' AND lead_id = ANY ('{%s}')"
                                    % (self.integration, ",".join(self.leads)))
        if known != LEADS:
            raise RuntimeError("%d of %d leads are in the CRM" % (known, LEADS))
        return (counted(self.crm) - before) / LEADS


def count(report):
    for crm in CRMS:
        control("POST", "/knob", {"crm": crm, "name": "rate_limits_off", "value": True})
    lab.configure(echosync__enabled="on", echosync__lofty_api_url=os.environ["LOFTY_URL"],
                  echosync__lofty_rate_limit=100000000, echosync__followupboss_rate_limit=100000000)
    session = lab.fresh_database("bench_calls")
    app.create_leads(session, "leads")
    session.sql("SELECT echosync_attach_leads('leads')")
    tallies = [Tally(session, crm, number + 1) for number, crm in enumerate(CRMS)]
    for name, what, columns, *least, why in CASES:
        found = [tally.calls(what, columns) for tally in tallies]
        report.result("7", "calls to Lofty, Follow Up Boss: " + name, "%g, %g" % tuple(found), found == least,
                      "%d, %d" % tuple(least))
        report.say("      " + why)
    violations = control("GET", "/violations")
    report.result("7", "breaches of the CRMs' rules that the fakes noted", str(len(violations)), not violations, "0")
    for violation in violations[:5]:
        report.say("      %(crm)s %(rule)s: %(detail)s" % violation)
    session.close()
    lab.drop_database("bench_calls")
