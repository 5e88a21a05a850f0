"""Follow Up Boss accounts, API keys and OAuth grants: shared by the API host and the APP host."""

import base64
import os

from records import Book

DEFAULT_KEYS = {"fka_0123456789abcdef": "777001", "fka_tenant2_abcdef": "777002"}
DAY = 86400.0


def long_token(prefix):
    """Over 300 characters, some of which need percent-encoding in a form."""
    return prefix + base64.b64encode(os.urandom(241)).decode()


class Account:
    def __init__(self, id):
        number = int(id) - 777001
        self.id = id
        self.user_id = 12 + number
        self.identity = {
            "account": {"id": int(id), "domain": "demo%d" % number if number else "demo", "name": "Demo Realty",
                        "owner": {"name": "Kim Owner", "email": "kim@example.com"}},
            "user": {"id": self.user_id, "name": "Pat Agent", "email": "pat@example.com", "role": "Agent",
                     "isOwner": 0, "isAdmin": 0}}
        self.book = Book()
        self.events = []

    def forget(self):
        self.book, self.events = Book(), []


class AccessToken:
    def __init__(self, grant, issued, ttl):
        self.grant, self.issued, self.expires = grant, issued, issued + ttl
        self.rejected = False                 # the API answered 401 to it


class Grant:
    """One consent: an account, its live refresh token and the access tokens it gave out."""

    def __init__(self, account, now):
        self.account = account
        self.refresh_token = None
        self.access_tokens = []
        self.used = now
        self.in_flight = 0                    # refreshes being answered right now
        self.issued_for = None                # the request that got the newest tokens
        self.reply_lost = False               # and whether its reply never reached the client
        self.gone = False

    def newest(self):
        return self.access_tokens[-1] if self.access_tokens else None


class Code:
    def __init__(self, account, redirect_uri, state, now):
        self.account, self.redirect_uri, self.state, self.issued = account, redirect_uri, state, now
        self.used = False


class Accounts:
    """Who may ask: API keys, access tokens, and the consents behind them."""

    def __init__(self, secrets):
        self.secrets = secrets
        self.reset()

    def reset(self):
        self.by_id, self.keys = {}, {}
        self.codes, self.refresh_tokens, self.access_tokens = {}, {}, {}
        for key, id in DEFAULT_KEYS.items():
            self.add_key(key, id)

    def account(self, id):
        return self.by_id.setdefault(str(id), Account(str(id)))

    def add_key(self, key, id=None):
        if id is None:
            known = self.keys.get(key)
            id = known.id if known else str(777001 + len(self.by_id))
        self.keys[key] = self.account(id)
        self.secrets.add(key)
        return self.keys[key]

    def new_code(self, account, redirect_uri, state, now):
        code = "ac_%d.%s+/=" % (len(self.codes) + 1, os.urandom(8).hex())
        self.codes[code] = Code(account, redirect_uri, state, now)
        self.secrets.add(code)
        return code

    def issue(self, grant, now, ttl, new_refresh):
        """A new access token, and a new refresh token if wanted or if there is none yet."""
        access = long_token("fubat_")
        token = AccessToken(grant, now, ttl)
        grant.access_tokens.append(token)
        self.access_tokens[access] = token
        if new_refresh or grant.refresh_token is None:
            grant.refresh_token = long_token("fubrt_")
            self.refresh_tokens[grant.refresh_token] = grant
        grant.used = now
        self.secrets.update((access, grant.refresh_token))
        return access, grant.refresh_token

    def revoke(self, account_id):
        """The user removes the app inside Follow Up Boss."""
        for grant in set(self.refresh_tokens.values()):
            if grant.account.id == account_id:
                grant.gone = True
                for token in grant.access_tokens:
                    token.expires = 0.0

    def expire_access(self, account_id):
        for token in self.access_tokens.values():
            if token.grant.account.id == account_id:
                token.expires = 0.0

    def forget_records(self):
        for account in self.by_id.values():
            account.forget()
