"""A scripted certificate authority: RFC 8555 with RFC 9773, profiles and Let's Encrypt's limits, under a clock of the
test's own. `authority` is what it does, `line` lets code talk to it directly, `server` over HTTPS with real signatures."""
