"""Energy at home: sensors (`rapl`, `cards`, `typed`), which of them this machine has (`sensors`), and who ran meanwhile (`sampler`).

How what they read is shared out is the rule of `core.power`.
"""
