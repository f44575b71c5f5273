"""What the server renders, without a browser."""
