from pathlib import Path

import pytest

from mt.errors import ConfigError
from service.texts.memory import TranslationMemory


@pytest.fixture
def load(tmp_path):
    """Loads a memory from files given as name and content, in that order."""

    def load(**contents: str | bytes) -> TranslationMemory:
        paths = []
        for name, content in contents.items():
            path = tmp_path / name.replace("__", ".").replace("_", "-")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(path)
        return TranslationMemory.load(paths)

    return load


def tmx(*units: str, doctype: str = "") -> str:
    body = "".join(f"<tu>{unit}</tu>\n" for unit in units)
    return (
        f'<?xml version="1.0"?>\n{doctype}<tmx version="1.4"><header/><body>\n{body}</body></tmx>'
    )


def variant(code: str, segment: str) -> str:
    return f'<tuv xml:lang="{code}"><seg>{segment}</seg></tuv>'


# Segments


def test_a_segment_is_found_in_its_pair_only(load):
    memory = load(terms__de_en__tsv="Hund\tdog\n")
    assert memory.find("de", "en", "Hund") == "dog"
    assert memory.find("DE", "EN", "Hund") == "dog"
    assert memory.find("en", "de", "Hund") is None
    assert memory.find("de", "fr", "Hund") is None
    assert memory.find("de", "en", "Hunde") is None
    assert memory.pairs == (("de", "en"),)


def test_no_files_make_an_empty_memory(load):
    memory = load()
    assert (len(memory), memory.pairs, memory.overridden) == (0, (), 0)
    assert memory.find("de", "en", "Hund") is None


def test_white_space_and_composition_do_not_count_but_case_does(load):
    memory = load(terms__de_en__tsv="Ein  guter\xa0Bär \tA good\xa0bear\n")
    assert memory.find("de", "en", " Ein guter\u3000Ba\u0308r") == "A good\xa0bear"
    assert memory.find("de", "en", "ein guter Bär") is None


def test_the_later_of_two_targets_counts_and_the_earlier_is_counted(load):
    memory = load(
        a__de_en__tsv="Hund\tdog\nHund\thound\nHund\thound\nKatze\tcat\n",
        b__de_en__tsv="Hund \tDog\n",
    )
    assert memory.find("de", "en", "Hund") == "Dog"
    assert (len(memory), memory.overridden) == (2, 2)


# Regions


def test_an_entry_of_a_region_serves_its_language(load):
    memory = load(terms__de_DE_en_GB__tsv="Farbe\tcolour\n")
    for source in ("de", "de-DE", "de-AT"):
        for target in ("en", "en-GB", "EN-US"):
            assert memory.find(source, target, "Farbe") == "colour"
    assert len(memory) == 1
    assert set(memory.pairs) == {
        *(("de", "en"), ("de", "en-gb")),
        *(("de-de", "en"), ("de-de", "en-gb")),
    }


def test_the_region_asked_for_comes_first(load):
    memory = load(
        a__de_en_GB__tsv="Farbe\tcolour\n",
        b__de_en_US__tsv="Farbe\tcolor\n",
        c__de_en__tsv="Hund\tdog\n",
    )
    assert memory.find("de", "en-GB", "Farbe") == "colour"
    assert memory.find("de-DE", "en-US", "Farbe") == "color"
    assert memory.find("de", "en-GB", "Hund") == "dog"
    assert memory.overridden == 0


@pytest.mark.parametrize("first", ["base", "region"])
def test_an_entry_without_region_comes_before_one_of_a_region(load, first):
    files = {"a__de_en__tsv": "Farbe\tcolor\n", "b__de_en_GB__tsv": "Farbe\tcolour\n"}
    memory = load(**(files if first == "base" else dict(reversed(files.items()))))
    assert memory.find("de", "en", "Farbe") == "color"
    assert memory.find("de", "en-GB", "Farbe") == "colour"


def test_the_region_of_the_target_weighs_more_than_that_of_the_source(load):
    memory = load(a__de_en_GB__tsv="Farbe\tcolour\n", b__de_AT_en__tsv="Farbe\tcolor\n")
    assert memory.find("de-AT", "en-GB", "Farbe") == "colour"


# TSV


def test_a_byte_order_mark_and_carriage_returns_do_not_count(load):
    memory = load(terms__de_en__tsv="\ufeffHund\tdog\r\nKatze\tcat\r\n")
    assert memory.find("de", "en", "Hund") == "dog"
    assert memory.find("de", "en", "Katze") == "cat"


@pytest.mark.parametrize("line", ["Hund", "", "Hund\t", "\tdog", " \tdog", "Hund\tdog\tx"])
def test_a_line_that_has_not_two_columns_is_refused_with_its_number(load, line):
    with pytest.raises(ConfigError, match=r"terms\.de-en\.tsv, line 2: found "):
        load(terms__de_en__tsv=f"Katze\tcat\n{line}\nMaus\tmouse\n")


def test_a_line_that_is_not_utf_8_is_refused_with_its_number(load):
    with pytest.raises(ConfigError, match=r"terms\.de-en\.tsv, line 2: not UTF-8"):
        load(terms__de_en__tsv=b"Hund\tdog\nB\xe4r\tbear\n")


@pytest.mark.parametrize("name", ["terms__tsv", "terms__de__tsv", "terms__DE_en__tsv"])
def test_a_name_without_languages_is_refused(load, name):
    with pytest.raises(ConfigError, match=r"name the languages in front of \.tsv"):
        load(**{name: "Hund\tdog\n"})


@pytest.mark.parametrize(("name", "why"), [("a.txt", ".tsv or .tmx"), ("a.tmx", "No such file")])
def test_a_file_that_is_absent_or_of_another_kind_is_refused(tmp_path, name, why):
    with pytest.raises(ConfigError, match=f"{name}: .*{why}"):
        TranslationMemory.load([Path(tmp_path / name)])


# TMX


def test_every_two_languages_of_a_unit_make_an_entry_each_way(load):
    unit = variant("de-DE", "Hund") + variant("en_GB", "dog") + variant("fr", "chien")
    memory = load(a__tmx=tmx(unit))
    assert len(memory) == 6
    words = {"de": "Hund", "en": "dog", "fr": "chien"}
    for source, word in words.items():
        for target, translation in words.items():
            expected = translation if source != target else None
            assert memory.find(source, target, word) == expected


def test_two_variants_of_one_language_are_no_pair(load):
    unit = variant("de", "Hund") + variant("de", "Köter") + variant("en", "dog")
    memory = load(a__tmx=tmx(unit))
    assert memory.pairs == (("de", "en"), ("en", "de"))
    assert memory.find("de", "en", "Hund") == memory.find("de", "en", "Köter") == "dog"
    assert memory.find("en", "de", "dog") == "Köter"


def test_inline_elements_are_flattened_and_formatting_codes_left_out(load):
    source = '<bpt i="1">&lt;b></bpt>Ein <hi>großer</hi><ept i="1">&lt;/b></ept> <!-- x -->Hund'
    target = 'A <it>&lt;i></it>big<ph x="1">{<sub>x</sub>}</ph> dog<?x y?> &amp;\n   cat'
    memory = load(a__tmx=tmx(variant("de", source) + variant("en", target)))
    assert memory.find("de", "en", "Ein großer Hund") == "A big dog & cat"


def test_older_and_namespaced_files_are_read(load):
    unit = variant("DE", "Hund") + variant("EN", "dog").replace("xml:lang", "lang")
    text = tmx(unit).replace("<tmx", '<tmx xmlns="http://www.lisa.org/tmx14"')
    assert load(a__tmx=text).find("de", "en", "Hund") == "dog"


def test_a_variant_not_yet_translated_makes_no_entry(load):
    memory = load(a__tmx=tmx(variant("de", "Hund") + variant("en", " \n")))
    assert len(memory) == 0


def test_the_later_unit_counts(load):
    units = [variant("de", "Hund") + variant("en", target) for target in ("dog", "hound")]
    memory = load(a__tmx=tmx(*units))
    assert memory.find("de", "en", "Hund") == "hound"
    assert memory.overridden == 1


@pytest.mark.parametrize(
    "unit", ["<tuv><seg>Hund</seg></tuv>", '<tuv xml:lang=""><seg/></tuv>', '<tuv xml:lang="de"/>']
)
def test_a_variant_without_language_or_segment_is_refused_with_its_line(load, unit):
    with pytest.raises(ConfigError, match=r"a\.tmx, line 4: found a <tuv> without"):
        load(a__tmx=tmx(variant("de", "x") + variant("en", "y"), unit))


@pytest.mark.parametrize("content", ["", "Hund", "<tmx><body><tu>", "<tmx>\n<a></tmx>"])
def test_what_is_no_xml_is_refused(load, content):
    with pytest.raises(ConfigError, match=r"a\.tmx: no valid XML: "):
        load(a__tmx=content)


def test_xml_that_is_no_tmx_is_refused(load):
    with pytest.raises(ConfigError, match=r"a\.tmx: no TMX: its root is <html>"):
        load(a__tmx="<html><tu/></html>")


def test_the_usual_doctype_is_accepted_and_not_fetched(load):
    # Were it looked for, it would be missing.
    doctype = '<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n'
    memory = load(a__tmx=tmx(variant("de", "Hund") + variant("en", "dog"), doctype=doctype))
    assert memory.find("de", "en", "Hund") == "dog"


def test_an_external_entity_is_refused_and_its_file_not_read(load, tmp_path):
    (tmp_path / "secret").write_text("secret")
    doctype = f'<!DOCTYPE tmx [<!ENTITY x SYSTEM "{(tmp_path / "secret").as_uri()}">]>\n'
    unit = variant("de", "Hund &x;") + variant("en", "dog")
    with pytest.raises(ConfigError, match=r"a\.tmx, line \d+: found &x;, and entities are not"):
        load(a__tmx=tmx(unit, doctype=doctype))


def test_an_entity_is_refused_inside_of_other_elements_too(load):
    unit = variant("de", "Hund") + variant("en", "<hi>&x;</hi> dog")
    with pytest.raises(ConfigError, match="found &x;, and entities are not allowed"):
        load(a__tmx=tmx(unit, doctype='<!DOCTYPE tmx [<!ENTITY x "y">]>\n'))


@pytest.mark.parametrize("unit", [variant("de", "&e9;"), variant("&e9;", "Hund")])
def test_entities_that_grow_without_bound_are_refused(load, unit):
    entities = '<!ENTITY e0 "lol">' + "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10)
    )
    with pytest.raises(ConfigError, match=r"a\.tmx"):
        load(a__tmx=tmx(unit, doctype=f"<!DOCTYPE tmx [{entities}]>\n"))


def test_what_has_been_read_of_a_file_is_let_go(load, monkeypatch):
    """A file may be of any length: its units are never in memory all at once."""
    import service.texts.memory as memory

    most = 0
    entries = memory._unit_entries

    def watched(unit, path):
        nonlocal most
        most = max(most, len(unit.getparent()))
        return entries(unit, path)

    monkeypatch.setattr(memory, "_unit_entries", watched)
    units = [variant("de", f"Hund {n}") + variant("en", f"dog {n}") for n in range(1000)]
    assert len(load(a__tmx=tmx(*units))) == 2000
    assert most < 1000
