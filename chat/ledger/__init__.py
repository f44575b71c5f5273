"""The tool ledger: every tool call, found and exported by the same filters, newest first."""
