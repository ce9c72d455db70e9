"""What codes, numbers and times are called on the screen."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone

from shared.contracts.codes import bodies

TOKYO = timezone(timedelta(hours=9), "JST")
SERVICES = {
    "intake": "相談受付",
    "referral": "つなぎ",
    "meetings": "会議",
    "metrics": "指標",
    "views": "各機関のビュー",
}
STATES = {"up": "稼働中", "starting": "準備中", "down": "停止中"}
SUBSCRIPTIONS = {
    "active": "有効",
    "paused": "一時停止",
    "quarantined": "隔離",
    "key_revoked": "鍵の失効",
    "ended": "終了",
    "none": "システム連携なし",
    "unknown": "不明",
}
WAYS = {
    "topic": "トピック",
    "feed": "フィード",
    "webhook": "Webhook",
    "file": "ファイル",
    "mail": "メール",
    "fax": "FAX",
}
BREAKER = {"open": "停止中", "half_open": "再試行中"}
NEEDS = {
    "quarantined": "隔離",
    "overdue": "返却確認の期限超過",
    "parked": "受け取られない文書",
    "astray": "不着の送付状",
    "breaker": "Webhookの停止",
    "differs": "ブローカーとの相違",
}
REFUSED = {
    "key": "鍵",
    "webhook": "Webhookの宛先",
    "cursor": "カーソル",
    "receipt": "受領ファイルの署名",
    "size": "大きすぎる本文",
    "form": "本文の形式",
    "handle": "保有しない文書",
    "document": "作成されていない版",
    "line": "受領ファイルの行",
    "digest": "文書の要約値の不一致",
}
REFERRALS = {
    "requested": "依頼",
    "received": "受領",
    "accepted": "受入れ",
    "in_progress": "支援中",
    "completed": "終了",
    "declined": "受入れ不可",
}
NOTHING = "—"


def fiscal_year(year: int) -> str:
    """令和N年度 = 2018 + N, beside the western year."""
    if year <= 2018:
        return f"{year}年度"
    era = "元" if year == 2019 else str(year - 2018)
    return f"令和{era}年度({year}年度)"


def number(value: float | None) -> str:
    """1,646 · 42.5 · — for what is not known."""
    if value is None:
        return NOTHING
    return f"{value:,.1f}" if value % 1 else f"{int(value):,}"


def signed(value: float) -> str:
    """+3 · −12 · ±0."""
    value = round(value, 1)
    sign = "±" if value == 0 else "+" if value > 0 else "−"
    return sign + number(abs(value))


def duration(seconds: float) -> str:
    if seconds < 1:
        return "なし"
    for size, unit in ((86400, "日"), (3600, "時間"), (60, "分")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}秒"


def moment(at: datetime | None) -> str:
    return at.astimezone(TOKYO).strftime("%Y-%m-%d %H:%M") if at else NOTHING


def way(code: str) -> str:
    return WAYS.get(code, code)


def service(name: str) -> str:
    return SERVICES.get(name, name)


def body(code: str) -> str:
    """A kind of meeting by its name."""
    known = bodies(datetime.now(TOKYO)).get(code)
    return known.name if known else code


def held(meetings: Mapping[str, int]) -> list[tuple[str, int]]:
    """The kinds of meeting that were held at all; those of indicator I first."""
    known = bodies(datetime.now(TOKYO))
    counted = [code for code, body in known.items() if body.counted_in_indicator_1]
    order = dict.fromkeys([*counted, *known, *sorted(meetings)])
    return [(code, meetings[code]) for code in order if meetings.get(code)]


def this_fiscal_year(today: date | None = None) -> int:
    today = today or datetime.now(UTC).astimezone(TOKYO).date()
    return today.year - (today.month < 4)
