"""How much memory a made-up model takes, by the plainest formula there is, so that a test can work it out by hand.

    weights + layers x KV heads x (key + value length) x bytes of one number x context x parallel

The second half is the KV cache; a model of embeddings keeps none. Nothing is added for compute buffers, and a sliding window
saves nothing: what a real engine takes besides is its own affair.
"""

from headgate.testing.answers import ServedModel

KV_BYTES = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
"""Bytes of one number in the KV cache, by Ollama's `OLLAMA_KV_CACHE_TYPE`."""


def cache_size(model: ServedModel, context: int, parallel: int = 1, kv_type: str = "f16") -> int:
    """Bytes of the KV cache for `parallel` requests of `context` tokens."""
    if model.kind == "embedding":
        return 0
    numbers = sum(model.kv_heads_by_layer) * (model.key_numbers + model.value_numbers)
    return int(numbers * KV_BYTES[kv_type] * context * parallel)


def memory_size(model: ServedModel, context: int, parallel: int = 1, kv_type: str = "f16") -> int:
    """Bytes that the model takes when it is loaded."""
    return model.size + cache_size(model, context, parallel, kv_type)


def on_gpu(model: ServedModel, whole: int, free: int | None, layers: int | None = None) -> int:
    """Bytes of `whole` that a GPU with `free` bytes takes: all of it, or as many whole layers as fit.

    Free memory of None is without end. `layers`, Ollama's `num_gpu`, is the most that may go there; None: no limit.
    """
    parts = model.layers + 1  # the output counts as one more
    one = -(-whole // parts)
    fit = parts if free is None or whole <= free else max(free, 0) // one
    wanted = parts if layers is None or layers < 0 else min(layers, parts)
    return min(whole, min(fit, wanted) * one)
