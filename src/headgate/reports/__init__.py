"""Reports as values, and their faces.

`facts` is what the ledger counts, `weekly` makes a report of it, and `text`, `markdown` and `plain` show it; `story`
tells one request. `savings` holds the one function that says what was saved. All of it is pure: values in, text out.
"""
