"""The pure heart of Headgate: values, and functions from values to values.

Nothing here knows an event loop, a socket, a database, a clock, chance or the environment; times, ids and prices arrive
as arguments. That is what makes every decision explainable, testable and replayable. Read `policy.decide` and
`cascade.next_step` first: they are the product.
"""
