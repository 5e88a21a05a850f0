"""Sliding-window rate limits, and the memory of who was told to wait until when."""

import collections


class Verdict:
    __slots__ = ("allowed", "limit", "remaining", "reset_in")

    def __init__(self, allowed, limit, remaining, reset_in):
        self.allowed, self.limit, self.remaining, self.reset_in = allowed, limit, remaining, reset_in


class SlidingWindow:
    """At most `limit` requests in any `window` seconds; once refused, refused until the wait it named is over."""

    def __init__(self):
        self.hits = collections.deque()
        self.refused_until = 0.0

    def take(self, now, limit, window):
        while self.hits and self.hits[0] <= now - window:
            self.hits.popleft()
        if now < self.refused_until:
            return Verdict(False, limit, 0, self.refused_until - now)
        if len(self.hits) >= limit:
            self.refused_until = (self.hits[0] if self.hits else now) + window
            return Verdict(False, limit, 0, self.refused_until - now)
        self.hits.append(now)
        return Verdict(True, limit, limit - len(self.hits), self.hits[0] + window - now)


class RateLimits:
    """The windows of one CRM, by whatever key it counts on."""

    UNLIMITED = 1000000

    def __init__(self):
        self.windows = {}

    def take(self, key, now, limit, window):
        if limit >= self.UNLIMITED:
            return Verdict(True, limit, limit - 1, window)
        found = self.windows.get(key)
        if found is None:
            found = self.windows[key] = SlidingWindow()
        return found.take(now, limit, window)


class Waits:
    """Who was answered 429, when, and until when it has to keep quiet."""

    def __init__(self):
        self.told = {}

    def tell(self, key, now, seconds):
        _, until = self.told.get(key, (0, 0))
        self.told[key] = (now, max(until, now + seconds))

    def breach(self, key, now, grace):
        """None, or (seconds since the 429, seconds still to wait)."""
        told = self.told.get(key)
        if told is None or now >= told[1] or now - told[0] < grace:
            return None
        return now - told[0], told[1] - now
