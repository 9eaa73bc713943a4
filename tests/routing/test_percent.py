import pytest

from transcoder.routing.percent import decode, decode_all_but_slash


@pytest.mark.parametrize(
    ("text", "decoded", "with_slash_kept"),
    [
        ("", "", ""),
        ("plain~-._", "plain~-._", "plain~-._"),
        ("a+b", "a+b", "a+b"),
        ("%7e%7E", "~~", "~~"),
        ("a%2Fb%2fc", "a/b/c", "a%2Fb%2fc"),
        ("%252F", "%2F", "%2F"),
        ("%25%32%46", "%2F", "%2F"),
        ("caf%C3%A9", "café", "café"),
        ("café", "café", "café"),
        ("%00", "\0", "\0"),
    ],
)
def test_decoding(text: str, decoded: str, with_slash_kept: str) -> None:
    assert decode(text) == decoded
    assert decode_all_but_slash(text) == with_slash_kept


@pytest.mark.parametrize("text", ["%", "%2", "a%zz", "%-1", "%%", "%２０", "% 1"])
def test_malformed_escape(text: str) -> None:
    with pytest.raises(ValueError, match="malformed percent-escape"):
        decode(text)


@pytest.mark.parametrize("text", ["%ff", "%C3", "%ED%A0%80", "%C0%AF", "\udcff", "%41\udcff"])
def test_not_utf8(text: str) -> None:
    with pytest.raises(ValueError, match="not UTF-8"):
        decode(text)
