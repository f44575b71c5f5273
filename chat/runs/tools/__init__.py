"""The tools of runs: servers and their rows, what a conversation may use, questions, files."""
