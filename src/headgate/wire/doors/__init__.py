"""Front doors: what clients send us and what we answer, one module per dialect."""
