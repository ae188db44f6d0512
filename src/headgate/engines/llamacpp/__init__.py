"""llama.cpp: embedded in a child process of ours, or a `llama-server` that the user runs. See docs/embedded.md."""
