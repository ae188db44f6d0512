"""Engines as programs of this machine: found, started with the settings that the config wants, stopped, and put back.

`machine` is the world outside behind one value; `sockets`, `process` and `systemd` read it. `found` looks for programs, `settings`
says what is wanted of them and `observed` what they have. `plans` and `stopping` describe a change, `apply` makes it, `journal` remembers it.
"""
