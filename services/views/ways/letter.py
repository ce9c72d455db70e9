"""A cover sheet as a message: number, where to open it, until when, whom to ring; nothing of the case."""

import re
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

from shared.calendar import TOKYO
from shared.contracts.views import OfficeRegistered
from shared.settings import Mail

SUBJECT = "支援情報の更新のお知らせ"
TEXT = """支援情報の更新のお知らせ(送付票)

宛先: {agency}
差出: {sender}

貴機関で閲覧できる支援情報が更新されました。この送付票に個人の情報は記載していません。

貴機関での整理番号
{handle}

閲覧用アドレス(1回限り。{until}まで)
{link}

閲覧には貴機関の利用者としてのログインが必要です。一度開いた後は、ログインして整理番号から閲覧してください。
心当たりのない場合は、開かずに差出元へご連絡ください。
{contact}"""
NAMED = re.compile(rb"<cover\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@")


def day(at: datetime) -> str:
    return at.astimezone(TOKYO).strftime("%Y年%-m月%-d日 %H:%M")


def link(pages: str, handle: str, cover: UUID) -> str:
    return f"{pages.rstrip('/')}/v1/views/{handle}/page?cover={cover}"


def letter(
    mail: Mail, to: OfficeRegistered, sender: str, handle: str, cover: UUID, until: datetime
) -> EmailMessage:
    """A fax goes by mail to the city's gateway. The id is the same however often it is tried."""
    made = EmailMessage(policy=policy.SMTP)
    made["From"] = mail.sender
    made["To"] = mail.fax.format(number=to.address) if to.by == "fax" else to.address
    made["Subject"] = SUBJECT
    made["Message-ID"] = f"<cover.{cover}@{mail.sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    contact = f"お問い合わせ: {mail.contact}\n" if mail.contact else ""
    made.set_content(
        TEXT.format(
            agency=to.agency,
            sender=sender,
            handle=handle,
            until=day(until),
            link=link(mail.pages, handle, cover),
            contact=contact,
        ),
        cte="base64",
    )
    return made


def returned(message: bytes) -> tuple[UUID, str] | None:
    """The sheet that a delivery status notification (RFC 3464) says has failed, and its status. None
    for what is no such notification, or speaks of a delay.
    """
    found = message_from_bytes(message, policy=policy.default)
    named = NAMED.search(message)
    status: str | None = None
    for part in found.walk():
        if part.get_content_type() == "message/delivery-status":
            for block in part.get_payload():
                if str(block.get("Action", "")).strip().lower() == "failed":  # type: ignore[union-attr]
                    status = str(block.get("Status", "")).strip()  # type: ignore[union-attr]
    if not named or not status or not re.fullmatch(r"[245](\.[0-9]{1,3}){2}", status):
        return None
    return UUID(named[1].decode()), status
