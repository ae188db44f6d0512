"""What is known of models before they are downloaded, and the sets of them that serve an office.

The data stand in `config/catalogue.toml`. It does not know what is on this machine; once a model is, its own metadata count.
"""

import re
from collections.abc import Mapping
from typing import Literal, get_args

from msgspec import Struct

from headgate.core.memory import Shape

Role = Literal["general", "code", "classification", "embeddings", "reasoning"]
"""What a model is taken for. "classification" is short labels and long texts alike: small, quick, with a long window."""
_VARIANT = re.compile(r"(?:-(?:instruct|chat|it|text|2501|v0\.3))*(?:[-@]([a-z0-9_]+))?")
"""What may follow a model's name: how it was tuned, which these models all are, and a quantization."""

ROLES: tuple[Role, ...] = get_args(Role)


class Dimensions(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A `Shape` as the catalogue writes it."""

    architecture: str
    layers: int
    kv_heads: int
    head: int
    embedding: int
    feed_forward: int
    vocabulary: int
    window: int | None = None
    windowed: int = 0
    embeds: bool = False


class KnownModel(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model that can be planned with. None and "" are unknown."""

    name: str = ""
    """Ollama's name for it where `ollama` is empty."""
    ollama: str = ""
    aliases: tuple[str, ...] = ()
    """Other names that lead to the same file."""
    lmstudio: str = ""
    gguf: str = ""
    """A repository on Hugging Face with its GGUF files."""
    roles: tuple[Role, ...]
    parameters: int
    quantization: str
    """What engines fetch unless told otherwise."""
    size: int
    """Bytes of the file in that quantization, estimated."""
    shape: Dimensions
    context: int
    """Tokens that it was trained for."""
    tools: bool | None = None
    dimensions: int | None = None
    """Numbers in one vector, of an embedding model."""
    licence: str

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of its file by quantization, estimated: the usual one, and those that follow from its parameters."""
        computed = {"Q8_0": self.parameters * 17 // 16, "F16": self.parameters * 2}
        return {self.quantization: self.size} | {
            name: size for name, size in computed.items() if name != self.quantization
        }

    @property
    def names(self) -> tuple[str, ...]:
        """All that people and engines call it."""
        return tuple(dict.fromkeys(name for name in (self.name, self.ollama, self.lmstudio) if name))

    def shape_in(self, quantization: str = "") -> Shape:
        """Its shape in a quantization that `sizes` has; "" is the usual one."""
        facts = self.shape
        return Shape(
            architecture=facts.architecture,
            weights=self.sizes[quantization or self.quantization],
            layers=facts.layers,
            kv_heads=(facts.kv_heads,),
            key_length=facts.head,
            value_length=facts.head,
            context=self.context,
            window=facts.window,
            windowed=facts.windowed,
            embedding=facts.embedding,
            vocabulary=facts.vocabulary,
            feed_forward=facts.feed_forward,
            embeds=facts.embeds,
        )


class KnownSet(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model for each role, by the catalogue's names."""

    general: str
    code: str
    classification: str
    embeddings: str
    cpu: bool = False
    """It answers soon enough without a GPU."""


class Catalogue(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The models that are known, by name, and the sets, the ablest first."""

    models: Mapping[str, KnownModel]
    sets: tuple[KnownSet, ...]

    def find(self, name: str) -> tuple[KnownModel, str] | None:
        """The model that somebody or some engine calls so, and the quantization that the name says; None is unknown.

        Ollama's tags may go on with a variant ("llama3.1:8b-instruct-q8_0") and LM Studio's keys with a quantization
        ("qwen2.5-7b-instruct@q8_0"). A quantization whose size is not known makes the model unknown.
        """
        asked = name.lower().removesuffix(":latest").replace("fp16", "f16")
        for model in self.models.values():
            if asked in model.aliases:
                return model, model.quantization
            for known in model.names:
                if asked.startswith(known.lower()) and (rest := _VARIANT.fullmatch(asked, len(known))):
                    sizes = {one.lower(): one for one in (model.quantization, *model.sizes)}
                    said = sizes.get(rest[1]) if rest[1] else model.quantization
                    if said:
                        return model, said
        return None
