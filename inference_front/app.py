"""The search page. Run by Streamlit from the top for every interaction."""

import html
import re
from contextlib import suppress
from dataclasses import replace
from urllib.parse import quote

import numpy as np
import streamlit as st

from framesearch.errors import FramesearchError, ImageUnreadable, IndexIncompatible, NoIndex
from framesearch.images.outline import centre, outlined, part_of, share
from framesearch.images.pixels import encode_jpeg, fit_height
from framesearch.images.query import PLAINLY, read_picture
from framesearch.index.card import Card
from framesearch.records import Answer, Match
from framesearch.settings import settings
from framesearch.text import safe_text
from framesearch.wording import DEGRADED, clock
from inference_front.library import VIDEO_ROUTE, finder, local_file, player_address

LOOK_FOR_INDEX_S = 5
VIEWS = {
    "mirrored": "after mirroring the picture",
    "trimmed": "after cutting the picture's borders",
    "trimmed and mirrored": "after cutting the picture's borders and mirroring it",
    "turned": "after turning the picture",
    "turned and mirrored": "after turning and mirroring the picture",
}
STYLE = """
<style>
.block-container { padding-top: 2.2rem; max-width: 1280px; }
.fs-name { font-size: 1.9rem; font-weight: 700; letter-spacing: -0.02em; }
.fs-claim { color: #5b6b6b; margin-left: .7rem; }
.fs-title { font-weight: 600; line-height: 1.25; overflow-wrap: anywhere; }
.fs-best { font-size: 1.35rem; }
.fs-time { font-variant-numeric: tabular-nums; color: #0b6e69; font-weight: 600; }
.fs-muted { color: #5b6b6b; font-size: .88rem; }
.fs-bar { height: 6px; border-radius: 3px; background: #e3e9e9; margin: .35rem 0 .1rem; }
.fs-bar > div { height: 6px; border-radius: 3px; background: #0b6e69; }
.fs-also { font-size: .88rem; font-weight: 600; }
[class*="st-key-also-"] { gap: 0; }
[class*="st-key-also-"] button { padding: .15rem 0; min-height: 0; text-align: left; justify-content: flex-start; }
[class*="st-key-also-"] button p { font-size: .88rem; overflow-wrap: anywhere; }
</style>
"""

HEADER = """
<span class="fs-name">framesearch</span>
<span class="fs-claim">Which video is this picture from, and when?</span>
"""


def plain(text: str) -> str:
    """Text for Markdown widgets that is to show as it is."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


# ---- the picture asked for


def take_upload() -> None:
    """A picture was dropped or chosen."""
    file = st.session_state.upload
    if file is not None:
        take(file.getvalue(), file.name)


def take_paste() -> None:
    """A picture was pasted."""
    files = st.session_state.paste.files if st.session_state.paste else []
    if files:
        take(files[0].getvalue(), "the pasted picture")


def take(content: bytes, name: str) -> None:
    """Read a picture once; reruns search again with what was read."""
    st.session_state.chosen = 0
    try:
        st.session_state.query = read_picture(content, settings(), name)
        st.session_state.trouble = None
    except ImageUnreadable as error:
        st.session_state.query, st.session_state.trouble = None, str(error)


def ask_for_picture() -> None:
    """Upload and paste."""
    # Any file may be chosen: what it is its content tells, not its name.
    st.file_uploader("A screenshot or photo of a video", key="upload", help=f"{PLAINLY}.", on_change=take_upload)
    st.chat_input("… or click here and paste one (Ctrl+V)", accept_file=True, key="paste", on_submit=take_paste)


def show_query(match: Match | None) -> None:
    """The searcher's own picture and, of the match that is shown, which part of it was recognised."""
    shown = fit_height(st.session_state.query, 360)
    part = part_of(match.box) if match is not None and match.box is not None else None
    if part is None:
        st.image(encode_jpeg(shown, 85), caption="Your picture", width="stretch")
    else:
        caption = "Your picture; outlined: what was recognised"
        st.image(encode_jpeg(outlined(shown, part), 85), caption=caption, width="stretch")


def where(part: np.ndarray) -> str:
    """What an outline shows, in words."""
    x, y = centre(part)
    down, across = _third(y, "upper", "lower"), _third(x, "left", "right")
    place = "middle" if not down and not across else f"{down} {across or 'middle'}".strip()
    return f"Recognised in the {place} part of your picture, {share(part):.0%} of it."


def _third(at: float, first: str, last: str) -> str:
    return first if at < 0.4 else last if at > 0.6 else ""


# ---- what was found


def shown_match(answer: Answer) -> int | None:
    """Which match is in the player: the chosen one, the best where it is sure enough, else none."""
    chosen = min(st.session_state.get("chosen") or 0, len(answer.matches) - 1)
    return chosen if answer.matches and (answer.found or chosen) else None


def show_answer(answer: Answer) -> None:
    """The ranked matches, those of the same picture together, or why there is none."""
    if answer.degraded:
        st.warning(DEGRADED, icon=":material/broken_image:")
    if not answer.found:
        st.warning(f"**Not found in the library.** {answer.reason}", icon=":material/search_off:")
    if not answer.matches:
        return
    shown = shown_match(answer)
    place = {match: number for number, match in enumerate(answer.matches)}
    groups = [[lead, *repeats] for lead, repeats in answer.groups()]
    if shown is not None:
        match = answer.matches[shown]
        group = next(group for group in groups if match in group)
        # A repeat is as sure as the first of its picture: its own confidence is that of a rival.
        show_player(replace(match, confidence=group[0].confidence), answer if shown == 0 else None)
        show_others(match, [other for other in group if other is not match], place)
    st.subheader("All matches" if answer.found else "Closest candidates", divider="gray")
    columns = st.columns(2)
    for number, group in enumerate(groups):
        with columns[number % 2].container(border=True):
            show_group(group, place, None if shown is None else answer.matches[shown])


def show_player(match: Match, best_of: Answer | None) -> None:
    """The video, playing from the second of a match. `best_of` is the answer whose best match it is."""
    facts(match, best=True)
    repaired = VIEWS.get((best_of.view if best_of else None) or "")
    part = part_of(match.box) if match.box is not None else None
    how = [f"Found {repaired}."] if repaired else []
    how += [where(part)] if part is not None else []
    if how:
        st.html(f'<span class="fs-muted">{" ".join(how)}</span>')
    video = finder().video(match.video_id)
    address = player_address(video, st.context.url or "http://localhost/") if video else None
    if address:
        st.video(address, start_time=int(match.timestamp_s))
    else:
        show_still(match)
        if video is not None and local_file(video) is not None:
            st.caption("Browsers can't play this kind of file; this is the frame that was found.")
        else:
            st.caption("The video can't be played here; this is the frame that was found.")


def show_group(group: list[Match], place: dict[Match, int], shown: Match | None) -> None:
    """A match as a card and, unless the player shows the same picture, where else that stands."""
    lead = group[0]
    still, text = st.columns([2, 3], vertical_alignment="center")
    with still:
        show_still(lead)
    with text:
        facts(lead)
        label = "Shown above" if lead is shown else f"Show {clock(lead.timestamp_s)}"
        st.button(
            label,
            key=f"play-{place[lead]}",
            on_click=play,
            args=(place[lead],),
            disabled=lead is shown,
            type="tertiary",
        )
    if shown not in group:
        show_others(lead, group[1:], place)
    elif len(group) > 1:
        st.html(f'<span class="fs-also">{appears(lead, group[1:])}</span>')


def show_others(match: Match, others: list[Match], place: dict[Match, int]) -> None:
    """Where else the picture of a match stands, each to be played."""
    if not others:
        return
    with st.container(key=f"also-{place[match]}"):
        st.html(f'<span class="fs-also">{appears(match, others)}</span>')
        for other in others:
            title = "this video" if other.video_id == match.video_id else plain(other.title)
            st.button(
                f"Show {title} at {clock(other.timestamp_s)}",
                key=f"also-play-{place[other]}",
                on_click=play,
                args=(place[other],),
                type="tertiary",
                icon=":material/play_circle:",
            )


def appears(match: Match, others: list[Match]) -> str:
    """How often a picture appears: "Appears in 3 videos, 2 times in this one"."""
    here = 1 + sum(other.video_id == match.video_id for other in others)
    videos = len({one.video_id for one in (match, *others)})
    if videos == 1:
        return f"Appears {here} times in this video"
    return f"Appears in {videos} videos" + (f", {here} times in this one" if here > 1 else "")


def play(number: int) -> None:
    """Show this match in the player."""
    st.session_state.chosen = number


def show_still(match: Match) -> None:
    """The stored frame of a match."""
    try:
        st.image(finder().thumbnail(match), width="stretch")
    except FramesearchError:
        st.caption("The frame is no longer stored.")


def facts(match: Match, *, best: bool = False) -> None:
    """Title, time, span, confidence and link. Titles are strangers' text: escaped, and never read as Markdown."""
    at = clock(match.timestamp_s)
    span = f"{clock(match.start_s)} to {clock(match.end_s)}" if match.end_s - match.start_s >= 1 else ""
    still = f' <span class="fs-muted">still scene {span}</span>' if span else ""
    sure = f"{match.confidence:.0%}"
    st.html(
        f'<div class="fs-title{" fs-best" if best else ""}">{html.escape(match.title)}</div>'
        f'<span class="fs-time">{at}</span>{still}'
        f'<div class="fs-bar"><div style="width:{sure}"></div></div>'
        f'<span class="fs-muted">{sure} sure · {link(match)}</span>'
    )


def link(match: Match) -> str:
    """An anchor to the video at the second; of other schemes than http only plain text."""
    if match.url.startswith(("https://", "http://")):
        address = match.url
    else:
        video = finder().video(match.video_id)
        path = local_file(video) if video is not None else None
        if path is None:
            return "file unavailable"
        address = f"{VIDEO_ROUTE}{quote(match.video_id, safe='')}#t={int(match.timestamp_s)}"
        if player_address(video, "http://localhost/") is None:  # type: ignore[arg-type]
            return html.escape(safe_text(path.name))
    label = f"open at {clock(match.timestamp_s)}"
    return f'<a href="{html.escape(address)}" target="_blank" rel="noopener noreferrer">{label}</a>'


# ---- the index


@st.fragment(run_every=LOOK_FOR_INDEX_S)
def wait_for_index(reason: str) -> None:
    """Say that there is no index, and begin as soon as there is one."""
    st.info(plain(reason), icon=":material/hourglass_empty:")
    try:
        finder().refresh()
    except FramesearchError:
        return
    st.rerun()


@st.fragment(run_every=LOOK_FOR_INDEX_S)
def footer(card: Card) -> None:
    """What the index holds, kept up to date as new ones are published."""
    with suppress(FramesearchError):
        card = finder().card
    st.html(f'<div class="fs-muted" style="margin-top:2rem">{describe(card)}</div>')


def describe(card: Card) -> str:
    """The index card in a line."""
    built = card.built_at.replace("T", " ").removesuffix("+00:00") + " UTC"
    measured = card.calibration.figures
    precision = f' · "found" is right {measured["found_precision"]:.1%} of the time' if measured else ""
    return html.escape(
        f"{card.videos:,} videos · {card.rows:,} frames · model version {card.model_version} · built {built}{precision}"
    )


def page() -> None:
    """The whole page."""
    st.set_page_config(page_title="framesearch", page_icon=":material/image_search:", layout="wide")
    st.html(STYLE + HEADER)
    try:
        card = finder().card
    except NoIndex:
        wait_for_index("Nothing is indexed yet. Once a playlist is ingested and indexed, this page starts by itself.")
        return
    except IndexIncompatible as error:
        wait_for_index(f"The index can't be opened: {error}")
        return
    asked, answered = st.columns([1, 2], gap="large")
    with asked:
        ask_for_picture()
    answer: Answer | None = None
    with answered:
        if st.session_state.get("trouble"):
            st.error(plain(st.session_state.trouble), icon=":material/broken_image:")
        elif st.session_state.get("query") is None:
            st.info("Drop or paste a screenshot: cropped, mirrored or with borders, as you have it.")
        else:
            try:
                answer = finder().search(st.session_state.query)
                show_answer(answer)
            except FramesearchError as error:
                st.error(plain(str(error)))
    if st.session_state.get("query") is not None:
        with asked:  # after the answer, which says what to outline
            number = shown_match(answer) if answer is not None else None
            show_query(answer.matches[number] if answer is not None and number is not None else None)
    footer(card)


page()
