"""Log in at the home server for a client that does not follow referrals, then pass bytes on."""
