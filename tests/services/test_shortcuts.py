"""What is found out once and not for every request is what requests itself would have found."""

from random import Random
from urllib.parse import quote

import pytest
import requests
from requests.adapters import HTTPAdapter

from tkstudies.services.web import endpoints, secrecy, transport
from tkstudies.services.web.connection import Connection
from tkstudies.settings import current

BASES = ("http://cmsweb.cern.ch/dqm", "http://127.0.0.1:1", "HTTP://CMSweb.cern.ch:8443/a b/")
PATHS = (
    "/a/b",
    "/a%20b/%2B1%23",
    "/dqm//x",
    "/a/../b",
    "/./a",
    "/a/.b",
    "/%41%7e",
    "/a+b",
    "/ü",
    "/a b",
    "/a?b=1#c",
    "/",
)


def same(connection, path):
    """Is the request for a path the one that requests would prepare and send?"""
    theirs = requests.PreparedRequest()
    theirs.prepare(method="GET", url=connection.base + path, headers=dict(connection._session.headers), params={})
    ours = connection._prepared("GET", path, None, None, "")
    assert (ours.method, ours.url, dict(ours.headers), ours.body) == (
        theirs.method, theirs.url, dict(theirs.headers), theirs.body,
    )  # fmt: skip
    adapter = connection._session.get_adapter(ours.url)
    assert adapter.request_url(ours, {}) == HTTPAdapter.request_url(adapter, theirs, {})


@pytest.fixture
def connected(monkeypatch):
    current.reset()

    def start(base):
        monkeypatch.setattr(endpoints.Service, "base_url", lambda self: base)
        return Connection(endpoints.CERTHELPER)

    return start


@pytest.mark.parametrize("base", BASES)
def test_a_request_is_the_one_that_requests_would_prepare(connected, base):
    connection = connected(base)
    for path in PATHS:
        same(connection, path)


def test_any_path(connected):
    connection, chance = connected(BASES[0]), Random(7)
    for _ in range(300):
        text = "".join(chance.choices("/..a+%#?&é~-_ \\\x00", k=chance.randrange(12)))
        same(connection, f"/{quote(text)}")
        same(connection, f"/{quote(text, safe='')}")


def test_requests_do_not_share_what_is_added_to_one(connected):
    connection = connected(BASES[0])
    first, second = (connection._prepared("GET", "/a", None, None, "") for _ in range(2))
    first.headers["Authorization"] = "Bearer a-secret"
    assert "Authorization" not in second.headers
    assert "Authorization" not in connection._session.headers


def test_each_host_certificate_and_proxy_has_a_pool_of_its_own():
    adapter = transport._PooledAdapter(2, secure=False)

    def pool(url, verify=True, cert=None, proxies=None):
        request = requests.Request("GET", url).prepare()
        found = adapter.get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        adapter.cert_verify(found, url, verify, cert)
        return found

    one = pool("https://a/x", cert="/dev/null")
    assert pool("https://a/y?z", cert="/dev/null") is one
    assert (one.host, one.cert_reqs, one.cert_file) == ("a", "CERT_REQUIRED", "/dev/null")
    others = [pool("https://b/x"), pool("https://a:1/x"), pool("http://a/x"), pool("https://a/x")]
    others.append(pool("https://a/x", proxies={"https": "http://proxy:3128"}))
    assert len({id(found) for found in (one, *others)}) == 6
    assert {getattr(found, "cert_file", None) for found in others} == {None}
    assert others[-1].proxy.host == "proxy"
    assert {found.cert_reqs for found in others if found.scheme == "https"} == {"CERT_REQUIRED"}


def test_a_response_has_what_ours_are_asked_for(live):
    with Connection(endpoints.CERTHELPER) as connection:
        response = connection.request("GET", "/certify/allRunsRefRuns/", parse=lambda response: response)
    assert response.ok and response.json() and response.text[:1] == "["
    assert response.headers["content-type"].startswith("application/json")
    assert response.request.url == response.url
    assert response.history == []


def test_ways_of_writing_a_secret():
    written = secrecy._written("s3cret/with+more")
    assert written[0] == "s3cret/with+more"
    assert {"czNjcmV0L3dpdGgrbW9yZQ", "s3cret%2Fwith%2Bmore", b"s3cret/with+more".hex()} <= set(written)
