"""OpenAI's Batch API at the gate: files of requests, batches of them, files of answers.

FrontService (HTTP) ── Files ── what was uploaded, and what came of it
                    └─ Book  ── Course: a batch from its input to its output, line by line through the gate's own doors
"""
