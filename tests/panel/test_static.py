"""Static files, collected when they changed."""

from __future__ import annotations

import json

import pytest
from django.contrib.staticfiles import finders

from trinco.panel import static


@pytest.fixture
def source(tmp_path, settings):
    """One directory of static files, and where they are collected."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "style.css").write_text("body { color: red }\n" * 50)
    settings.STATICFILES_DIRS = [folder]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    finders.get_finder.cache_clear()
    yield folder
    finders.get_finder.cache_clear()


def names(settings):
    return json.loads((settings.STATIC_ROOT / "staticfiles.json").read_text())["paths"]


class TestCollect:
    """A browser keeps a hashed file for ever: the name changes with the content."""

    def test_collected_hashed_and_compressed_once(self, source, settings):
        assert static.collect() is True
        hashed = names(settings)["style.css"]
        assert hashed.startswith("style.")
        assert (settings.STATIC_ROOT / f"{hashed}.gz").exists()
        assert static.collect() is False

    def test_again_after_a_change(self, source, settings):
        static.collect()
        before = names(settings)["style.css"]
        (source / "style.css").write_text("body { color: blue }")
        assert static.collect() is True
        assert names(settings)["style.css"] != before

    def test_names_before_and_after(self, source, settings):
        assert static.StaticStorage().url("style.css") == "/static/style.css"
        static.collect()
        assert static.StaticStorage().url("style.css") == f"/static/{names(settings)['style.css']}"
