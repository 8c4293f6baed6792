"""The client: logs in, opens mailboxes, and follows referrals no further than policy allows."""
