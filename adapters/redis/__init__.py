"""What replicas share in Redis. Everything here may be lost at any time: the database has the truth."""
