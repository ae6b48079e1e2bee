"""The operator's console in a real browser, on real programs: what is shown is true, and every action does what it said."""

import hashlib
import re
import secrets

import browser
import pytest
from booking_site import CID, Site, eventually, new_id
from conftest import BUILD, MANY
from playwright.sync_api import expect
from stack import Stack

VIEWER = secrets.token_urlsafe(24)
TABS = {
    "오늘": "today",
    "잡힌 시간": "holds",
    "결제": "payments",
    "메시지": "messages",
    "하루 마감": "day",
}


@pytest.fixture(scope="module")
def chromium():
    with browser.started() as b:
        yield b


@pytest.fixture(scope="module")
def _desk(chromium):
    viewer = {
        "roles": "viewer",
        "cids": "TC0ONETIME, TCSUBSCRIP",
        "token_sha256": hashlib.sha256(VIEWER.encode()).hexdigest(),
    }
    conf = {**MANY, "caller minji": viewer}
    with Stack(BUILD, conf=conf) as stack:
        yield Site(stack)


@pytest.fixture
def desk(_desk):
    yield _desk
    _desk.sim.no_faults()
    _desk.stack.auto_remove = True


@pytest.fixture
def operator(chromium, desk):
    """operator(lang=..., phone=...): somebody who has signed in."""
    opened = []

    def enter(view="today", token=None, **how):
        context = chromium.user(**how)
        user = context.__enter__()
        opened.append(context)
        user.page.goto(f"{desk.base}/console/#/{view}")
        sign_in(user, token or desk.tokens["operator"])
        expect(user.page.locator("header nav")).to_be_visible()
        return user

    yield enter
    for context in opened:
        context.__exit__(None, None, None)


def sign_in(user, token):
    user.page.locator("#token").fill(token)
    user.page.locator("#token").press("Enter")


def look_at(user, view):
    user.page.evaluate("h => { location.hash = h; }", f"#/{view}")
    expect(user.page.locator("h1")).to_be_visible()


def look_again(user):
    """As if the window came to the front: it does not wait for its next look."""
    user.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def press(user, name):
    user.page.get_by_role("button", name=name, exact=True).first.click()


def preview(user, reason, **fields):
    dialog = user.page.locator("dialog")
    for name, value in fields.items():
        e = dialog.locator(f"[name={name}]")
        (e.select_option if name in ("as", "peer") else e.fill)(value)
    dialog.locator("[name=reason]").fill(reason)
    press(user, "미리 보기")
    expect(dialog.locator(".answer h3")).to_have_text("실행하면")
    return dialog


def paid(desk, **more):
    body, _, a = desk.paid(order="o-" + new_id(), **more)
    assert a.status == 200, a
    eventually(lambda: desk.held(body["reservationInfo"]["roomId"]) == [], 15)
    return a.body["payment"]["tid"], body


def events(desk, order):
    return list(desk.db.ledger.find({"partner_order_id": order}).sort("n"))


@pytest.fixture
def late(desk):
    """A payment whose message the reservation service did not take: its tid. At the end it has it."""
    desk.stack.reservation.fail(503, 1, ("Retry-After", "3600"))
    _, _, a = desk.paid(order="o-" + new_id(), item_name="소나무방 3시간", total=36000)
    tid = a.body["payment"]["tid"]
    eventually(lambda: tid in [m["tid"] for m in desk.stack.reservation.attempts], 10)
    yield tid
    if not is_told(desk, tid):
        desk.stack.ctl("deliveries", "retry", f"payment.approved.{tid}", "--reason", "the end")
        eventually(lambda: is_told(desk, tid), 20)


def is_told(desk, tid):
    return tid in [m["data"]["tid"] for m in desk.stack.reservation.received]


@pytest.fixture
def unknown(desk):
    """A payment that KakaoPay took, whose answer was lost: (tid, order)."""
    desk.stack.stop("courier")
    desk.sim.fault("approve", "close-after")
    desk.sim.fault("order", "http-500", times=0)
    body, _, a = desk.paid(order="o-" + new_id())
    assert a.status == 202 and a.body["charged"] == "unknown", a
    desk.sim.no_faults()
    tid = a.body["tid"]
    yield tid, body["paymentInfo"]["partner_order_id"]
    desk.stack.start("courier")
    eventually(lambda: is_told(desk, tid), 20)


# --- who


def test_a_wrong_token_is_told_and_the_right_one_is_kept_in_memory_alone(chromium, desk):
    with chromium.user() as user:
        user.page.goto(desk.base + "/console/")
        user.check("console-sign-in")
        sign_in(user, "wrong")
        expect(user.page.get_by_role("alert")).to_contain_text("이 토큰으로는 들어갈 수 없습니다")
        sign_in(user, desk.tokens["gateway"])
        expect(user.page.get_by_role("alert")).to_contain_text("이 토큰으로는 들어갈 수 없습니다")
        sign_in(user, desk.tokens["operator"])
        expect(user.page.locator("h1")).to_have_text("오늘")
        kept = user.page.evaluate(
            "[document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), location.href]"
        )
        assert kept == ["", "{}", "{}", f"{desk.base}/console/#/today"] or kept[:3] == [
            "",
            "{}",
            "{}",
        ]
        assert desk.tokens["operator"] not in user.page.content() + "".join(kept)
        user.page.reload()
        expect(user.page.locator("#token")).to_be_focused()


def test_a_viewer_is_offered_no_action_and_can_do_none(operator, desk):
    tid, body = paid(desk)
    user = operator(token=VIEWER, view=f"payment/{tid}")
    expect(user.page.locator(".who")).to_contain_text("minji · 보기 전용")
    expect(user.page.locator("main")).to_contain_text("보기 전용 토큰이라 처리할 수 없습니다")
    names = user.page.locator("main button").all_inner_texts()
    assert names == ["새로 고침"], names
    look_at(user, "messages")
    expect(user.page.locator("h1")).to_have_text("메시지")
    assert user.page.locator("main button").count() == 0
    for path, more in (("refund", {"refundId": "r-1"}), ("release", {}), ("settle", {})):
        answer = user.page.request.post(
            f"{desk.base}/console/api/{path}",
            data={"tid": tid, "reason": "x", **more},
            headers={"Authorization": f"Bearer {VIEWER}"},
        )
        assert answer.status == 403, path
    assert len(events(desk, body["paymentInfo"]["partner_order_id"])) == 3


def test_a_token_that_is_taken_back_ends_the_session(operator, desk):
    user = operator()
    user.page.route(
        "**/api/waiting",
        lambda r: r.continue_(headers={**r.request.headers, "authorization": "Bearer gone"}),
    )
    press(user, "새로 고침")
    expect(user.page.get_by_role("alert").first).to_contain_text("토큰이 더는 유효하지 않습니다")
    expect(user.page.locator("#token")).to_be_visible()


# --- what is so


def test_today_says_whether_payments_are_taken(operator, desk):
    user = operator()
    expect(user.page.locator("#can-pay")).to_have_text("결제를 받고 있습니다")
    desk.stack.stop("queued")
    try:
        look_again(user)
        expect(user.page.locator("#can-pay")).to_have_text(
            "결제를 받을 수 없습니다", timeout=20_000
        )
        expect(user.page.locator("#said")).to_contain_text("결제를 받을 수 없습니다")
        user.check("console-today-shut")
    finally:
        desk.stack.start("queued")
    look_again(user)
    expect(user.page.locator("#can-pay")).to_have_text("결제를 받고 있습니다", timeout=20_000)


def test_held_times_lead_to_their_payment(operator, desk):
    body, a = desk.opened(day=[1, 3], start=[10, 18.5], end=[12, 20])
    room = body["reservationInfo"]["roomId"]
    user = operator(view=f"holds?roomId={room}")
    blocks = user.page.locator(f"section[aria-labelledby=room-{room}] .hours a")
    expect(blocks).to_have_text(["10:00–12:00 결제 대기", "18:30–20:00 결제 대기"])
    blocks.first.click()
    expect(user.page.locator(".mono").first).to_have_text(a.body["tid"])
    expect(user.page.locator("main")).to_contain_text("카카오페이 결제창이 열려 있고")


def test_payments_are_found_and_their_texts_are_text(operator, desk):
    user_id = "찾는이-" + new_id()
    tid, _ = paid(
        desk, user=user_id, item_name="<img src=x onerror=alert(1)><b>방</b>", total=1234000
    )
    other, _ = paid(desk)
    user = operator(view="payments")
    user.page.locator("#value").fill(user_id)
    user.page.locator("#value").press("Enter")
    rows = user.page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("<img src=x onerror=alert(1)><b>방</b>")
    expect(rows).to_contain_text("1,234,000원")
    expect(rows).to_contain_text("KST")
    expect(user.page.locator("#said")).to_have_text("결제 1건을 찾았습니다.")
    with user.page.expect_download() as file:
        press(user, "CSV로 받기")
    text = file.value.path().read_text()
    assert tid in text and other not in text
    user.page.locator("#by").select_option("tid")
    user.page.locator("#value").fill(other)
    press(user, "찾기")
    expect(user.page.locator("h1 ~ p, .head p").first).to_contain_text(other)
    user.page.locator("header").get_by_role("link", name="결제", exact=True).click()
    user.page.locator("#by").select_option("roomId")
    user.page.locator("#value").fill("no room")
    press(user, "찾기")
    expect(user.page.locator(".wrong")).to_contain_text("24자리 16진수")
    look_at(user, "payment/T0000000000000000000")
    expect(user.page.get_by_role("alert")).to_be_visible()


# --- what is done


def test_an_unknown_payment_is_settled(operator, desk, late, unknown):
    tid, order = unknown
    user = operator()
    wait = user.page.locator(".waits li", has_text=order)
    expect(wait).to_contain_text("결과 모름")
    expect(user.page.locator("tr", has_text=late)).to_contain_text("재시도 대기")
    user.check("console-today")
    user.picture("readme-console.ko")
    press(user, "English")
    expect(wait).to_contain_text("end unknown")
    user.picture("readme-console")
    press(user, "한국어")
    wait.get_by_role("link").click()
    press(user, "결과 확정")
    user.page.locator("[name=as]").select_option("declined")  # KakaoPay knows better
    user.page.locator("[name=reason]").fill("잘못 본 콘솔")
    press(user, "미리 보기")
    expect(user.page.locator("dialog .answer.bad")).to_be_visible()
    expect(user.page.get_by_role("button", name="실행", exact=True)).to_be_hidden()
    user.page.locator("[name=as]").select_option("")
    dialog = preview(user, "손님 전화, 20분 지남")
    expect(dialog).to_contain_text("결과 모름 → 결제됨")
    user.check("console-settle")
    assert [e["kind"] for e in events(desk, order)][-1] == "unknown"
    press(user, "실행")
    expect(dialog.locator(".answer h3")).to_have_text("처리했습니다")
    press(user, "닫기")
    expect(user.page.locator(".timeline")).to_contain_text("손님 전화, 20분 지남")
    expect(user.page.locator(".timeline")).to_contain_text("operator")
    assert len(desk.sim.captures(order)) == 1 == len(desk.payments(order))


def test_a_review_ends_by_a_persons_decision(operator, desk):
    desk.sim.fault("approve", "wrong-quantity")
    body, _, a = desk.paid(order="o-" + new_id())
    assert a.body["state"] == "review", a
    tid, order = a.body["payment"]["tid"], body["paymentInfo"]["partner_order_id"]
    user = operator()
    user.page.locator(".waits li", has_text=order).get_by_role("link").click()
    expect(user.page.locator(".sum-up")).to_contain_text("확인 필요")
    press(user, "결과 확정")
    dialog = preview(user, "콘솔에서 확인함", **{"as": "approved"})
    expect(dialog).to_contain_text("확인 필요 → 결제됨")
    press(user, "실행")
    press(user, "닫기")
    expect(user.page.locator(".sum-up")).to_contain_text("결제됨")
    assert events(desk, order)[2]["kind"] == "approved", events(desk, order)
    eventually(lambda: is_told(desk, tid))


def test_a_message_is_sent_again(operator, desk, late):
    user, tid = operator(), late
    row = user.page.locator("section", has_text="전달되지 않은 메시지").locator("tr", has_text=tid)
    expect(row).to_contain_text("재시도 대기")
    row.get_by_role("link", name="결제 알림").click()
    expect(user.page.locator("section[aria-labelledby=tries] tbody tr")).to_have_count(1)
    user.check("console-message")
    press(user, "다시 보내기")
    dialog = preview(user, "예약 서비스 고침")
    press(user, "실행")
    expect(dialog.locator(".answer h3")).to_have_text("처리했습니다")
    eventually(lambda: is_told(desk, tid))
    press(user, "닫기")
    look_at(user, f"payment/{tid}")
    tries = user.page.locator(".timeline li", has_text="결제 알림")
    expect(tries).to_have_count(2)
    expect(tries.nth(0)).to_contain_text("503")
    expect(tries.nth(1)).to_contain_text("받았음")


def test_a_refund_is_shown_first_and_a_double_click_pays_once(operator, desk):
    tid, body = paid(desk, total=11000)
    user = operator(view=f"payment/{tid}")
    press(user, "환불")
    dialog = preview(user, "에어컨 고장", cancel_amount="3000")
    expect(dialog).to_contain_text("3,000원을 돌려줍니다. 그다음 남는 금액: 8,000원")
    user.check("console-refund")
    assert cancels(desk, tid) == []
    dialog.locator("[name=cancel_amount]").fill("4000")  # a change takes the preview back
    expect(user.page.get_by_role("button", name="실행", exact=True)).to_be_hidden()
    press(user, "미리 보기")
    user.page.get_by_role("button", name="실행", exact=True).dblclick()
    expect(dialog).to_contain_text("4,000원을 돌려주었습니다. 남은 금액: 7,000원")
    press(user, "닫기")
    expect(user.page.locator("main")).to_contain_text("일부 환불")
    expect(user.page.locator(".timeline")).to_contain_text("에어컨 고장")
    assert cancels(desk, tid) == [4000]
    press(user, "환불")
    dialog = preview(user, "한 번 더", cancel_amount="4000")  # the same amount a moment later
    press(user, "실행")
    expect(dialog.locator(".answer.bad")).to_be_visible()
    assert cancels(desk, tid) == [4000]
    press(user, "미리 보기")
    dialog.locator("[name=again]").check()
    press(user, "실행")
    expect(dialog).to_contain_text("남은 금액: 3,000원")
    assert cancels(desk, tid) == [4000, 4000]


def cancels(desk, tid):
    return [c["amount"]["total"] for c in desk.sim.get(f"/cancels?tid={tid}")["cancels"]]


def test_an_answer_that_is_lost_on_its_way_pays_once(operator, desk):
    tid, _ = paid(desk, total=5000)
    user = operator(view=f"payment/{tid}")
    press(user, "환불")
    dialog = preview(user, "전액")
    user.page.route("**/api/refund", lambda r: (r.fetch(), r.abort()))
    press(user, "실행")
    expect(dialog).to_contain_text("처리되었을 수도, 아닐 수도 있습니다")
    user.check("console-answer-lost")
    user.page.unroute("**/api/refund")
    press(user, "같은 요청 다시 보내기")
    expect(dialog.locator(".answer h3")).to_have_text("처리했습니다")
    assert cancels(desk, tid) == [5000]


def test_a_held_time_is_released(operator, desk):
    desk.stack.auto_remove = False
    body, _, a = desk.paid(order="o-" + new_id())
    tid, room = a.body["payment"]["tid"], body["reservationInfo"]["roomId"]
    user = operator(view=f"payment/{tid}")
    press(user, "잡은 시간 풀기")
    dialog = preview(user, "달력에 손으로 넣음")
    expect(dialog).to_contain_text("잡아 둔 시간을 풉니다. 지금 상태: 결제됨")
    assert len(desk.held(room)) == 1
    press(user, "실행")
    expect(dialog).to_contain_text("잡아 둔 시간을 풀었습니다")
    press(user, "닫기")
    assert desk.held(room) == []
    expect(user.page.locator(".timeline")).to_contain_text("달력에 손으로 넣음")
    expect(user.page.get_by_role("button", name="잡은 시간 풀기")).to_have_count(0)


def test_a_day_is_compared_and_kept_as_a_file(operator, desk):
    tid, _ = paid(desk, total=7000)
    desk.sim.post("/cancel", {"tid": tid, "amount": 2000})
    user = operator(view="day")
    expect(user.page.locator("section", has_text="정산").locator("tbody tr").first).to_contain_text(
        CID
    )
    press(user, "대조 시작")
    row = user.page.locator("section[aria-labelledby=reconcile] tbody tr", has_text=tid)
    expect(row).to_contain_text("밖에서 환불됨", timeout=30_000)
    expect(row).to_contain_text("2,000원")
    user.check("console-day")
    with user.page.expect_download() as file:
        press(user, "정산 CSV")
    assert CID in file.value.path().read_text()
    row.get_by_role("link").click()
    expect(user.page.locator(".head")).to_contain_text(tid)


def test_a_test_message_and_all_that_is_late(operator, desk, late):
    user = operator(view="messages")
    press(user, "게이트웨이에 시험 메시지")
    press(user, "실행")
    expect(user.page.locator("dialog .answer.ok")).to_contain_text("받았습니다")
    press(user, "닫기")
    press(user, "모두 다시 보내기")
    dialog = preview(user, "모두 한 번 더")
    expect(dialog).to_contain_text("메시지 1개를 보냅니다")
    press(user, "실행")
    expect(dialog).to_contain_text("1개를 다시 보내도록 했습니다")
    eventually(lambda: is_told(desk, late))


# --- how it feels


def test_the_server_goes_away_and_comes_back(operator, desk):
    user = operator()
    expect(user.page.locator("#can-pay")).to_be_visible()
    desk.stack.stop("web")
    try:
        look_again(user)
        expect(user.page.locator("#lost")).to_contain_text("서버에 닿지 않습니다", timeout=20_000)
        expect(user.page.locator("#can-pay")).to_be_visible()  # what was known stays
        user.check("console-away")
        user.page.get_by_role("link", name="결제", exact=True).click()
        expect(user.page.get_by_role("alert").last).to_contain_text("서버에 닿지 않습니다")
    finally:
        desk.stack.start("web")
    press(user, "다시 시도")
    expect(user.page.locator("h1")).to_have_text("결제")
    expect(user.page.locator("#lost")).to_be_hidden()


def test_the_keyboard_alone_refunds(operator, desk):
    tid, _ = paid(desk, total=9000)
    user = operator(view=f"payment/{tid}")
    keys, page = user.page.keyboard, user.page
    expect(page.locator("h1")).to_be_focused()
    button = page.get_by_role("button", name="환불", exact=True)
    for _ in range(20):
        if button.evaluate("e => e === document.activeElement"):
            break
        keys.press("Tab")
    keys.press("Enter")
    keys.press("Escape")
    expect(button).to_be_focused()
    keys.press("Enter")
    expect(page.locator("[name=cancel_amount]")).to_be_focused()
    keys.press("Tab")
    keys.type("손님 요청")
    keys.press("Enter")
    expect(page.locator("dialog .answer h3")).to_have_text("실행하면")
    expect(page.locator("dialog .answer")).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")
    expect(page.locator("dialog .answer h3")).to_have_text("처리했습니다")
    assert cancels(desk, tid) == [9000]


VIEWS = (
    "today",
    "holds",
    "payments",
    "payment/{}",
    "messages",
    "message/payment.approved.{}",
    "day",
)


def walk(user, tid, see):
    for view in VIEWS:
        look_at(user, view.format(tid))
        expect(user.page.locator("h1")).to_be_focused()
        see("console-view-" + view.split("/")[0])


@pytest.mark.parametrize(
    ("lang", "phone", "scheme"), [("ko", False, "light"), ("en", True, "dark")]
)
def test_nobody_is_shut_out_of_any_view(operator, desk, lang, phone, scheme):
    tid, _ = paid(desk)
    desk.opened(day=[2], start=[14], end=[17])
    user = operator(lang=lang, phone=phone, scheme=scheme)
    walk(user, tid, user.check)
    assert user.page.locator("html").get_attribute("lang") == lang
    user.page.get_by_role("button", name={"ko": "English", "en": "한국어"}[lang]).click()
    expect(user.page.locator("html")).to_have_attribute("lang", {"ko": "en", "en": "ko"}[lang])


@pytest.mark.parametrize(
    ("lang", "phone", "scheme"), [("ko", True, "light"), ("en", False, "dark")]
)
def test_pictures_of_the_other_half(operator, desk, lang, phone, scheme):
    tid, _ = paid(desk)
    user = operator(lang=lang, phone=phone, scheme=scheme)
    walk(user, tid, user.shoot)


def test_both_languages_have_the_same_words(operator):
    shape = """async () => {
      const { words } = await import('./words.js');
      const keys = (o, at) => Object.entries(o).flatMap(([k, v]) => typeof v === 'object'
        ? keys(v, `${at}/${k}`) : [`${at}/${k} ${typeof v}`]);
      return [keys(words.ko, ''), keys(words.en, '')];
    }"""
    ko, en = operator().page.evaluate(shape)
    assert ko == en and len(ko) > 200


def test_the_page_forbids_everything_foreign(operator, desk):
    user = operator()
    asked = []
    user.page.on("request", lambda r: asked.append(r.url))
    user.page.reload()
    expect(user.page.locator("#token")).to_be_visible()
    assert asked and all(url.startswith(desk.base + "/console/") for url in asked)
    policy = user.page.request.get(desk.base + "/console/").headers["content-security-policy"]
    assert re.match("default-src 'self'", policy) and "unsafe" not in policy
