"""The pages for people in a real browser: Debian's Chromium without its windows.

`STATUS_PAGE_SHOTS=docs/images` keeps the pictures for the documentation.
"""

import os
import time
import urllib.parse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from conftest import ROOT, wait_for

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium-headless-shell")
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
HOSTILE = "<script>document.title='caught'</script>\"'&<img src=x onerror=\"document.title='caught'\">"


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, chromium_sandbox=False
        )
        yield browser
        browser.close()


@pytest.fixture
def api(simulator):
    api = simulator(connections=430, projects=2, speed=0)
    api.create_connection(
        id="ma_hostile",
        domain="hostile.example",
        profile_name=HOSTILE,
        status="NEEDS_AUTH",
        can_reauth=False,
        can_reauth_reason="no_credential",
        flow_status="FAILED",
        error_code="captcha_blocked",
    )
    return api


@pytest.fixture
def expose(start, api):
    """Starts an exporter of all projects that nobody has scraped yet."""

    def expose():
        return start(
            "--web.listen-address=127.0.0.1:0",
            "--kernel.project=all",
            env={"KERNEL_API_KEY": api.key, "KERNEL_BASE_URL": api.url},
        )

    return expose


@pytest.fixture
def front(expose):
    front = expose()
    front.get("/metrics")
    return front


@pytest.fixture
def open_page(browser, front):
    """Opens pages, and fails the test if one complains or asks elsewhere."""
    complaints, contexts = [], []

    def open_(path="/", **options):
        context = browser.new_context(**({"viewport": {"width": 1360, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        host = urllib.parse.urlsplit(front.url).netloc
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))

        def asked(request):
            url = urllib.parse.urlsplit(request.url)
            if url.scheme != "data" and url.netloc != host:
                complaints.append(request.url)

        page.on("request", asked)
        page.on(
            "response",
            lambda answer: answer.ok or complaints.append(f"{answer.url}: {answer.status}"),
        )
        assert page.goto(front.url + path).ok
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def rows(page):
    return page.locator("table.connections tbody tr")


def test_it_shows_the_fleet_and_pages(open_page):
    page = open_page()
    expect(page.get_by_role("heading", level=1)).to_have_text("Kernel auth connections")
    expect(page.get_by_text("The API answers.")).to_be_visible()
    expect(rows(page)).to_have_count(100)
    total = page.locator(".tile.all .number").inner_text()
    assert total == "431"
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("Connections 101 to 200 of 431")).to_be_visible()
    page.get_by_role("link", name="Last", exact=True).click()
    expect(rows(page)).to_have_count(31)


def test_those_that_need_a_person_come_first(open_page):
    page = open_page()
    badges = page.locator("table.connections tbody .badge").all_inner_texts()
    order_ = ["waiting for a person", "needs a login", "logged out", "unknown", "logged in"]
    ranks = [next(i for i, words in enumerate(order_) if words in text) for text in badges]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) > 2


def test_it_filters_by_text_and_status(open_page):
    page = open_page()
    page.get_by_label("Profile, domain, ID, project or reason").fill("HOSTILE.example")
    page.get_by_role("button", name="Filter").click()
    expect(rows(page)).to_have_count(1)
    assert urllib.parse.urlsplit(page.url).query == "q=HOSTILE.example&status=&sort=attention"
    page.get_by_label("Status", exact=True).select_option("logged in")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No connection matches.")).to_be_visible()
    page.get_by_role("link", name="Show all").first.click()
    expect(rows(page)).to_have_count(100)
    page.locator(".tile.person").click()
    for badge in page.locator("table.connections tbody .badge").all_inner_texts():
        assert "needs a login" in badge
    shown = int(page.locator(".tile.person .number").inner_text())
    expect(rows(page)).to_have_count(shown)


def test_hostile_names_are_text(open_page):
    page = open_page("/?q=hostile")
    row = rows(page).first
    expect(row.get_by_role("rowheader")).to_have_text(HOSTILE)
    assert "caught" not in page.title()
    assert page.locator("script, img").count() == 0
    for query in (HOSTILE, "\"><script>document.title='caught'</script>"):
        page = open_page("/?" + urllib.parse.urlencode({"q": query}))
        field = page.get_by_label("Profile, domain, ID, project or reason")
        expect(field).to_have_value(query)
        assert "caught" not in page.title()
        assert page.locator("script, img").count() == 0


def test_a_row_leads_to_help_and_to_a_probe(open_page, front):
    page = open_page("/?q=ma_hostile")
    rows(page).first.get_by_role("link").click()
    expect(page.get_by_text("A CAPTCHA was not solved.")).to_be_visible()
    expect(page.get_by_text("kernel auth connections login ma_hostile")).to_be_visible()
    probe = page.get_by_role("link", name="Fetch it now").get_attribute("href")
    assert "probe_success 1" in front.get("/" + probe)
    probe = page.get_by_role("link", name="see what is asked and answered").get_attribute("href")
    assert front.get("/" + probe).startswith("Probe of ma_hostile: success")
    page.get_by_role("link", name="All connections").click()
    expect(rows(page)).to_have_count(100)


@pytest.mark.parametrize("script", [True, False])
def test_what_is_asked_for_is_kept(open_page, script):
    page = open_page("/?q=example", java_script_enabled=script)
    expect(page.get_by_text("refreshes every 30 s")).to_be_visible()
    page.get_by_role("link", name="Pause").click()
    expect(page.get_by_text("paused")).to_be_visible()
    page.locator(".tile.person").click()
    page.get_by_role("columnheader", name="Domain").get_by_role("link").click()
    page.get_by_role("button", name="Filter").click()
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.url).query))
    assert asked == {"q": "example", "status": "needs-login", "sort": "domain", "refresh": "0"}
    domains = [text.lower() for text in page.locator("td.domain").all_inner_texts()]
    assert domains == sorted(domains) and len(domains) > 2
    rows(page).first.get_by_role("link").click()
    expect(page.get_by_text("paused")).to_be_visible()
    page.get_by_role("link", name="All connections").click()
    expect(page.get_by_text("paused")).to_be_visible()


def test_on_a_phone_nothing_is_swiped(open_page):
    page = open_page(viewport={"width": 390, "height": 844})
    first = rows(page).first
    for part in (".badge", ".left", ".profile", ".domain"):
        box = first.locator(part).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390, part
        assert box["y"] + box["height"] <= 844, part
    # Nor does one lie over the other.
    badge, left = (first.locator(part).bounding_box() for part in (".badge", ".left"))
    assert badge["x"] + badge["width"] <= left["x"]


def test_a_time_of_tomorrow_fits_a_phone(browser, start, simulator):
    api = simulator(connections=3, speed=0)
    tomorrow = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
    api.create_connection(
        id="ma_late",
        domain="late.example",
        profile_name="ada",
        flow_status="IN_PROGRESS",
        flow_type="LOGIN",
        flow_step="AWAITING_INPUT",
        flow_expires_at=tomorrow,
    )
    front = start("--web.listen-address=127.0.0.1:0", env={"KERNEL_API_KEY": api.key, "KERNEL_BASE_URL": api.url})
    front.get("/metrics")
    page = browser.new_page(viewport=PHONE)
    page.goto(front.url)
    expect(page.locator(".until").filter(has_text=tomorrow[:10])).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()


def test_no_script_is_needed(open_page):
    page = open_page("/?status=needs-login", java_script_enabled=False)
    assert rows(page).count() > 0
    page.get_by_role("link", name="Show all").click()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("Connections 101 to 200 of 431")).to_be_visible()
    scopes = page.locator("details table")
    expect(scopes).to_be_hidden()
    page.get_by_text("2 accounts and projects").click()
    expect(scopes).to_be_visible()


def test_keyboard_and_reader(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".tile.waiting")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    table = page.locator("table.connections")
    assert table.get_by_role("columnheader").count() >= 7
    assert table.get_by_role("rowheader").count() == 100
    expect(page.get_by_role("search")).to_have_count(1)
    for role in ("main", "banner", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_it_is_readable(open_page, scheme, width):
    paths = ("/", "/?q=ma_hostile", "/?q=nothing", "/?page=99&sort=-left&refresh=0", "/connection?id=ma_hostile")
    for path in paths:
        page = open_page(path, color_scheme=scheme, viewport={"width": width, "height": 844})
        # It takes seconds of a table; each width and each scheme is looked at once.
        if (width, scheme) in ((1366, "light"), (390, "dark")):
            found = Axe().run(page)
            assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
        # Wide tables scroll by themselves, the page does not.
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def fine(page):
    """Whether axe-core finds nothing, and nothing is swiped on a phone. Rows are
    alike, and whole tables are looked at above."""
    found = Axe().run(page, {"exclude": [["table.connections tbody tr:nth-child(n+11)"]]})
    assert found.violations_count == 0, f"{page.url}\n{found.generate_report()}"
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def test_what_is_not_there_is_readable(browser, front):
    page = browser.new_page()
    answer = page.goto(front.url + "/connection?id=" + urllib.parse.quote(HOSTILE))
    assert answer.status == 404
    fine(page)
    page.get_by_role("link", name="All connections").click()
    expect(rows(page)).to_have_count(100)
    page.close()


def test_one_of_two_is_chosen(browser, start, api, tmp_path):
    key = tmp_path / "key"
    key.write_text(api.key)
    key.chmod(0o600)
    config = tmp_path / "config.yml"
    config.write_text("accounts: [" + ", ".join(f"{{name: {name}, api_key_file: {key}}}" for name in ("blue", "green")) + "]")
    front = start(
        "--web.listen-address=127.0.0.1:0", f"--config.file={config}", env={"KERNEL_BASE_URL": api.url}
    )
    front.get("/metrics")
    page = browser.new_page()
    assert page.goto(front.url + "/connection?id=ma_hostile").ok
    expect(page.get_by_role("heading", level=1)).to_have_text("Which one?")
    fine(page)
    page.get_by_role("link", name="green").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("hostile.example")
    page.close()


def test_what_happened_is_told(browser, start, simulator):
    # Its clock goes: what ended before the exporter started does not count. Without a
    # published limit the exporter collects eight times a minute.
    api = simulator(connections=3, speed=1, rate_limit="100000/min")
    api.create_connection(id="ma_seen", domain="seen.example", profile_name="ada")
    front = start(
        "--web.listen-address=127.0.0.1:0",
        "--collector.timeline",
        env={"KERNEL_API_KEY": api.key, "KERNEL_BASE_URL": api.url},
    )
    front.get("/metrics")
    # Its times are whole seconds, and the exporter started within one.
    api.advance("2s")
    api.happen("ma_seen", "flow_starts", type="LOGIN")
    api.happen("ma_seen", "flow_ends", outcome="SUCCESS")
    wait_for(
        lambda: any(
            'outcome="SUCCESS"' in line and line.endswith(" 1")
            for line in front.get("/metrics").splitlines()
            if line.startswith("kernel_auth_connection_events_total") and '"ma_seen"' in line
        ),
        what="a login that is counted",
    )
    page = browser.new_page()
    page.goto(front.url + "/connection?id=ma_seen")
    history = page.get_by_role("region", name="What happened")
    expect(history).to_contain_text("Last login that succeeded")
    expect(history).to_contain_text("login: success1")
    fine(page)
    page.close()


def test_a_large_fleet_is_a_small_page(simulator, start):
    api = simulator(connections=10_000, speed=0, rate_limit="100000/min")
    front = start(
        "--web.listen-address=127.0.0.1:0",
        "--kernel.timeout=2m",
        env={"KERNEL_API_KEY": api.key, "KERNEL_BASE_URL": api.url},
    )
    front.get("/metrics", timeout=150)
    for path in ("/", "/?page=100", "/?sort=-checked&page=50", "/?q=example"):
        took = []
        for _ in range(5):
            started = time.monotonic()
            page = front.get(path)
            took.append(time.monotonic() - started)
        print(f"{path}: {len(page.encode()):,} bytes, {min(took) * 1e3:.0f} ms")
        assert page.count("<tr") > 100 and "of 10,000" in page
        assert len(page.encode()) < 100_000, path


def test_no_scrape_yet(browser, expose):
    fresh = expose()
    page = browser.new_page()
    page.goto(fresh.url)
    expect(page.get_by_text("No scrape yet.")).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    link = page.get_by_role("link", name="/metrics", exact=True)
    assert "kernel_auth_up" in fresh.get("/" + link.get_attribute("href"))
    page.reload()
    expect(page.get_by_text("The API answers")).to_be_visible()
    page.close()


# --- pictures -----------------------------------------------------------------

WAITING = "table.connections tbody tr:first-child a"


@pytest.fixture
def demo(simulator, start):
    """The demo's fleet, with what somebody may be called for, and an exporter that has seen it."""
    api = simulator(connections=250, projects=2, speed=0, rate_limit=6000)
    api.create_connection(
        id="ma_bank",
        domain="bank.example",
        profile_name="ada@example.com",
        status="NEEDS_AUTH",
        can_reauth=False,
        can_reauth_reason="requires_totp_without_secret",
        flow_status="FAILED",
        flow_type="LOGIN",
        error_code="captcha_blocked",
    )
    front = start(
        "--web.listen-address=127.0.0.1:0",
        "--kernel.project=all",
        "--collector.timeline",
        "--kernel.quota-share=1",
        env={"KERNEL_API_KEY": api.key, "KERNEL_BASE_URL": api.url},
    )
    front.get("/metrics")
    front.api = api
    return front


@pytest.fixture
def picture(browser, tmp_path):
    """Takes the picture of the first screen of a page; `STATUS_PAGE_SHOTS` keeps it."""
    kept = os.environ.get("STATUS_PAGE_SHOTS")
    place = ROOT / kept if kept else tmp_path
    contexts = []

    def take(name, url, viewport=DESK, **options):
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.goto(url)
        shot = place / f"{name}.png"
        page.screenshot(path=shot)
        assert shot.stat().st_size < 200_000
        fine(page)
        page.set_viewport_size(viewport)
        return page

    yield take
    for context in contexts:
        context.close()


def in_first_screen(page, selector=WAITING):
    """Whether the first of the table is seen without scrolling."""
    box = page.locator(selector).first.bounding_box()
    return box["y"] + box["height"] <= page.viewport_size["height"]


def test_pictures_of_the_fleet(demo, picture):
    for scheme, viewport, name in [
        ("light", DESK, "status-page"),
        ("dark", DESK, "status-page-dark"),
        ("light", PHONE, "status-page-phone"),
        ("dark", PHONE, "status-page-phone-dark"),
    ]:
        page = picture(name, demo.url, viewport, color_scheme=scheme)
        expect(page.get_by_text("The API answers.")).to_be_visible()
        assert in_first_screen(page)


@pytest.mark.parametrize(
    "name, fault, words",
    [
        ("401", "status=401", "refused the key (401)"),
        ("outage", "status=503", "failed with a server error (5xx)"),
        ("unreadable-row", "malformed-row=no-id,endpoint=connections,times=1", "gave rows that cannot be read"),
    ],
)
def test_pictures_of_what_goes_wrong(demo, picture, name, fault, words):
    demo.api.faults(fault)
    demo.get("/metrics")
    for viewport, kind in [(DESK, ""), (PHONE, "-phone")]:
        page = picture(f"status-page-{name}{kind}", demo.url, viewport)
        expect(page.locator(".api")).to_contain_text(words)
        assert in_first_screen(page)


def test_pictures_of_one_connection(demo, picture):
    for viewport, kind in [(DESK, ""), (PHONE, "-phone")]:
        page = picture(f"connection-page{kind}", demo.url + "/connection?id=ma_bank", viewport)
        expect(page.get_by_text("A CAPTCHA was not solved.")).to_be_visible()
        assert in_first_screen(page, ".help pre")
    waits = next(row["id"] for row in demo.api.world() if row["object"].get("flow_step") == "AWAITING_INPUT")
    page = picture("connection-page-waiting", f"{demo.url}/connection?id={waits}")
    expect(page.locator(".help")).to_contain_text("A login waits")
