"""Tokenizers: the two that disagree, CLIP's own against open_clip, and refusals."""

from __future__ import annotations

import socket

import pytest

from deploy.errors import DeployError
from training.data.prompted_shapes import shapes_vocabulary
from training.text import TOKENIZERS, open_tokenizer

VOCABULARY = shapes_vocabulary()
PHRASES = [*VOCABULARY.phrases, VOCABULARY.neutral]


@pytest.mark.parametrize("name", list(TOKENIZERS))
def test_every_phrase_has_ids_of_its_own(name: str) -> None:
    tokenizer = open_tokenizer(name, PHRASES)
    ids = tokenizer.encode(PHRASES)
    assert ids.shape == (len(PHRASES), tokenizer.length)
    assert ids.dtype == "int64"
    assert ids.min() >= 0
    assert ids.max() < tokenizer.size
    assert len({tuple(row) for row in ids.tolist()}) == len(PHRASES)
    assert (ids != tokenizer.pad_id).any(axis=1).all()
    assert tokenizer.sha256 == open_tokenizer(name, list(reversed(PHRASES))).sha256
    assert tokenizer.id == name


def test_the_two_of_words_disagree_in_everything() -> None:
    one, two = open_tokenizer("words", PHRASES), open_tokenizer("words_reversed", PHRASES)
    assert (one.length, two.length) == (6, 10)
    assert one.pad_id != two.pad_id
    assert one.sha256 != two.sha256
    for phrase in PHRASES:
        first, second = one.encode([phrase])[0].tolist(), two.encode([phrase])[0].tolist()
        words = len(phrase.split())
        assert first[:words] != second[:words]
        assert first[words:] == [one.pad_id] * (6 - words)
        assert second[words:] == [two.pad_id] * (10 - words)


def test_another_vocabulary_is_another_hash() -> None:
    assert open_tokenizer("words", PHRASES).sha256 != open_tokenizer("words", PHRASES[:5]).sha256


def test_an_unknown_word_is_unknown_and_a_long_phrase_refused() -> None:
    tokenizer = open_tokenizer("words", PHRASES)
    assert tokenizer.encode(["violet disc"])[0].tolist() == [
        1,
        *tokenizer.encode(["disc"])[0, :1],
        0,
        0,
        0,
        0,
    ]
    for name in TOKENIZERS:
        with pytest.raises(DeployError, match="PHRASE-TOO-LONG"):
            open_tokenizer(name, PHRASES).encode(["red " * 90])
    with pytest.raises(DeployError, match="UNKNOWN-TOKENIZER"):
        open_tokenizer("word", PHRASES)


def test_open_clip_tokens_are_open_clips_and_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the tokenizer opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    tokenizer = open_tokenizer("open_clip", [])
    ids = tokenizer.encode(["a photo of a cat"])[0]
    assert ids[:7].tolist() == [49406, 320, 1125, 539, 320, 2368, 49407]  # as CLIP's own repository prints
    assert not ids[7:].any()
