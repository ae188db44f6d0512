"""The web page of a gate: its assets, and the JSON behind them. Everything it shows comes from the ledger and the fleet."""
