"""Homes in etcd and Consul: a key for each user."""
