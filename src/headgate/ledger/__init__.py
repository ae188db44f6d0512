"""The ledger: what was asked, decided, tried and paid, one narrow row a request, on SQLite.

`schema` says what is stored, `writer` stores it from a thread of its own, `queries` reads it back and `facts` counts it
for the report. `encode` and `decode` are the two directions between an `Outcome` and its rows. The ledger is written
once and never changed: names, models and prices are frozen into each row as they were when it was written.
"""
