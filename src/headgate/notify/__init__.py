"""Messages to people, by way of apprise or into a file."""
