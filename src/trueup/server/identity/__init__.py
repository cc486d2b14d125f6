"""Who is calling: local users, tokens, browsers' sessions, single sign-on, service accounts. What they may do is `access`'."""
