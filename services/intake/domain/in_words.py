"""A basis in words, for the staff who answer for it: who may hold what of whom, why, from when to when."""

from datetime import datetime

from shared.basis import Consent, World
from shared.calendar import TOKYO
from shared.contracts.codes import bodies, labels
from shared.contracts.grounds import grounds
from shared.contracts.intake import UrgentAsserted
from shared.grounds import Ground


def consent(found: Consent, known: World, at: datetime) -> str:
    """「同意(書面): 2026-04-01 から、地域包括支援センターに、氏名…」"""
    said = found.recorded
    to = [_name(code, known) for code in said.holders if code not in found.excluded(at)]
    if said.group:
        body = bodies(said.begins).get(said.group)
        to.append(f"{body.name if body else said.group}の構成機関")
    how = _label("consent_medium", said.medium, said.begins)
    if said.proxy:
        how += f"、代理人: {_label('proxy', said.proxy, said.begins)}"
    if said.explained_by:
        how += f"、説明: {said.explained_by}、様式 {said.text_version}"
    what = [
        _label("data_class", name, said.begins)
        for name in said.classes
        if name in found.classes(at)
    ]
    head = f"{_label('consent_status', said.status, said.begins)}({how})"
    return _sentence(head, found, to, what, at)


def ground(found: Ground, known: World, at: datetime) -> str:
    """「緊急(生命): …」 or 「個人情報保護法69条2項4号(…): …」"""
    said = found.recorded
    if isinstance(said, UrgentAsserted):
        head = f"緊急({_label('danger', said.danger, said.begins)})"
    else:
        row = grounds(said.begins.astimezone(TOKYO).date()).get(said.ground)
        head = f"{said.citation}({row.name if row else said.ground}"
        head += ")" if row and row.confirmed else "、要確認)"
    to = [_name(code, known) for code in said.holders]
    what = [_label("basis_class", name, said.begins) for name in said.classes]
    return _sentence(head, found, to, what, at)


def _sentence(
    head: str, found: Consent | Ground, to: list[str], what: list[str], at: datetime
) -> str:
    until = f" {_day(found.end)} まで" if found.end else ""
    state = "" if found.live(at) else " (この時点では効力なし)"
    if found.live(at) and (since := found.stopped(at)):
        state = f" ({_day(since)} から新たな提供は停止)"
    begins = _day(found.recorded.begins)
    return f"{head}: {begins} から{until}、{'、'.join(to)}に、{'、'.join(what)}{state}"


def _label(name: str, code: str, at: datetime) -> str:
    """In the words of that day."""
    return labels(name, at.astimezone(TOKYO).date()).get(code, code)


def _name(code: str, known: World) -> str:
    found = known.agencies.get(code) or known.offices.desks.get(code)
    return found.name if found else code


def _day(at: datetime) -> str:
    return at.astimezone(TOKYO).date().isoformat()
