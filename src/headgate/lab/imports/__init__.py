"""Exports of past calls, as other programs write them: a module a format, all of them pure but `rows`, which opens files.

rows      a file → its records, one at a time, with their lines
FORMAT    a record → a `PastCall`, or a sentence that says why it is none
formats   which formats there are, and which one a record looks like
"""
