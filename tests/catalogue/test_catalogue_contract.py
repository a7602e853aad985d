"""The catalogue's contract, for every implementation."""

import multiprocessing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from framesearch.backends import open_catalogue
from framesearch.catalogue.contract import Catalogue
from framesearch.errors import NoVideo
from framesearch.records import FileVersion, FrameCounts, IndexBuild, ListedVideo, PlaylistListing, VideoStatus
from framesearch.settings import Settings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
COUNTS = FrameCounts(index_frames=120, probe_frames=6, duration_s=60.0)


@pytest.fixture(params=["sqlite"])
def catalogue_settings(request: pytest.FixtureRequest, fresh_settings: Settings) -> Settings:
    """Settings that name an empty catalogue of each implementation."""
    uris = {"sqlite": fresh_settings.catalogue}
    return fresh_settings.model_copy(update={"catalogue_uri": uris[request.param]})


@pytest.fixture
def catalogue(catalogue_settings: Settings) -> Catalogue:
    return open_catalogue(catalogue_settings)


def listing(*ids: str, url: str = "playlist", complete: bool = True) -> PlaylistListing:
    return PlaylistListing(url, "Title", [ListedVideo(i, f"https://site/{i}", i.upper()) for i in ids], complete)


def test_a_first_listing_discovers_every_video(catalogue: Catalogue):
    diff = catalogue.record_listing(listing("a", "b"), NOW)
    assert (diff.new, diff.vanished, diff.returned) == (("a", "b"), (), ())
    assert [(v.video_id, v.status, v.discovered_at) for v in catalogue.videos()] == [
        ("a", VideoStatus.DISCOVERED, NOW),
        ("b", VideoStatus.DISCOVERED, NOW),
    ]


def test_a_later_listing_tells_what_is_new_at_either_end_and_what_vanished(catalogue: Catalogue):
    catalogue.record_listing(listing("b", "c"), NOW)
    diff = catalogue.record_listing(listing("a", "b", "d"), NOW)
    assert (diff.new, diff.vanished) == (("a", "d"), ("c",))
    assert catalogue.video("c").vanished_at == NOW


def test_a_vanished_video_keeps_its_frames_and_may_return(catalogue: Catalogue):
    catalogue.record_listing(listing("a", "b"), NOW)
    catalogue.mark_ready("a", COUNTS, NOW)
    catalogue.record_listing(listing("b"), NOW)
    assert catalogue.video("a").status is VideoStatus.READY
    assert catalogue.record_listing(listing("a", "b"), NOW).returned == ("a",)
    assert catalogue.video("a").vanished_at is None


def test_a_cut_listing_says_nothing_about_what_it_leaves_out(catalogue: Catalogue):
    catalogue.record_listing(listing("a", "b"), NOW)
    assert catalogue.record_listing(listing("a", complete=False), NOW).vanished == ()
    assert catalogue.video("b").vanished_at is None


def test_a_video_in_two_playlists_is_one_video_and_vanishes_with_the_last(catalogue: Catalogue):
    catalogue.record_listing(listing("a", "b", url="one"), NOW)
    assert catalogue.record_listing(listing("a", url="two"), NOW).new == ()
    assert catalogue.record_listing(listing("b", url="one"), NOW).vanished == ()
    assert catalogue.record_listing(listing(url="two"), NOW).vanished == ("a",)
    assert [v.video_id for v in catalogue.videos(playlist="one")] == ["b"]


def test_a_video_listed_twice_in_a_playlist_is_one_video(catalogue: Catalogue):
    assert catalogue.record_listing(listing("a", "a"), NOW).new == ("a",)


def test_a_renamed_video_gets_its_new_title(catalogue: Catalogue):
    catalogue.record_listing(listing("a"), NOW)
    catalogue.record_listing(PlaylistListing("playlist", "T", [ListedVideo("a", "u", "New name")]), NOW)
    assert catalogue.titles(["a", "unknown"]) == {"a": "New name"}


def test_a_playlist_error_is_kept_until_it_lists_again_and_costs_no_video(catalogue: Catalogue):
    catalogue.record_listing(listing("a"), NOW)
    catalogue.record_playlist_error("playlist", "timed out", NOW)
    (playlist,) = catalogue.playlists()
    assert (playlist.error, playlist.title, playlist.videos) == ("timed out", "Title", 1)
    catalogue.record_listing(listing("a"), NOW)
    assert catalogue.playlists()[0].error is None


def test_a_playlist_that_never_listed_is_still_followed(catalogue: Catalogue):
    catalogue.record_playlist_error("gone", "no such playlist", NOW)
    assert [(p.url, p.error, p.listed_at) for p in catalogue.playlists()] == [("gone", "no such playlist", None)]


def test_due_are_the_discovered_and_the_failed_whose_time_has_come(catalogue: Catalogue):
    catalogue.record_listing(listing("new", "ready", "later", "now", "given-up", "private"), NOW)
    catalogue.mark_ready("ready", COUNTS, NOW)
    catalogue.mark_failed("later", "network", "timed out", NOW, NOW + timedelta(hours=1))
    catalogue.mark_failed("now", "network", "timed out", NOW, NOW)
    catalogue.mark_failed("given-up", "network", "timed out", NOW, None)
    catalogue.mark_unavailable("private", "private", "Private video", NOW)
    assert catalogue.due_videos(NOW) == ["new", "now"]
    assert catalogue.due_videos(NOW, limit=1) == ["new"]
    assert catalogue.due_videos(NOW, playlists=["other"]) == []
    assert catalogue.due_videos(NOW, force=True) == ["new", "later", "now", "given-up", "private"]


def test_a_vanished_video_is_not_tried_again(catalogue: Catalogue):
    catalogue.record_listing(listing("a", "b"), NOW)
    catalogue.record_listing(listing("b"), NOW)
    assert catalogue.due_videos(NOW, force=True) == ["b"]


def test_attempts_and_reasons_are_kept_and_a_success_clears_them(catalogue: Catalogue):
    catalogue.record_listing(listing("a"), NOW)
    for _ in range(2):
        catalogue.mark_failed("a", "network", "timed out", NOW, NOW)
    video = catalogue.video("a")
    assert (video.status, video.attempts, video.reason, video.detail) == ("failed", 2, "network", "timed out")
    catalogue.mark_ready("a", COUNTS, NOW)
    video = catalogue.video("a")
    assert (video.status, video.reason, video.index_frames, video.probe_frames) == ("ready", None, 120, 6)
    assert (video.duration_s, video.ready_at) == (60.0, NOW)


def test_an_unknown_video_is_named(catalogue: Catalogue):
    with pytest.raises(NoVideo, match="nobody"):
        catalogue.video("nobody")
    with pytest.raises(NoVideo, match="nobody"):
        catalogue.mark_ready("nobody", COUNTS, NOW)


def test_index_builds_come_newest_first_with_their_publication(catalogue: Catalogue):
    for number in (1, 2):
        catalogue.add_index_build(IndexBuild(f"i{number}", "1", 10, 1, NOW + timedelta(hours=number)))
    catalogue.mark_published("i1", NOW)
    assert [(b.index_id, b.published_at) for b in catalogue.index_builds()] == [("i2", None), ("i1", NOW)]


def test_a_playlist_of_ten_thousand_is_taken_in_and_diffed(catalogue: Catalogue):
    ids = [f"v{number}" for number in range(10_000)]
    assert len(catalogue.record_listing(listing(*ids), NOW).new) == 10_000
    diff = catalogue.record_listing(listing(*ids[1:], "last"), NOW)
    assert (diff.new, diff.vanished) == (("last",), ("v0",))


def _work(settings: Settings, number: int) -> None:
    catalogue = open_catalogue(settings)
    for step in range(20):
        catalogue.record_listing(listing(f"v{number}-{step}", url=f"p{number}"), NOW)
        catalogue.mark_ready(f"v{number}-{step}", COUNTS, NOW)


def test_several_processes_write_at_once_and_lose_nothing(catalogue_settings: Settings):
    open_catalogue(catalogue_settings)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(catalogue_settings, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert len(open_catalogue(catalogue_settings).videos(VideoStatus.READY)) == 80


# ---- files that change


def files(*versions: tuple[str, FileVersion | None]) -> PlaylistListing:
    listed = [ListedVideo(name, f"/films/{name}.mp4", name, version=version) for name, version in versions]
    return PlaylistListing("/films", "films", listed)


FIRST, TOUCHED, SECOND = FileVersion("1", "stamp 1"), FileVersion("1", "stamp 2"), FileVersion("2", "stamp 3")


def test_a_replaced_file_is_another_video_in_the_place_of_the_first(catalogue: Catalogue):
    catalogue.record_listing(files(("a", FIRST), ("b", FIRST)), NOW)
    catalogue.mark_ready("a", COUNTS, NOW)
    diff = catalogue.record_listing(files(("a", SECOND), ("b", FIRST)), NOW)
    assert (diff.new, diff.vanished, diff.returned, diff.replaced) == ((), (), (), ("a-2",))
    assert [video.video_id for video in catalogue.videos(playlist="/films")] == ["b", "a-2"]
    video = catalogue.video("a-2")
    assert (video.status, video.index_frames, video.version) == (VideoStatus.DISCOVERED, 0, SECOND)
    assert catalogue.removed_videos() == ["a"]
    with pytest.raises(NoVideo):
        catalogue.video("a")
    again = catalogue.record_listing(files(("a", SECOND), ("b", FIRST)), NOW)
    assert again == type(again)((), (), (), ())


def test_no_id_is_used_again_whatever_a_file_holds(catalogue: Catalogue):
    for version in (FIRST, SECOND, FIRST, SECOND):
        catalogue.record_listing(files(("a", version)), NOW)
    assert [video.video_id for video in catalogue.videos()] == ["a-4"]
    assert sorted(catalogue.removed_videos()) == ["a", "a-2", "a-3"]


def test_a_replaced_file_stays_in_every_playlist_that_lists_it(catalogue: Catalogue):
    catalogue.record_listing(files(("a", FIRST)), NOW)
    catalogue.record_listing(replace(files(("a", FIRST)), url="/films/a.mp4"), NOW)
    catalogue.record_listing(files(("a", SECOND)), NOW)
    for playlist in ("/films", "/films/a.mp4"):
        assert [video.video_id for video in catalogue.videos(playlist=playlist)] == ["a-2"]
    assert catalogue.record_listing(replace(files(("a", SECOND)), url="/films/a.mp4"), NOW).replaced == ()


def test_a_vanished_file_that_returns_as_another_film_is_replaced(catalogue: Catalogue):
    catalogue.record_listing(files(("a", FIRST), ("b", FIRST)), NOW)
    catalogue.record_listing(files(("b", FIRST)), NOW)
    diff = catalogue.record_listing(files(("a", SECOND), ("b", FIRST)), NOW)
    assert (diff.returned, diff.replaced) == ((), ("a-2",))
    assert catalogue.video("a-2").vanished_at is None


def test_a_touched_file_stays_what_it_is(catalogue: Catalogue):
    catalogue.record_listing(files(("a", FIRST)), NOW)
    catalogue.mark_ready("a", COUNTS, NOW)
    assert catalogue.record_listing(files(("a", TOUCHED)), NOW).replaced == ()
    assert catalogue.video("a").status is VideoStatus.READY
    assert catalogue.file_versions() == {"a": TOUCHED}


def test_a_partial_file_that_changed_in_any_way_is_made_anew(catalogue: Catalogue):
    catalogue.record_listing(files(("a", FIRST)), NOW)
    catalogue.mark_ready("a", replace(COUNTS, shortfall="ends after 12 of 60 s"), NOW)
    assert catalogue.video("a").detail == "ends after 12 of 60 s"
    assert catalogue.record_listing(files(("a", FIRST)), NOW).replaced == ()
    assert catalogue.record_listing(files(("a", TOUCHED)), NOW).replaced == ("a-2",)


@pytest.mark.parametrize(("listed_again", "due"), [(FIRST, []), (TOUCHED, ["a"]), (SECOND, ["a-2"])])
@pytest.mark.parametrize("status", ["unavailable", "failed"])
def test_a_file_that_could_not_be_read_is_due_again_once_it_changes(
    catalogue: Catalogue, status: str, listed_again: FileVersion, due: list[str]
):
    catalogue.record_listing(files(("a", FIRST)), NOW)
    if status == "failed":
        catalogue.mark_failed("a", "unknown", "no", NOW, None)
    else:
        catalogue.mark_unavailable("a", "corrupt", "no", NOW)
    catalogue.record_listing(files(("a", listed_again)), NOW)
    assert catalogue.due_videos(NOW) == due


def test_a_file_that_was_missing_is_due_again_when_it_is_listed(catalogue: Catalogue):
    catalogue.record_listing(files(("a", FIRST)), NOW)
    catalogue.mark_unavailable("a", "deleted", "a.mp4 is no longer there", NOW)
    catalogue.record_listing(files(("a", FIRST)), NOW)
    assert catalogue.due_videos(NOW) == ["a"]


def test_a_file_that_was_away_is_due_again_when_it_is_back(catalogue: Catalogue):
    catalogue.record_listing(files(("a", FIRST), ("b", FIRST)), NOW)
    catalogue.mark_failed("a", "unknown", "a.mp4 can't be opened", NOW, None)
    catalogue.record_listing(files(("b", FIRST)), NOW)
    assert catalogue.due_videos(NOW) == ["b"]
    catalogue.record_listing(files(("a", FIRST), ("b", FIRST)), NOW)
    assert catalogue.due_videos(NOW) == ["a", "b"]


def test_a_video_is_renamed_with_its_file(catalogue: Catalogue):
    catalogue.record_listing(files(("a", FIRST)), NOW)
    catalogue.mark_ready("a", COUNTS, NOW)
    diff = catalogue.record_listing(files(("b", FIRST)), NOW)
    assert (diff.new, diff.vanished, diff.moved) == ((), (), ("a",))
    (video,) = catalogue.videos(playlist="/films")
    assert (video.video_id, video.title, video.url) == ("a", "b", "/films/b.mp4")
    assert catalogue.file_versions() == {"b": FIRST}


def test_what_comes_to_the_old_name_of_a_renamed_file_gets_an_id_of_its_own(catalogue: Catalogue):
    catalogue.record_listing(files(("a", FIRST)), NOW)
    catalogue.mark_ready("a", COUNTS, NOW)
    catalogue.record_listing(files(("b", FIRST)), NOW)
    assert catalogue.record_listing(files(("a", SECOND), ("b", FIRST)), NOW).new == ("a-2",)
    assert [video.video_id for video in catalogue.videos(playlist="/films")] == ["a", "a-2"]


def test_a_vanished_file_is_found_again_under_another_name_and_playlist(catalogue: Catalogue):
    catalogue.record_listing(files(("a", FIRST), ("b", SECOND)), NOW)
    catalogue.mark_ready("a", COUNTS, NOW)
    catalogue.record_listing(files(("b", SECOND)), NOW)
    diff = catalogue.record_listing(replace(files(("c", FIRST)), url="/other"), NOW)
    assert (diff.new, diff.moved, diff.returned) == ((), ("a",), ("a",))
    assert catalogue.video("a").vanished_at is None


@pytest.mark.parametrize("why", ["not stored", "partial", "still listed elsewhere", "the listing was cut"])
def test_a_file_is_not_taken_for_a_renamed_one_without_need(catalogue: Catalogue, why: str):
    catalogue.record_listing(files(("a", FIRST)), NOW)
    if why != "not stored":
        catalogue.mark_ready("a", replace(COUNTS, shortfall="half" if why == "partial" else None), NOW)
    if why == "still listed elsewhere":
        catalogue.record_listing(replace(files(("a", FIRST)), url="/other"), NOW)
    listed = replace(files(("b", FIRST)), complete=why != "the listing was cut")
    diff = catalogue.record_listing(listed, NOW)
    assert (diff.new, diff.moved) == (("b",), ())


def test_the_playlists_of_a_video_are_those_that_list_it(catalogue: Catalogue):
    catalogue.record_listing(listing("a", "b", url="two"), NOW)
    catalogue.record_listing(listing("a", url="one"), NOW)
    assert catalogue.playlists_of("a") == ["one", "two"]
    catalogue.record_listing(listing("b", url="two"), NOW)
    assert catalogue.playlists_of("a") == ["one"]


def test_a_note_lasts_until_the_next_listing(catalogue: Catalogue):
    catalogue.record_listing(replace(listing("a"), note="passed over: 3 .srt"), NOW)
    assert catalogue.playlists()[0].note == "passed over: 3 .srt"
    catalogue.record_listing(listing("a"), NOW)
    assert catalogue.playlists()[0].note is None
