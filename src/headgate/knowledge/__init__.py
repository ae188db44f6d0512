"""Knowledge bases: folders of documents, kept so that a question finds the passages that answer it.

    sync(base, folders)  files → chunks → words and vectors, only what changed
    search(base, question) → passages, best first, with the file and line or page that they stand in

Each base is one SQLite file. It imports no engine: whoever calls brings an `Embedder`, and without one a base is searched by
its words. How answers are made of passages is not known here (`workers`).
"""
