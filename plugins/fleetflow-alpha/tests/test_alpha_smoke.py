from pathlib import Path


def test_whole_lines_are_emitted_and_the_rest_waits(folder: Path, read, content) -> None:
    (folder / "A.csv").write_bytes(b"one\ntwo\nthr")
    reader = read()
    assert content(reader.drain()) == {"A.csv": b"one\ntwo\n"}
    with (folder / "A.csv").open("ab") as file:
        file.write(b"ee\n")
    (payload,) = reader.drain()
    assert (payload.data, payload.start, payload.end) == (b"three\n", 8, 14)
