"""Knowledge bases: documents → chunks → vectors and words → search → passages. One SQLite file each."""
