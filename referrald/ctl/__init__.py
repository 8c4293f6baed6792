"""referralctl, a module for each verb."""
