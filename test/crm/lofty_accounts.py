"""Lofty users: their API keys, ids, custom fields and leads. Each key has a book of leads of its own (F39)."""

from records import Book

DEFAULT_KEYS = ("eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln", "eyJhbGciOiJIUzI1NiJ9.eyJ1IjoyfQ.c2ln")


class Account:
    """One user. `me_id` is the short id of /me; `long_user_id` is the same person on records."""

    def __init__(self, me_id, user):
        self.id = str(me_id)
        self.me_id = me_id
        self.team_id = 400900000000123 + (me_id - 113300) * 1000
        self.long_user_id = 400900000000000 + me_id
        self.colleague_id = 400900000500000 + me_id
        self.user = {"id": me_id, "memberUserId": me_id, "teamId": self.team_id, "email": "a@example.test",
                     "firstName": "Ana", "lastName": "Reyes", "roleName": "Agent", "role": 3, "status": 1,
                     "phoneNumber": "8015550100", "timeZoneId": "America/Denver", "groupId": -1, "isAdmin": False,
                     **user}
        self.book = Book()
        self.tags = {}

    def tag_id(self, name):
        return self.tags.setdefault(name, 71 + len(self.tags))

    def forget(self):
        self.book, self.tags = Book(), {}


class Accounts:
    """Key -> account, and which keys are past their date."""

    def __init__(self, secrets):
        self.secrets = secrets
        self.reset()

    def reset(self):
        self.by_key, self.by_id, self.expired = {}, {}, set()
        for key in DEFAULT_KEYS:
            self.add(key)

    def add(self, key, user=None, expired=False, account=None):
        """A new key; `account` names an existing account that gets it too."""
        if account is not None:
            found = self.by_id[str(account)]
        else:
            found = self.by_key.get(key)
            if found is None:
                me_id = int((user or {}).get("id", 113300 + len(self.by_id)))
                found = self.by_id.setdefault(str(me_id), Account(me_id, user or {}))
        found.user.update(user or {})
        self.by_key[key] = found
        (self.expired.add if expired else self.expired.discard)(key)
        self.secrets.add(key)
        return found

    def forget_records(self):
        for account in self.by_id.values():
            account.forget()
