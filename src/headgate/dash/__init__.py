"""The web page of a gate: its assets, and the JSON behind them. Everything it shows comes from the ledger and the fleet.

`service` answers the page's paths, `assets` keeps its files, and one module for each view reads what that view shows
(`overview`, `requests`, `live`, `weeks`). The files under `assets` are plain and need no build step; README.md there says by
which conventions they are written.
"""
