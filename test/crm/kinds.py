"""Checking JSON bodies against a table of fields: what type each key takes, what happens to a key that is not in it.

A kind is a function (reader, value, where) -> the value as the CRM stores it; it raises Invalid when the type is wrong.
"""

import re

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Invalid(Exception):
    """A value the CRM refuses."""

    def __init__(self, where, why, value=None):
        super().__init__("%s %s" % (where, why))
        self.where, self.why, self.value = where, why, value


class Reader:
    """How strictly one request's body is read; every breach is recorded as a violation whatever the strictness."""

    def __init__(self, crm, request, refuse_unknown, refuse_wrong):
        self.crm, self.request = crm, request
        self.refuse_unknown, self.refuse_wrong = refuse_unknown, refuse_wrong

    def violation(self, rule, detail):
        self.crm.violation(rule, detail, self.request)

    def warning(self, rule, detail):
        self.crm.warning(rule, detail, self.request)

    def fields(self, value, table, where=""):
        """The known fields of an object, cleaned."""
        if not isinstance(value, dict):
            self.wrong(Invalid(where.rstrip(".") or "body", "must be an object", value))
            return {}
        cleaned = {}
        for key, item in value.items():
            kind = table.get(key)
            if kind is None:
                self.unknown(where + key, item)
                continue
            try:
                cleaned[key] = kind(self, item, where + key)
            except Invalid as invalid:
                self.wrong(invalid)
        return cleaned

    def unknown(self, where, value):
        self.violation("unknown_key", where)
        if self.refuse_unknown:
            raise Invalid(where, "is not a known field", value)
        self.warning("dropped_key", where)

    def wrong(self, invalid):
        if not getattr(invalid, "recorded", False):
            invalid.recorded = True
            self.violation("wrong_type", str(invalid))
        if self.refuse_wrong:
            raise invalid


def need(good, where, why, value):
    if not good:
        raise Invalid(where, why, value)


def text(most=None, cut=None):
    """A string; longer than `most` is refused, longer than `cut` characters is silently cut."""
    def check(reader, value, where):
        need(isinstance(value, str), where, "must be a string", value)
        need(most is None or len(value) <= most, where, "is longer than %s characters" % most, value)
        if cut is not None and len(value) > cut:
            reader.warning("silently_cut", "%s: %d characters to %d" % (where, len(value), cut))
            return value[:cut]
        return value
    return check


def boolean(reader, value, where):
    need(isinstance(value, bool), where, "must be true or false", value)
    return value


def integer(reader, value, where):
    need(isinstance(value, int) and not isinstance(value, bool), where, "must be an integer", value)
    return value


def number(reader, value, where):
    need(isinstance(value, (int, float)) and not isinstance(value, bool), where, "must be a number", value)
    return value


def day(reader, value, where):
    need(isinstance(value, str) and DAY.fullmatch(value), where, "must be a date YYYY-MM-DD", value)
    return value


def choice(*allowed):
    def check(reader, value, where):
        need(any(value == one and type(value) is type(one) for one in allowed), where,
             "must be one of %s" % (allowed,), value)
        return value
    return check


def list_of(kind, most=None):
    def check(reader, value, where):
        need(isinstance(value, list), where, "must be an array", value)
        need(most is None or len(value) <= most, where, "has more than %s items" % most, value)
        return [kind(reader, item, "%s[%d]" % (where, at)) for at, item in enumerate(value)]
    return check


def thing(table, needed=()):
    """An object with these fields."""
    def check(reader, value, where):
        need(isinstance(value, dict), where, "must be an object", value)
        cleaned = reader.fields(value, table, where + ".")
        for key in needed:
            need(key in cleaned, where + "." + key, "is required", None)
        return cleaned
    return check


def anything(reader, value, where):
    return value
