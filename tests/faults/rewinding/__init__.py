"""The ways in which a database, or etcd, goes back in time, and what is looked at afterwards."""
