"""The open gate: HTTP in, the path of a request, HTTP out."""
