"""examples/booking-site as its users have it: a browser, a hand on the mouse, the back button, a phone."""

import re

import browser
import pytest
import shop as shops
from booking_site import eventually
from playwright.sync_api import expect

ROOM = shops.ROOMS[0]


@pytest.fixture(scope="module")
def chromium():
    with browser.started() as b:
        yield b


@pytest.fixture(scope="module")
def _shop(chromium):
    with shops.opened(fcgi={"deadline": 5000}) as s:  # a lost answer is given up sooner
        yield s


@pytest.fixture
def shop(_shop):
    yield _shop
    _shop.sim.no_faults()


@pytest.fixture
def person(chromium, shop):
    """person(lang=..., phone=...): somebody who looks at the calendar."""
    opened = []

    def enter(*, path="/", **how):
        context = chromium.user(**how)
        user = context.__enter__()
        opened.append(context)
        user.page.goto(shop.url + path)
        return user

    yield enter
    for context in opened:
        context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def times(_shop):
    """times(): an hour of the calendar that no other test has, as `day-hour`, free for two hours."""
    days = re.findall(r'value="(\d)-9"', _shop.grid(ROOM))
    return iter([f"{day}-{hour}" for day in days[1:] for hour in (10, 13, 16, 19)]).__next__


def slot(page, time):
    return page.locator(f'.grid .slot[value="{time}"]')


def choose(user, time, hours=1):
    day, hour = map(int, time.split("-"))
    slot(user.page, time).click()
    if hours > 1:
        slot(user.page, f"{day}-{hour + hours - 1}").click()


def held(shop):
    """The times whose hold is alive: those of a test before this one, too."""
    return {f"{h['day']}-{h['startTime']:g}" for h in shop.site.held(ROOM)}


def go_to_kakaopay(user, time, hours=1):
    choose(user, time, hours)
    user.page.locator("#pay").click()
    expect(user.page).to_have_title(re.compile("KakaoPay"))


def pay(user):
    user.page.locator("button.pay").click()


def shows(user, time, state):
    """The calendar that is open in a window, when the window comes to the front."""
    user.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(slot(user.page, time)).to_have_class(re.compile(state))


def says(user, words):
    expect(user.page.locator("h1")).to_have_text(words)


def test_a_purchase_on_a_desk(person, shop, times):
    user, time = person(lang="ko"), times()
    user.shoot("site-1-calendar")
    choose(user, time, hours=2)
    expect(user.page.locator("#chosen")).to_contain_text("11,000원")
    user.check("site-2-chosen")
    user.page.locator("#pay").click()
    expect(user.page).to_have_title(re.compile("KakaoPay"))
    user.shoot("site-3-kakaopay")
    pay(user)
    says(user, "예약이 확정되었습니다")
    assert len(shop.captures(user.page)) == 1
    user.check("site-4-booked")
    user.page.get_by_role("link", name="내 결제").first.click()
    user.check("site-5-mine")
    user.page.goto(shop.url)
    shows(user, time, "mine")
    user.shoot("site-6-calendar-after")


def test_a_purchase_on_a_phone_in_the_dark(person, shop, times):
    user, time = person(lang="en", phone=True, scheme="dark"), times()
    user.shoot("site-1-calendar")
    choose(user, time)
    user.check("site-2-chosen")
    user.page.locator("#pay").tap()
    expect(user.page).to_have_url(re.compile("/mobile-web/"))
    user.shoot("site-3-kakaopay")
    user.page.locator("button.pay").tap()
    says(user, "Booked")
    user.check("site-4-booked")
    user.page.get_by_role("link", name="My payments").last.tap()
    expect(user.page.locator(".list li")).to_have_count(1)
    user.check("site-5-mine")


def test_the_keyboard_alone_pays(person, shop, times):
    user, time = person(lang="ko"), times()
    slot(user.page, time).focus()
    user.page.keyboard.press("Enter")
    expect(slot(user.page, time)).to_have_attribute("aria-pressed", "true")
    user.page.locator("#pay").focus()
    user.page.keyboard.press("Enter")
    expect(user.page).to_have_title(re.compile("KakaoPay"))
    user.page.locator("button.pay").press("Enter")
    says(user, "예약이 확정되었습니다")


def test_without_scripts_an_hour_is_booked(chromium, shop, times):
    with chromium.user(lang="en", java_script_enabled=False) as user:
        user.page.goto(shop.url)
        slot(user.page, times()).click()
        pay(user)
        eventually(lambda: user.page.reload() and "Booked" in user.page.content(), 15, 0.3)


def test_who_cancels_on_kakaopays_page_gives_the_time_back(person, shop, times):
    user, other, time = person(lang="ko"), person(lang="en"), times()
    go_to_kakaopay(user, time)
    shows(other, time, "held")
    other.shoot("site-7-held-by-another")
    user.page.locator("button.cancel").click()
    says(user, "결제를 그만두셨습니다")
    user.check("site-8-cancelled")
    shows(other, time, "free")
    assert shop.captures(user.page) == []


def test_a_double_click_pays_once(person, shop, times):
    user, time = person(lang="ko"), times()
    choose(user, time)
    before = len(shop.site.calls("ready"))
    user.page.locator("#pay").dblclick(no_wait_after=True)
    expect(user.page).to_have_title(re.compile("KakaoPay"))
    assert len(shop.site.calls("ready")) == before + 1
    shop.sim.latency("page", 300)
    try:
        user.page.locator("button.pay").dblclick(no_wait_after=True)
        says(user, "예약이 확정되었습니다")
    finally:
        shop.sim.latency("page", 0)
    assert len(shop.captures(user.page)) == 1


def test_reload_and_back_after_the_payment_charge_nothing_more(person, shop, times):
    user = person(lang="ko")
    go_to_kakaopay(user, times())
    returned = []
    user.page.on("request", lambda r: returned.append(r.url) if "/pay/ok?" in r.url else None)
    pay(user)
    says(user, "예약이 확정되었습니다")
    order = user.page.url
    for _ in range(2):
        user.page.goto(returned[0])
        says(user, "예약이 확정되었습니다")
        user.page.reload()
        says(user, "예약이 확정되었습니다")
    while "KakaoPay" not in user.page.title():
        user.page.go_back()
    expect(user.page.locator("button.pay")).to_have_count(0)  # its page knows, too
    user.page.goto(order)
    says(user, "예약이 확정되었습니다")
    assert len(shop.captures(user.page)) == 1


def test_back_from_kakaopays_page_and_another_choice(person, shop, times):
    user, time, better = person(lang="en"), times(), times()
    go_to_kakaopay(user, time)
    user.page.go_back()
    shows(user, time, "held")
    go_to_kakaopay(user, better)
    pay(user)
    says(user, "Booked")
    user.page.goto(shop.url)
    shows(user, better, "mine")
    shows(user, time, "free")
    assert len(shop.sim.captures()) - len(shop.site.payments()) == 0


def test_two_users_fight_for_one_time(person, shop, times):
    one, two, time = person(lang="ko"), person(lang="en", phone=True), times()
    choose(one, time)
    choose(two, time)
    one.page.locator("#pay").click()
    expect(one.page).to_have_title(re.compile("KakaoPay"))
    two.page.evaluate("document.querySelector('#pay').click()")  # before its page is fresh again
    expect(two.page.get_by_role("alert")).to_contain_text("somebody is paying for this time")
    two.check("site-9-taken")
    pay(one)
    says(one, "예약이 확정되었습니다")
    shows(two, time, "sold")
    go_to_kakaopay(two, times())
    one.page.goto(shop.url)
    late = times()
    choose(one, late, hours=3)
    one.check("site-all-colours")
    one.picture("readme-site.ko")
    one.page.get_by_role("button", name="English").click()
    choose(one, late, hours=3)
    one.picture("readme-site")
    two.page.locator("button.cancel").tap()


def test_an_expired_hold_is_paid_unless_another_took_the_time(person, shop, times):
    late, lucky, quick = person(lang="en"), person(lang="en"), person(lang="ko", phone=True)
    time, other = times(), times()
    with shop.hold_ttl(1):
        go_to_kakaopay(late, time)
        go_to_kakaopay(lucky, other)
        eventually(lambda: not {time, other} & held(shop))
    go_to_kakaopay(quick, time)
    assert time in held(shop)
    pay(late)
    says(late, "Not paid")
    late.check("site-10-not-paid")
    pay(quick)
    says(quick, "예약이 확정되었습니다")
    pay(lucky)
    says(lucky, "Booked")
    assert [len(shop.captures(u.page)) for u in (late, quick, lucky)] == [0, 1, 1]


def test_kakaopay_is_away(person, shop, times):
    user, time = person(lang="ko", phone=True), times()
    choose(user, time)
    shop.stack.stop("sim")
    try:
        user.page.locator("#pay").tap()
        expect(user.page.get_by_role("alert")).to_contain_text("결제된 금액은 없습니다")
        user.check("site-11-kakaopay-away")
    finally:
        shop.stack.start("sim")
    go_to_kakaopay(user, time)
    pay(user)
    says(user, "예약이 확정되었습니다")


def test_kakaopays_answer_is_lost(person, shop, times):
    user = person(lang="en")
    go_to_kakaopay(user, times())
    shop.sim.fault("approve", "close-after")
    shop.sim.fault("order", "http-500", times=0)
    pay(user)
    expect(user.page.locator("h1")).to_have_text("We are checking your payment", timeout=20_000)
    user.check("site-12-checking")
    shop.sim.no_faults()
    expect(user.page.locator("h1")).to_have_text("Booked", timeout=20_000)
    assert len(shop.captures(user.page)) == 1


def test_a_closed_tab_is_found_again(person, shop, times):
    user = person(lang="ko")
    go_to_kakaopay(user, times())
    user.page.close()
    user.page = user.context.new_page()
    user.page.goto(shop.url + "/me")
    user.page.locator(".list a").first.click()
    says(user, "결제를 기다리고 있습니다")
    user.check("site-13-found-again")
    user.page.get_by_role("link", name="결제 계속하기").click()
    pay(user)
    says(user, "예약이 확정되었습니다")


def test_a_refund_goes_back_and_frees_the_time(person, shop, times):
    user, other, time = person(lang="en"), person(lang="ko"), times()
    go_to_kakaopay(user, time)
    pay(user)
    says(user, "Booked")
    asked = []
    user.page.once("dialog", lambda d: (asked.append(d.message), d.dismiss()))
    user.page.get_by_role("button", name="Ask for a refund").click()
    says(user, "Booked")  # who thinks better of it keeps the room
    user.page.once("dialog", lambda d: d.accept())
    user.page.get_by_role("button", name="Ask for a refund").click()
    says(user, "Refunded")
    assert len(asked) == 1
    user.check("site-14-refunded")
    shows(other, time, "free")
    assert sum(c["amount"]["total"] for c in shop.sim.get("/cancels")["cancels"]) == 5500


def test_both_languages_and_somebody_elses_order(person, shop, times):
    user, other = person(lang="ko"), person(lang="ko", phone=True)
    user.page.get_by_role("button", name="English").click()
    expect(user.page.locator("html")).to_have_attribute("lang", "en")
    expect(user.page.locator(".lead")).to_have_text("Tap a free time and pay with KakaoPay.")
    user.shoot("site-15-in-english")
    go_to_kakaopay(user, times())
    pay(user)
    says(user, "Booked")
    other.page.goto(user.page.url)
    says(other, "404")
    other.check("site-16-not-theirs")
