"""Public routing benchmarks: how much a router saves, and at what quality, where every model's outcome on every prompt is known.

    sets        a folder of prompts and outcomes → Benchmark
    grouping    what prompts begin with alike, which are nearly the same, and folds that keep those together
    metrics     PGR, APGR, CPT, AIQ, savings, and draws for their intervals
    wording     prompts → sparse and dense features, fitted on the prompts of the fit part
    learner     features → what each model will score
    novelty     whether a prompt is of a kind that the fit part has seen
    answers     what a weak model's answer tells about itself (the cascade track)
    tracks      the routers of both tracks, and what they come to
    published   figures of papers, read from the folder
    report      the page that `--write` makes

Whatever is learned here is learned from the folder at run time and forgotten afterwards: nothing of a benchmark is in this package.
"""
