"""Messages to people, by way of apprise or into a file.

A target is a word of the user's: "file:reports/" is a folder, "env:NAME" a target that stands in the environment because
it holds a secret, everything else an address of apprise (mailto://, slack://, json:// and some hundred more).
"""
