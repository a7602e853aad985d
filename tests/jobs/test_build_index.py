"""Building and publishing: incremental, checked, safe to repeat, and one bad video costs no other."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
from index_fixtures import Library
from stored_frames import NOW, store_video
from thumbnail_encoder import write_thumbnail_encoder

from framesearch.errors import IndexIncompatible, NoIndex, NothingToIndex, PointerMoved
from framesearch.index import codebook
from framesearch.index.bundle import open_bundle
from framesearch.index.card import read_card
from framesearch.index.codebook import codebook_digest
from framesearch.index.pointer import current_index_id, move_pointer, stored_index_ids
from framesearch.jobs import build_index as build_index_module
from framesearch.jobs import check_index, clean_storage, publish_index
from framesearch.records import IndexBuild, PlaylistListing
from framesearch.store import layout, tables
from framesearch.store.storage import Range


def current(library: Library) -> str | None:
    return current_index_id(library.storage)[0]


# ---- build


def test_builds_what_is_embedded(library: Library) -> None:
    library.embed()
    build = library.build()
    assert (build.rows, build.videos, build.model_version, build.published_at) == (72, 3, "1", None)
    assert library.catalogue.index_builds() == [build]
    assert current(library) is None
    card = read_card(library.storage, build.index_id)
    assert (card.index_type, card.dimension, card.base) == ("SQ8", 768, None)


def test_there_is_nothing_to_index_before_embedding(library: Library) -> None:
    with pytest.raises(NothingToIndex, match="embed"):
        library.build()
    assert stored_index_ids(library.storage) == []


def test_nothing_new_makes_no_bundle(library: Library) -> None:
    build = library.publish()
    again = library.build()
    assert again.index_id == build.index_id
    assert again.published_at is not None
    assert stored_index_ids(library.storage) == [build.index_id]
    assert publish_index.publish(again.index_id, library.catalogue, library.storage) is False


def test_adds_only_what_is_new(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_index_module, "FITTED_ROWS", 1)
    monkeypatch.setattr(check_index, "CHECKED_SIMILARITY", 0.9)  # the quantiser of three videos, on a fourth
    first = library.publish()
    store_video(library.catalogue, library.storage, "v3", seed=3)
    library.embed()
    read: list[str] = []
    real = tables.read_embeddings
    monkeypatch.setattr(tables, "read_embeddings", lambda path: read.append(path.stem) or real(path))
    second = library.build()
    assert set(read) == {"v3"}
    assert read_card(library.storage, second.index_id).base == first.index_id
    before, after = (open_bundle(library.storage, build.index_id) for build in (first, second))
    assert (after.gallery.index.vectors(range(72)) == before.gallery.index.vectors(range(72))).all()
    assert after.card.rows == 96
    assert [video.video_id for video in after.videos] == ["v0", "v1", "v2", "v3"]


def test_incremental_and_whole_builds_agree(library: Library, tmp_path: Path) -> None:
    library.publish()
    store_video(library.catalogue, library.storage, "v3", seed=3)
    grown = open_bundle(library.storage, library.publish().index_id)
    library.storage.delete("index/")
    whole = open_bundle(library.storage, library.publish().index_id)
    queries = grown.gallery.index.vectors(range(96))
    for one, other in zip(grown.gallery.index.search(queries, 5), whole.gallery.index.search(queries, 5), strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_a_picture_that_stands_still_is_stored_once(library: Library) -> None:
    store_video(library.catalogue, library.storage, "slides", seed=7, still=True)
    bundle = open_bundle(library.storage, library.publish().index_id)
    rows = bundle.gallery.rows_of(3)
    assert bundle.videos[3].video_id == "slides"
    assert list(zip(bundle.gallery.timestamps_s[rows], bundle.gallery.until_s[rows], strict=True)) == [
        (0.0, 5.5),
        (6.0, 11.5),
    ]
    with library.storage.open(layout.embeddings("1", "slides")) as file:
        assert tables.read_embeddings(file).timestamps_s.tolist() == [0.0, 6.0]


def test_local_features_are_kept_from_model_to_model(library: Library) -> None:
    library.publish("1")
    file = library.storage.root / layout.features("v0", codebook_digest())
    before = file.stat().st_mtime_ns
    card = read_card(library.storage, library.publish("2").index_id)
    assert (card.model_version, file.stat().st_mtime_ns) == ("2", before)


def features_of_v1(library: Library) -> int:
    """How many local features the next build has of the video v1."""
    bundle = open_bundle(library.storage, library.build().index_id)
    assert bundle.videos[1].video_id == "v1"
    rows = bundle.gallery.rows_of(1)
    return int(np.diff(bundle.gallery.local.starts)[rows.start : rows.stop].sum())


def test_damaged_features_are_made_again(library: Library) -> None:
    library.embed()
    library.damage(layout.features("v1", codebook_digest()))
    assert features_of_v1(library) > 0
    assert library.embed() == []


def test_a_video_whose_features_and_frames_are_gone_is_found_by_its_embeddings_alone(library: Library) -> None:
    library.embed()
    library.damage(layout.features("v1", codebook_digest()))
    library.damage(layout.frames("v1"))
    assert features_of_v1(library) == 0


def test_features_stored_before_places_of_pictures_were_get_them(library: Library) -> None:
    library.embed()
    path = layout.features("v1", codebook_digest())
    with library.storage.open(path) as file, library.storage.scratch() as scratch:
        stored = tables.read_features(file)
        tables.write_features(scratch / "old", replace(stored, jpegs=np.zeros_like(stored.jpegs)))
        library.storage.delete(path)
        library.storage.create(path, scratch / "old")
    gallery = open_bundle(library.storage, library.build().index_id).gallery
    rows = gallery.rows_of(1)
    with library.storage.open(layout.frames("v1")) as file:
        frames = tables.read_frames_at(file, gallery.timestamps_s[rows].tolist())
    for row in rows:
        start, size, _ = gallery.jpegs[row].tolist()
        (jpeg,) = library.storage.read(layout.frames("v1"), [Range(start, size)])
        assert jpeg == frames[gallery.timestamps_s[row]].jpeg


def test_a_new_codebook_makes_features_and_index_anew(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    old = library.publish("1").index_id
    with np.load(codebook.FILE) as stored:
        parts = {name: np.roll(stored[name], 1, axis=-1) for name in stored.files}
    np.savez(library.storage.root / "other.npz", **parts)
    monkeypatch.setattr(codebook, "FILE", library.storage.root / "other.npz")
    for cached in (codebook._codebook, codebook.codebook_digest):
        cached.cache_clear()
    try:
        with pytest.raises(IndexIncompatible, match="another codebook: rebuild"):
            open_bundle(library.storage, old)
        assert library.embed() == ["v0", "v1", "v2"]
        renewed = open_bundle(library.storage, library.publish("1").index_id)
        assert renewed.card.codebook == codebook.codebook_digest() != layout.FIRST_CODEBOOK
        assert len(renewed.gallery.local.features) > 0
        for video_id in ("v0", "v1", "v2"):
            assert library.storage.exists(layout.features(video_id, codebook.codebook_digest()))
            assert library.storage.exists(layout.features(video_id, layout.FIRST_CODEBOOK))
        clean_storage.clean(library.storage, library.catalogue, library.settings)
        left = library.storage.list(layout.FEATURES)
        assert len(left) == 3 and all(layout.has_codebook(path, codebook.codebook_digest()) for path in left)
    finally:
        for cached in (codebook._codebook, codebook.codebook_digest):
            cached.cache_clear()


def test_a_vanished_video_stays_searchable(library: Library) -> None:
    library.publish()
    kept = [video for video in library.catalogue.videos() if video.video_id != "v1"]
    listing = PlaylistListing("https://films.example/list", "Films", kept)
    assert library.catalogue.record_listing(listing, NOW).vanished == ("v1",)
    store_video(library.catalogue, library.storage, "v3", seed=3)
    assert library.videos_of(library.publish().index_id) == ["v0", "v1", "v2", "v3"]


def test_a_new_title_makes_a_new_bundle(library: Library) -> None:
    library.publish()
    listed = [
        replace(video, title="Renamed") if video.video_id == "v1" else video for video in library.catalogue.videos()
    ]
    library.catalogue.record_listing(PlaylistListing("https://films.example/list", "Films", listed), NOW)
    build = library.publish()
    titles = [video.title for video in open_bundle(library.storage, build.index_id).videos]
    assert titles == ["Film v0", "Renamed", "Film v2"]
    assert library.build().index_id == build.index_id


def test_a_new_model_version_starts_over(library: Library, tmp_path: Path) -> None:
    library.publish("1")
    second = replace(library, encoder_file=write_thumbnail_encoder(tmp_path / "second.onnx", cells=8))
    build = second.publish("2")
    card = read_card(library.storage, build.index_id)
    assert (card.model_version, card.dimension, card.rows) == ("2", 192, 72)
    assert current(library) == build.index_id


def test_a_damaged_published_bundle_is_replaced_by_a_whole_one(library: Library) -> None:
    first = library.publish()
    library.damage(layout.bundle(first.index_id) + layout.BUNDLE_FAISS)
    second = library.publish()
    assert second.index_id != first.index_id
    assert current(library) == second.index_id
    assert library.videos_of(second.index_id) == ["v0", "v1", "v2"]


def test_a_damaged_pointer_is_set_anew(library: Library) -> None:
    library.publish()
    (library.storage.root / layout.INDEX_POINTER).write_text("garbage")
    assert library.publish().index_id == current(library)


def test_damaged_embeddings_cost_one_video_one_build(library: Library) -> None:
    library.embed()
    library.damage(layout.embeddings("1", "v1"))
    assert library.videos_of(library.publish().index_id) == ["v0", "v2"]
    assert library.embed() == ["v1"]
    assert library.videos_of(library.publish().index_id) == ["v0", "v2", "v1"]


def test_its_quantiser_is_fitted_anew_when_it_has_outgrown_it(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fitted_on(new_video: int) -> int:
        store_video(library.catalogue, library.storage, f"v{new_video}", seed=new_video, seconds=24)
        return read_card(library.storage, library.publish().index_id).trained_rows

    assert read_card(library.storage, library.publish().index_id).trained_rows == 72
    assert fitted_on(3) == 120  # too few rows to rely on
    monkeypatch.setattr(build_index_module, "FITTED_ROWS", 100)
    monkeypatch.setattr(check_index, "CHECKED_SIMILARITY", 0.9)
    assert [fitted_on(number) for number in range(4, 8)] == [120, 120, 264, 264]


def test_an_index_that_does_not_find_its_own_frames_is_not_kept(library: Library) -> None:
    library.embed()
    with library.storage.open(layout.embeddings("1", "v1")) as file:
        embeddings = tables.read_embeddings(file)
    library.storage.delete(layout.embeddings("1", "v1"))
    with library.storage.scratch() as scratch:
        turned = tables.Embeddings(embeddings.timestamps_s, np.roll(embeddings.vectors, 7, axis=0))
        tables.write_embeddings(scratch / "e", turned)
        library.storage.create(layout.embeddings("1", "v1"), scratch / "e")
    with pytest.raises(IndexIncompatible, match=r"failed its check and was not kept: only \d+%"):
        library.build()
    assert stored_index_ids(library.storage) == []
    assert library.catalogue.index_builds() == []


def test_embeddings_of_another_encoder_under_the_same_version_are_made_anew(library: Library, tmp_path: Path) -> None:
    other = replace(library, encoder_file=write_thumbnail_encoder(tmp_path / "other.onnx", cells=8))
    other.embed()
    with pytest.raises(NothingToIndex):
        library.build()
    assert library.embed() == ["v0", "v1", "v2"]
    assert library.publish().rows == 72


def test_builds_though_frames_are_gone(library: Library) -> None:
    library.embed()
    library.storage.delete(layout.FRAMES)
    assert library.build().rows == 72


# ---- publish


def test_publishing_moves_the_pointer_once(library: Library) -> None:
    library.embed()
    build = library.build()
    assert publish_index.publish(build.index_id, library.catalogue, library.storage) is True
    assert current(library) == build.index_id
    assert library.catalogue.index_builds()[0].published_at is not None
    assert publish_index.publish(build.index_id, library.catalogue, library.storage) is False


def test_a_late_publisher_does_not_turn_the_clock_back(library: Library) -> None:
    library.embed()
    first = library.build()
    publish_index.publish(first.index_id, library.catalogue, library.storage)
    store_video(library.catalogue, library.storage, "v3", seed=3)
    second = library.publish()
    assert publish_index.publish(first.index_id, library.catalogue, library.storage) is False
    assert current(library) == second.index_id


def overtaken(library: Library) -> tuple[str, str]:
    """Two bundles that hosts without a common lock built upon the same one: the published one, and the other."""
    library.embed()
    other = library.build().index_id
    folder = library.storage.root / layout.bundle(other)
    set_aside = folder.rename(library.storage.root / "aside")
    store_video(library.catalogue, library.storage, "v3", seed=3)
    first = library.publish().index_id
    set_aside.rename(folder)
    return first, other


def test_of_two_builds_upon_the_same_one_the_second_is_deleted_and_must_be_built_again(library: Library) -> None:
    first, other = overtaken(library)
    with pytest.raises(PointerMoved, match="build again"):
        publish_index.publish(other, library.catalogue, library.storage)
    assert stored_index_ids(library.storage) == [first] == [current(library)]
    assert [build.index_id for build in library.catalogue.index_builds()] == [first]


def test_whoever_is_overtaken_builds_what_is_left(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that shares no lock publishes between our build and our publishing."""
    library.embed()
    real, built = publish_index.build_index, list[str]()

    def build(*arguments: object) -> IndexBuild:
        done = real(*arguments)
        built.append(done.index_id)
        if len(built) == 1:
            folder = library.storage.root / layout.bundle(done.index_id)
            set_aside = folder.rename(library.storage.root / "aside")
            library.publish()
            set_aside.rename(folder)
            store_video(library.catalogue, library.storage, "v3", seed=3)
            library.embed()
        return done

    monkeypatch.setattr(publish_index, "build_index", build)
    update = (library.encoder_file, library.catalogue, library.storage, library.settings)
    build_, published = publish_index.update_index("1", *update)
    assert (published, len(built), build_.index_id) == (True, 2, built[1])
    assert library.videos_of(current(library) or "") == ["v0", "v1", "v2", "v3"]
    assert built[0] not in stored_index_ids(library.storage)
    assert publish_index.update_index("1", *update) == (replace(build_, published_at=ANY), False)


def test_a_build_that_was_killed_before_it_was_published_is_used(library: Library) -> None:
    library.embed()
    left = library.build()
    for noted in (True, False):  # killed after, and before, the catalogue knew of it
        if not noted:
            library.catalogue.forget_index_build(left.index_id)
        assert library.build() == left
        assert library.catalogue.index_builds() == [left]
    assert publish_index.publish(left.index_id, library.catalogue, library.storage)
    assert stored_index_ids(library.storage) == [left.index_id]


@pytest.mark.parametrize("spoiled", ["incomplete", "damaged"])
def test_a_build_that_was_killed_and_lacks_something_is_deleted(library: Library, spoiled: str) -> None:
    library.embed()
    left = library.build()
    if spoiled == "damaged":
        library.damage(layout.bundle(left.index_id) + layout.BUNDLE_FAISS)
    else:
        store_video(library.catalogue, library.storage, "v3", seed=3)
    made = library.publish()
    assert stored_index_ids(library.storage) == [made.index_id]
    assert [build.index_id for build in library.catalogue.index_builds()] == [made.index_id]


def test_what_was_rolled_back_from_is_not_taken_for_the_build_of_a_killed_one(library: Library) -> None:
    first, second, third = three_bundles(library)
    publish_index.roll_back(library.storage, library.catalogue, first)
    fourth = library.publish().index_id
    assert stored_index_ids(library.storage) == [first, second, third, fourth]


def test_who_was_killed_between_moving_the_pointer_and_noting_it_is_made_up_for(library: Library) -> None:
    library.embed()
    build = library.build()
    move_pointer(library.storage, build.index_id, current_index_id(library.storage)[1])
    assert library.build().published_at is not None
    assert publish_index.publish(build.index_id, library.catalogue, library.storage) is False
    assert library.catalogue.index_builds()[0].published_at is not None


def test_a_damaged_bundle_is_not_published(library: Library) -> None:
    library.embed()
    build = library.build()
    library.damage(layout.bundle(build.index_id) + layout.BUNDLE_ENCODER)
    with pytest.raises(IndexIncompatible):
        publish_index.publish(build.index_id, library.catalogue, library.storage)
    assert current(library) is None


def test_an_unknown_bundle_is_not_published(library: Library) -> None:
    with pytest.raises(NoIndex):
        publish_index.publish("20260131T120000000000Z-0000", library.catalogue, library.storage)


# ---- roll back and clean


def three_bundles(library: Library) -> list[str]:
    made = [library.publish().index_id]
    for number in (3, 4):
        store_video(library.catalogue, library.storage, f"v{number}", seed=number)
        made.append(library.publish().index_id)
    return made


def test_rolls_back_one_at_a_time_or_to_any(library: Library) -> None:
    first, second, third = three_bundles(library)
    assert current(library) == third
    assert publish_index.roll_back(library.storage, library.catalogue) == second
    assert publish_index.roll_back(library.storage, library.catalogue) == current(library) == first
    with pytest.raises(NoIndex, match="no older index"):
        publish_index.roll_back(library.storage, library.catalogue)
    assert publish_index.roll_back(library.storage, library.catalogue, third) == current(library) == third


def test_does_not_roll_back_to_a_damaged_bundle(library: Library) -> None:
    _, second, third = three_bundles(library)
    library.damage(layout.bundle(second) + layout.BUNDLE_FAISS)
    with pytest.raises(IndexIncompatible):
        publish_index.roll_back(library.storage, library.catalogue)
    assert current(library) == third


def test_does_not_roll_back_before_the_first(library: Library) -> None:
    with pytest.raises(NoIndex):
        publish_index.roll_back(library.storage, library.catalogue)


def test_the_next_build_after_a_roll_back_holds_everything(library: Library) -> None:
    first, _, _ = three_bundles(library)
    publish_index.roll_back(library.storage, library.catalogue, first)
    build = library.publish()
    assert current(library) == build.index_id
    assert library.videos_of(build.index_id) == ["v0", "v1", "v2", "v3", "v4"]


def test_keeps_the_newest_bundles_and_the_published_one(library: Library) -> None:
    first, second, third = three_bundles(library)
    few = library.settings.model_copy(update={"bundles_kept": 1})
    publish_index.roll_back(library.storage, library.catalogue, first)
    assert clean_storage.clean(library.storage, library.catalogue, few) == [layout.bundle(second)]
    assert stored_index_ids(library.storage) == [first, third]
    assert current(library) == first
    assert clean_storage.clean(library.storage, library.catalogue, few) == []


def test_cleans_what_dead_builds_left(library: Library) -> None:
    library.publish()
    dead = ["20200131T120000000000Z-0000", "29990131T120000000000Z-0000"]
    for index_id in (*dead, "somebody's"):
        folder = library.storage.root / layout.bundle(index_id)
        folder.mkdir()
        (folder / layout.BUNDLE_FAISS).write_bytes(b"half")
    cleaned = clean_storage.clean(library.storage, library.catalogue, library.settings)
    assert cleaned == [layout.bundle(index_id) for index_id in dead]


def test_keeps_embeddings_where_the_champion_is_unknown(library: Library, tmp_path: Path) -> None:
    library.publish("1")
    second = replace(library, encoder_file=write_thumbnail_encoder(tmp_path / "second.onnx", cells=8))
    second.publish("2")
    few = library.settings.model_copy(update={"bundles_kept": 1})
    cleaned = clean_storage.clean(library.storage, library.catalogue, few)
    assert [path for path in cleaned if path.startswith(layout.EMBEDDINGS)] == []
    assert library.storage.list(layout.embeddings_of("1"))


# ---- calibration of builds


def test_a_build_is_calibrated_on_probe_frames(published: Library) -> None:
    calibration = read_card(published.storage, current(published) or "").calibration
    assert calibration.method == "probes"
    assert calibration.figures["clean_video_at_1"] == 1
    assert calibration.figures["clean_found"] >= 0.9
    assert calibration.first(calibration.found_score + 10) > 0.9 > calibration.first(0)


def test_little_growth_keeps_the_calibration_and_much_makes_a_new_one(published: Library) -> None:
    before = read_card(published.storage, current(published) or "").calibration
    store_video(published.catalogue, published.storage, "v4", seed=4, seconds=5)
    assert read_card(published.storage, published.publish().index_id).calibration == before
    store_video(published.catalogue, published.storage, "v5", seed=5, seconds=12)
    assert read_card(published.storage, published.publish().index_id).calibration.rows == 74 + 10 + 24
