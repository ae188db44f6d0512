"""Which models lie on this machine, by which names they go, and what is said of a name that means none."""

import hashlib
import json

import pytest

from gguf_files import put_together, words
from headgate.core.errors import EngineError
from headgate.engines.llamacpp.catalogue import examine, remove, resolve, survey
from headgate.engines.llamacpp.library import library, own_folder
from headgate.engines.llamacpp.names import choose, parts_of, quantization_in, repository_in

GGUF = put_together([words("general.architecture", "llama")], [])


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine with nothing on it."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("HEADGATE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("OLLAMA_MODELS", raising=False)
    return tmp_path


def put(path, content=GGUF):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def put_ollama(store, name, content=GGUF, media="application/vnd.ollama.image.model"):
    """A model as Ollama keeps it."""
    digest = hashlib.sha256(content).hexdigest()
    layers = [{"mediaType": "application/vnd.ollama.image.params", "digest": "sha256:" + "0" * 64, "size": 2}]
    layers.append({"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)})
    put(store / "manifests" / name, json.dumps({"schemaVersion": 2, "layers": layers}).encode())
    return put(store / "blobs" / f"sha256-{digest}", content)


def names():
    return [found.name for found in library()]


def test_a_machine_with_nothing_has_an_empty_library_and_the_shipped_models(home):
    assert names() == []
    assert [listed.id for listed in survey()] == [
        "headgate-nano",
        "headgate-micro",
        "headgate-clerk",
        "headgate-embed",
    ]


def test_a_file_in_our_own_folder_goes_by_its_name(home):
    file = put(own_folder() / "mine.gguf")
    put(own_folder() / "mine.gguf.part")
    assert resolve("mine") == resolve("mine.gguf") == file
    assert names() == ["mine"]


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        ("registry.ollama.ai/library/llama3.1/8b", "ollama:llama3.1:8b"),
        ("registry.ollama.ai/library/nomic-embed-text/latest", "ollama:nomic-embed-text"),
        ("registry.ollama.ai/somebody/model/q4", "ollama:somebody/model:q4"),
        ("hf.co/owner/repo-GGUF/Q4_K_M", "ollama:hf.co/owner/repo-GGUF:Q4_K_M"),
    ],
)
def test_ollamas_models_are_found_in_its_store(home, manifest, name):
    blob = put_ollama(home / ".ollama" / "models", manifest)
    assert resolve(name) == blob
    assert names() == [name if name.count(":") == 2 else f"{name}:latest"]


def test_ollamas_store_may_be_elsewhere(home, monkeypatch):
    monkeypatch.setenv("OLLAMA_MODELS", str(home / "big disk"))
    blob = put_ollama(home / "big disk", "registry.ollama.ai/library/phi3/mini")
    assert resolve("ollama:phi3:mini") == blob


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b'{"layers": 7}', b"\xff"])
def test_a_broken_manifest_is_passed_over(home, broken):
    store = home / ".ollama" / "models"
    put_ollama(store, "registry.ollama.ai/library/good/latest")
    put(store / "manifests/registry.ollama.ai/library/bad/latest", broken)
    assert names() == ["ollama:good:latest"]
    assert isinstance(resolve("ollama:bad"), EngineError)


def test_a_manifest_cannot_lead_out_of_the_store(home):
    layers = [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../../secret"}]
    put(
        home / ".ollama/models/manifests/registry.ollama.ai/library/evil/latest",
        json.dumps({"layers": layers}).encode(),
    )
    assert names() == []
    assert isinstance(resolve("ollama:../../evil"), EngineError)


@pytest.mark.parametrize("folder", [".lmstudio/models", ".cache/lm-studio/models"])
def test_lm_studios_models_are_found_in_its_folders(home, folder):
    file = put(home / folder / "publisher/Phi-3-GGUF/phi-3-Q4_K_M.gguf")
    put(home / folder / "publisher/Phi-3-GGUF/mmproj-phi-3.gguf")
    assert names() == ["lmstudio:publisher/Phi-3-GGUF/phi-3-Q4_K_M"]
    assert resolve("lmstudio:publisher/Phi-3-GGUF/phi-3-Q4_K_M") == file
    assert resolve("lmstudio:publisher/Phi-3-GGUF/phi-3-Q4_K_M.gguf") == file
    assert resolve("lmstudio:publisher/Phi-3-GGUF") == file


def test_a_split_model_is_one_model_and_needs_all_its_parts(home):
    folder = home / ".lmstudio/models/publisher/big"
    first = put(folder / "big-Q4_K_M-00001-of-00002.gguf")
    name = "lmstudio:publisher/big/big-Q4_K_M"
    error = examine(name)
    assert "big-Q4_K_M-00002-of-00002.gguf is missing" in str(error)
    put(folder / "big-Q4_K_M-00002-of-00002.gguf", GGUF * 2)
    assert names() == [name]
    file = examine(name)
    assert (file.path, file.size) == (first, 3 * len(GGUF))


def test_what_was_pulled_is_found_by_its_quantization(home):
    four = put(own_folder() / "owner/repo/model-Q4_K_M.gguf")
    eight = put(own_folder() / "owner/repo/model-Q8_0.gguf")
    assert resolve("hf.co/owner/repo") == resolve("hf.co/owner/repo:q4_k_m") == four
    assert resolve("hf.co/owner/repo:Q8_0") == resolve("owner/repo/model-Q8_0") == eight


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("llama3.1:8b", "did you mean ollama:llama3.1:8b?"),
        ("ollama:lama3.1:8b", "did you mean ollama:llama3.1:8b?"),
        ("headgate-nanoo", "did you mean headgate-nano?"),
        ("hf.co/owner/other:Q4_K_M", "headgate models pull hf.co/owner/other:Q4_K_M"),
        ("hf.co/owner", "write hf.co/OWNER/REPO or hf.co/OWNER/REPO:Q4_K_M"),
        ("somewhere/else.gguf", "check the path, or download a GGUF file to it"),
        ("lmstudio:qqqqqq", "looked in"),
        ("qqqqqq", "name one of headgate-nano"),
    ],
)
def test_a_name_that_means_nothing_says_what_was_meant(home, name, hint):
    put_ollama(home / ".ollama" / "models", "registry.ollama.ai/library/llama3.1/8b")
    error = resolve(name)
    assert isinstance(error, EngineError)
    assert hint in error.hint


def test_the_survey_tells_facts_and_leaves_out_what_cannot_be_read(home):
    put(own_folder() / "good.gguf")
    put(own_folder() / "bad.gguf", b"no model")
    *_, last = survey()
    assert (last.id, last.size, last.kind) == ("good", len(GGUF), "chat")


def test_another_content_has_another_digest_wherever_it_differs(home):
    content = bytearray(GGUF + bytes(5_000_000))
    file = put(own_folder() / "mine.gguf", content)
    seen = [examine("mine").digest]
    for at in (len(GGUF) + 7, len(content) // 2 + 10, len(content) - 1):
        content[at] = 1
        file.write_bytes(content)
        seen.append(examine("mine").digest)
    assert len(set(seen)) == 4
    assert put(own_folder() / "copy.gguf", content)
    assert examine("copy").digest == seen[-1]


def test_only_what_lies_in_our_own_folder_is_removed(home):
    put(own_folder() / "owner/repo/big-00001-of-00002.gguf")
    put(own_folder() / "owner/repo/big-00002-of-00002.gguf")
    kept = put(own_folder() / "mine.gguf")
    assert remove("owner/repo/big") is None
    assert [path.name for path in own_folder().iterdir()] == ["mine.gguf"]
    assert kept.exists()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ollama:phi3:mini", "ollama rm phi3:mini"),
        ("lmstudio:publisher/repo/file", "in LM Studio"),
        ("headgate-nano", "it comes with Headgate"),
    ],
)
def test_what_lies_elsewhere_stays_and_the_error_says_where(home, name, hint):
    put_ollama(home / ".ollama" / "models", "registry.ollama.ai/library/phi3/mini")
    put(home / ".lmstudio/models/publisher/repo/file.gguf", GGUF + b"other")
    path = resolve(name)
    error = remove(name)
    assert str(path) in error.message
    assert hint in error.hint
    assert path.exists()


def test_a_link_in_our_folder_to_a_file_elsewhere_is_not_followed_to_delete(home):
    far = put(home / "elsewhere.gguf")
    own_folder().mkdir(parents=True)
    (own_folder() / "link.gguf").symlink_to(far)
    assert isinstance(remove("link"), EngineError)
    assert far.exists()


@pytest.mark.parametrize(
    ("file", "quantization"),
    [
        ("Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "Q4_K_M"),
        ("phi-3-mini-4k-instruct-q4.gguf", "Q4"),
        ("model.IQ3_XXS.gguf", "IQ3_XXS"),
        ("gemma-3-12b-it-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("Q8_0/big-Q8_0-00001-of-00003.gguf", "Q8_0"),
        ("nomic-embed-text-v1.5.f16.gguf", "F16"),
        ("qwen2.5-7b-instruct.gguf", ""),
    ],
)
def test_a_files_name_says_its_quantization(file, quantization):
    assert quantization_in(file) == quantization


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-Q4_K_S.gguf"], "m-Q4_K_M.gguf"),
        (["m-Q8_0.gguf", "m-Q4_K_S.gguf", "m-Q4_0.gguf"], "m-Q4_K_S.gguf"),
        (["m-Q3_K_M.gguf", "m-Q5_K_S.gguf", "m-Q5_K_M.gguf"], "m-Q5_K_M.gguf"),
        (["m-Q2_K.gguf", "m-F16.gguf"], "m-Q2_K.gguf"),
        (["m.gguf"], "m.gguf"),
    ],
)
def test_the_usual_quantization_is_taken_or_the_nearest(there, chosen):
    assert choose(there, "") == chosen


def test_a_named_quantization_is_taken_or_nothing():
    there = ["m-Q4_K_M.gguf", "m-Q8_0.gguf"]
    assert choose(there, "q8_0") == choose(there, "m-Q8_0.gguf") == "m-Q8_0.gguf"
    assert choose(there, "Q5_K_M") is None


@pytest.mark.parametrize(
    "name", ["hf.co/../etc", "hf.co/a", "hf.co/a/b/c", "hf.co/a/..", "hf.co/a/b\n", "ollama:x"]
)
def test_what_is_no_repository_is_not_taken_for_one(name):
    assert repository_in(name) is None


def test_the_parts_of_a_model_are_known_from_any_of_them():
    assert parts_of("m-00002-of-00003.gguf") == tuple(f"m-0000{number}-of-00003.gguf" for number in (1, 2, 3))
