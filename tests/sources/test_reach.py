"""Where requests may lead: what is a public address, and what lies where the playlist itself does."""

import socket

import pytest

from framesearch.sources.reach import OutOfReach, Reach, is_public, numeric

PRIVATE = [
    *("127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
    *("224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1"),
    *("::", "::1", "fe80::1", "fe80::1%1", "fec0::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1::1", "2002:7f00:1::1", "2001:0:1::1"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_of_the_public_internet_is_out_of_reach(address: str):
    assert not is_public(address)
    with pytest.raises(OutOfReach):
        Reach(["https://films.example.com/feed.xml"]).addresses(address, 80)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_public_addresses_are_within_reach(address: str):
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0x7F.1", "0177.0.0.1", "127.1", "127.0.0.1.", "①②⑦.0.0.1"]
)
def test_an_address_is_known_in_every_form_that_resolvers_accept(host: str):
    assert numeric(host) == "127.0.0.1"
    reach = Reach(["https://films.example.com/feed.xml"])
    with pytest.raises(OutOfReach):
        reach.check_unresolved(host, 80)
    if host.isascii() and not host.endswith("."):
        with pytest.raises(OutOfReach):
            reach.addresses(host, 80)


def test_the_playlists_own_host_and_port_are_within_reach_and_no_others():
    reach = Reach(["http://127.0.0.1:8000/feed.xml"])
    assert reach.addresses("127.0.0.1", 8000) == ["127.0.0.1"]
    assert "127.0.0.1" in reach.addresses("localhost", 8000)
    for host, port in [("127.0.0.1", 8001), ("127.0.0.2", 8000), ("0.0.0.0", 8000), ("10.0.0.1", 8000)]:
        with pytest.raises(OutOfReach, match=rf"{host}:{port}"):
            reach.addresses(host, port)


@pytest.mark.parametrize(("url", "port"), [("http://127.0.0.1/", 80), ("https://127.0.0.1/", 443)])
def test_a_playlist_without_a_port_lies_at_that_of_its_scheme(url: str, port: int):
    assert Reach([url]).addresses("127.0.0.1", port)
    with pytest.raises(OutOfReach):
        Reach([url]).addresses("127.0.0.1", 8080)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch):
    """What names resolve to, one answer after the other; the last one stays."""
    answers: dict[str, list[list[str]]] = {}
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host, port, *arguments, **options):
        asked.append(host)
        if host not in answers:
            return real(host, port, *arguments, **options)
        found = answers[host].pop(0) if len(answers[host]) > 1 else answers[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    answers["asked"] = asked  # type: ignore[assignment]
    return answers


def test_a_name_is_judged_by_what_it_leads_to(names):
    names["films.example.com"] = [["127.0.0.1"]]
    with pytest.raises(OutOfReach, match=r"films\.example\.com:80 \(127\.0\.0\.1\)"):
        Reach(["http://elsewhere.example.com/"]).addresses("films.example.com", 80)


def test_of_several_addresses_the_public_ones_are_used(names):
    names["films.example.com"] = [["10.0.0.1", "8.8.8.8", "169.254.169.254"]]
    assert Reach([]).addresses("films.example.com", 80) == ["8.8.8.8"]


def test_a_playlist_on_a_public_name_opens_no_private_address(names):
    """Else its owner could rebind the name to any service of this machine."""
    names["films.example.com"] = [["8.8.8.8"], ["127.0.0.1"]]
    reach = Reach(["http://films.example.com:5000/feed.xml"])
    assert reach.addresses("films.example.com", 5000) == ["8.8.8.8"]
    with pytest.raises(OutOfReach):
        reach.addresses("films.example.com", 5000)


def test_a_playlist_on_a_name_of_the_local_network_opens_its_own_place(names):
    names["nas"] = names["media.lan"] = [["192.168.1.5"]]
    for host in ("nas", "media.lan"):
        assert Reach([f"http://{host}:8000/feed"]).addresses(host, 8000) == ["192.168.1.5"]
        assert Reach([f"http://{host}:8000/feed"]).addresses("192.168.1.5", 8000) == ["192.168.1.5"]


@pytest.mark.parametrize("allowed", ["films.example.com", "Films.example.com:8000"])
def test_a_setting_opens_further_hosts(names, allowed: str):
    names["films.example.com"] = [["10.0.0.7"]]
    reach = Reach(["http://films.example.com:8000/feed"], [allowed])
    assert reach.addresses("films.example.com", 8000) == ["10.0.0.7"]
    with pytest.raises(OutOfReach):
        reach.addresses("10.0.0.8", 8000)


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "169.254.169.254", "[::1]"])
def test_what_a_proxy_resolves_is_judged_as_it_is_written(host: str):
    reach = Reach(["https://films.example.com/feed"])
    with pytest.raises(OutOfReach):
        reach.check_unresolved(host, 80)
    reach.check_unresolved("films.example.com", 80)
