"""The records of one CRM account, found by id, phone and e-mail; and the search for duplicates among them.

A phone key is the number's digits, without the leading 1 of an eleven-digit North American number.
"""

import re

NOT_DIGIT = re.compile(r"\D+")


def phone_key(number):
    digits = NOT_DIGIT.sub("", number)
    return digits[1:] if len(digits) == 11 and digits.startswith("1") else digits


def strange_number(number):
    """A number that shares only the last seven digits with this one."""
    key = phone_key(number)
    return ("979" if key.startswith("989") else "989") + key[-7:]


class Record:
    """A lead or person. `data` is in the CRM's own terms; the rest is the fake's knowledge about it."""

    __slots__ = ("id", "data", "made_by", "created", "updated", "state", "survivor", "notes", "events", "seq",
                 "made_up", "hidden", "keys", "ordinal")

    def __init__(self, id, data, made_by, now, seq=None):
        self.id, self.data, self.made_by = id, data, made_by
        self.created = self.updated = now
        self.state = "live"                   # live | trashed | deleted | ghost
        self.survivor = None                  # of a ghost: the record it was merged into
        self.notes, self.events = [], []
        self.seq = seq                        # the request that made it
        self.made_up = False                  # a stranger or a twin the fake slips into search results
        self.hidden = False                   # not visible to the credential in use
        self.keys = frozenset()
        self.ordinal = 0                      # place in the order of creation within its book


class Book:
    """All records of one account. Found by ('phone', key), ('last10', digits), ('last7', digits), ('email', folded)."""

    def __init__(self):
        self.records = {}
        self.index = {}

    def add(self, record, phones, emails):
        self.records[record.id] = record
        record.ordinal = len(self.records)
        self.reindex(record, phones, emails)

    def reindex(self, record, phones, emails):
        keys = {("email", email.strip().lower()) for email in emails}
        for phone in phones:
            key = phone_key(phone)
            keys |= {("phone", key), ("last10", key[-10:]), ("last7", key[-7:])}
        for old in record.keys - keys:
            self.index[old].discard(record.id)
        for new in keys - record.keys:
            self.index.setdefault(new, set()).add(record.id)
        record.keys = frozenset(keys)

    def by(self, kind, value):
        return [self.records[id] for id in sorted(self.index.get((kind, value), ()))]

    def strangers(self, number):
        """Records the fake made up whose number is like this one but not this one."""
        key = phone_key(number)
        return [record for record in self.by("last7", key[-7:])
                if record.made_up and ("phone", key) not in record.keys]

    def live(self):
        return [record for record in self.records.values() if record.state == "live"]

    def duplicates(self):
        """(earlier, later, what they share) for every live record the client made although one like it was there."""
        seen = set()
        for (kind, value), ids in self.index.items():
            if kind not in ("phone", "email") or len(ids) < 2 or not value:
                continue
            alike = sorted((self.records[id] for id in ids if self.records[id].state == "live"),
                           key=lambda record: record.ordinal)
            for later in alike[1:]:
                if later.made_by == "client" and later.id not in seen:
                    seen.add(later.id)
                    yield alike[0], later, kind
