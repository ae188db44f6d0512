"""llama.cpp in a child process of ours, so that a machine with nothing installed can run models. See docs/embedded.md."""
