"""Public routing benchmarks: how much a router saves, and at what quality, where every model's outcome on every prompt is known.

    sets         a folder of prompts and outcomes → Benchmark
    grouping     what prompts begin with alike, which are nearly the same, and folds that keep those together
    wording      prompts → sparse and dense features, weighed on the prompts of the fit part
    prepared     a set with its strong and weak model, costs, features and groups
    stacking     what each of several ways of guessing is worth
    learner      features → what each model will score
    nearness     how near a prompt is to those that were seen, in figures
    novelty      whether a prompt is of a kind that the fit part has seen enough of
    gates_own    the gate's own features and learner on the same prompts
    elsewhere    what other sets have in common with a set, and what they tell of it without labels of its own
    peers        what models of other sets would score, where one of these sets holds the same benchmark
    answers      what an answer tells about itself
    cascading    prompt and first answers → what each model will score
    metrics      PGR, APGR, CPT, AIQ, savings, and draws for their intervals
    routing      expectations → choices at every price, measured
    tracks       the routers of both tracks on one set
    leaving_out  whole kinds of task left out
    published    figures of papers, read from the folder
    running      all sets of a folder, cross-validated or scored on another
    report       the page that `--write` makes

Whatever is learned here is learned from the folder at run time and forgotten afterwards: nothing of a benchmark is in this package.
"""
