"""A strict fake of Follow Up Boss's APP host: /oauth/authorize and /oauth/token (reference sections 2 and 9)."""

import base64
import binascii
from urllib.parse import parse_qsl, urlencode

from fake import Crm, Refuse
from fub_accounts import DAY, Grant
from http_server import Response

CODE_LIFE = 15 * 60
IDLE_LIFE = 90 * DAY
EARLY = 10 * 60                               # a refresh with more than this left is needless
AUTHORIZE_PARAMETERS = {"response_type", "client_id", "redirect_uri", "state", "prompt"}


class FollowUpBossApp(Crm):
    name = "fub_app"
    credential_in_body = True
    knob_defaults = {
        "refresh_mode": "rotate", "deny": False, "token_outage": False, "account_gone": False, "access_ttl": 3600,
        "enforce_state": True, "redirect_uris": [], "authorize_account": "777001", "refresh_kills_access": False,
        "client_id": "C1", "client_secret": "S1"}
    knob_choices = {"refresh_mode": ("same", "rotate", "omit")}

    def __init__(self, world, accounts):
        super().__init__(world)
        self.accounts = accounts
        self.refreshing = {}                  # request seq -> grant, while its answer is on the way
        world.secrets.add("S1")

    def answer(self, request):
        try:
            if (request.method, request.path) == ("GET", "/oauth/authorize"):
                return self.authorize(request)
            if (request.method, request.path) == ("POST", "/oauth/token"):
                return self.token(request)
            self.refuse_unknown_route(request, {("GET", "/oauth/authorize"), ("POST", "/oauth/token")}, request.path,
                                      {"errorMessage": "no such route"})
        except Refuse as refusal:
            return refusal.response

    def check_manners(self, request):
        """A browser's visit to the authorize page is not our client's; the token route is."""
        if request.path == "/oauth/authorize":
            self.check_secrets(request)
        else:
            super().check_manners(request)

    def records_report(self):
        """The consents: what a test needs to judge the client's stored tokens."""
        grants = {}
        for text, token in self.accounts.access_tokens.items():
            grants.setdefault(token.grant, []).append({"token": text, "issued": token.issued, "expires": token.expires})
        return [{"account": grant.account.id, "refresh_token": grant.refresh_token, "gone": grant.gone,
                 "access_tokens": tokens} for grant, tokens in grants.items()]

    # Authorize

    def authorize(self, request):
        asked = dict(request.params())
        for name in sorted(set(asked) - AUTHORIZE_PARAMETERS):
            self.violation("unknown_query_key", name, request)
        uris = ["https://cb.example/fub"] + list(self.knobs["redirect_uris"])
        for wrong, why in ((asked.get("response_type") != "auth_code", "response_type"),
                           (asked.get("client_id") != self.knobs["client_id"], "client_id"),
                           (asked.get("redirect_uri") not in uris, "redirect_uri"),
                           (not asked.get("state"), "state"),
                           (asked.get("prompt", "login") != "login", "prompt")):
            if wrong:
                self.violation("bad_authorize", why, request)
                page = "<html><body><h1>Something went wrong</h1><p>%s</p></body></html>" % why
                return Response(400, page.encode(), "text/html")
        answer = {"response": "denied"}
        if not self.knobs["deny"]:
            account = self.accounts.account(self.knobs["authorize_account"])
            request.account = account.id
            code = self.accounts.new_code(account, asked["redirect_uri"], asked["state"], self.clock.now())
            answer = {"response": "approved", "code": code}
        joint = "&" if "?" in asked["redirect_uri"] else "?"
        location = asked["redirect_uri"] + joint + urlencode({**answer, "state": asked["state"]})
        return Response(302, headers={"Location": location})

    # Token

    def token(self, request):
        self.check_no_parameters(request)
        if self.knobs["token_outage"]:
            raise Refuse(Response.json(500, {"error": "server_error"}))
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        self.check_client(request, form)
        if request.media_type() != "application/x-www-form-urlencoded":
            self.violation("wrong_content_type", request.headers.get("content-type", "none"), request)
            self.refuse("invalid_request")
        grant_type = form.get("grant_type")
        if grant_type == "authorization_code":
            return self.exchange(request, form)
        if grant_type == "refresh_token":
            return self.refresh(request, form)
        self.violation("bad_grant_type", repr(grant_type), request)
        return self.refuse("unsupported_grant_type" if grant_type else "invalid_request")

    def check_client(self, request, form):
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True).decode() if scheme == "Basic" else None
        except (binascii.Error, UnicodeDecodeError):
            given = None
        if "client_secret" in form or "client_id" in form:
            self.violation("client_secret_in_body", "credentials go in the Basic header", request)
            self.refuse("invalid_client")
        if given != "%s:%s" % (self.knobs["client_id"], self.knobs["client_secret"]):
            if given is None:
                self.violation("wrong_auth_scheme", scheme or "none", request)
            self.refuse("invalid_client")

    def refuse(self, error, status=400):
        raise Refuse(Response.json(status, {"error": error, "error_description": "The request was refused"}))

    def only(self, request, form, known):
        for name in sorted(set(form) - known):
            self.violation("unknown_key", name, request)

    def exchange(self, request, form):
        self.only(request, form, {"grant_type", "code", "redirect_uri", "state"})
        if not form.get("code") or (self.knobs["enforce_state"] and not form.get("state")):
            self.violation("bad_exchange", "code or state missing", request)
            self.refuse("invalid_request")
        code, now = self.accounts.codes.get(form["code"]), self.clock.now()
        if code is None:
            self.violation("bad_exchange", "a code never given out (percent-encoding?)", request)
            self.refuse("invalid_grant")
        request.account = code.account.id
        if code.used:
            self.violation("code_used_twice", "", request)
        elif form.get("redirect_uri") != code.redirect_uri:
            self.violation("bad_exchange", "redirect_uri differs", request)
        elif self.knobs["enforce_state"] and form["state"] != code.state:
            self.violation("bad_exchange", "state differs", request)
        elif now <= code.issued + CODE_LIFE:
            code.used = True
            return self.tokens(request, Grant(code.account, now), True, True)
        return self.refuse("invalid_grant")

    def refresh(self, request, form):
        self.only(request, form, {"grant_type", "refresh_token"})
        if self.knobs["account_gone"]:
            self.refuse("invalid_grant", 404)
        given, now = form.get("refresh_token", ""), self.clock.now()
        grant = self.accounts.refresh_tokens.get(given)
        if grant is None:
            self.violation("bad_refresh", "a token never given out (percent-encoding?)", request)
            self.refuse("invalid_grant")
        request.account, request.credential = grant.account.id, given
        self.watch_refresh(request, grant, now)
        if given != grant.refresh_token:
            if not grant.reply_lost:
                self.violation("refresh_token_spent_twice", "account " + grant.account.id, request)
            self.refuse("invalid_grant")
        if grant.gone:
            self.refuse("invalid_grant")
        if now > grant.used + IDLE_LIFE:
            self.refuse("invalid_grant", 401)
        self.judge_need(request, grant, now)
        if self.knobs["refresh_kills_access"]:
            for token in grant.access_tokens:
                token.expires = 0.0
        mode = self.knobs["refresh_mode"]
        return self.tokens(request, grant, mode == "rotate", mode != "omit")

    def watch_refresh(self, request, grant, now):
        """Two refreshes of one grant must not be on the way at once."""
        if grant.in_flight:
            self.violation("concurrent_refresh", "account " + grant.account.id, request)
        grant.in_flight += 1
        self.refreshing[request.seq] = grant

    def judge_need(self, request, grant, now):
        """A refresh is due near the end of the access token, after a 401, or when the last reply was lost."""
        newest = grant.newest()
        if newest and newest.expires - now > EARLY and not newest.rejected and not grant.reply_lost:
            self.violation("needless_refresh", "%.0f s left" % (newest.expires - now), request)

    def finished(self, request, response):
        grant = self.refreshing.pop(request.seq, None)
        if grant is not None:
            grant.in_flight -= 1
            if grant.issued_for == request.seq:
                grant.reply_lost = not response.delivered or response.status != 200

    def tokens(self, request, grant, new_refresh, show_refresh):
        grant.issued_for = request.seq
        access, refresh = self.accounts.issue(grant, self.clock.now(), self.knobs["access_ttl"], new_refresh)
        body = {"access_token": access, "token_type": "Bearer", "expires_in": self.knobs["access_ttl"]}
        if show_refresh:
            body["refresh_token"] = refresh
        return Response.json(200, body, {"Cache-Control": "no-store"})
