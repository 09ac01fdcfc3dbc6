"""The README's picture shows what the wizard shows."""

import picture


def test_the_picture_says_what_a_run_says(cluster) -> None:
    now = picture.words_of(picture.svg(picture.recorded(cluster)))
    then = picture.words_of(picture.FILE.read_text(encoding="utf-8"))
    assert (then - now, now - then) == (set(), set()), "scripts/picture records it anew"
