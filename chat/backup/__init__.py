"""A whole installation in one file, and back: see docs/backup.md."""
