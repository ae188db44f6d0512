"""`headgate demo`: a made-up agency week through a real gate, real small models, and a stand-in for Claude.

    week        the prompts of the week, put together from hand-written parts
    stand_in    what the stand-in for Claude answers
    folder      where the demo's config and ledger lie
    caller      sends the week over HTTP and notes what came back
    stage       opens the stand-in and the gate, and closes them
    findings    what the week shows beside the report

Only the prompts and the stand-in's answers are made up. Routing, checks, prices, ledger and report are the ones that
serve real requests.
"""
