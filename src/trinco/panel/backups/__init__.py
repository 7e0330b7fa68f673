"""Backup and restore: one archive of the tables, and a bundle of the keys apart from it (RELIABILITY, promises)."""
