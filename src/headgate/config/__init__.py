"""TOML in, checked and compiled values out. Errors name the file, the line, the word and the word that was meant."""
