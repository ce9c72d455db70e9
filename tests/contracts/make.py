"""`python -m tests.contracts.make` writes the golden of each shape that has none; it rewrites nothing."""

import asyncio
import hashlib
import json
from base64 import b64encode
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from shared.broker import event_message
from shared.contracts import EVENTS, Envelope, Event, intake, meetings, metrics, referral, views
from shared.contracts.intake.watch import Named
from shared.sealing import Codec
from tests.contracts.goldens import FOLDER, FixedKeyring, Golden, breaks, goldens, shape


def an_id(number: int) -> UUID:
    return UUID(int=(0x019C_0000_0000_7000_8000 << 48) | number)


CASE, HANA, KEN, HOUSEHOLD, CONSENT, REFERRAL, MATTER, MEETING, RECORD, MATERIAL = map(
    an_id, range(1, 11)
)
TOKYO = timezone(timedelta(hours=9))
AT = datetime(2026, 5, 11, 1, 30, 0, 250_000, UTC)
OCCURRED = datetime(2026, 5, 11, 10, 15, tzinfo=TOKYO)
CONTRACTED: dict[str, Any] = {"programme": "kyotaku-homon", "contract": an_id(40)}
UNTIL = datetime(2027, 4, 1, tzinfo=TOKYO)
AT_DESK = {"desk": "homon-madoguchi", "agency": "care-centre", "member": "sato"}
BASES = (
    views.BasisRef(kind="consent", id=str(CONSENT)),
    views.BasisRef(kind="own_record", id="care-centre", programme="kyotaku-homon"),
)
ITEMS = (views.ItemRef(event=an_id(20), field="name", bases=BASES, warned=True),)
REFERRED = {"referral": REFERRAL, "case": CASE, "person": HANA}
ON_MATTER = {"matter": MATTER, "case": CASE}
AT_SITTING = {"meeting": MEETING, "case": CASE}
TRANSFER, WATCH, TASK = an_id(41), an_id(46), an_id(50)
TOLD: dict[str, Any] = {**AT_SITTING, "task": TASK, "subjects": (HANA,), "matter": MATTER}
PROMISED: dict[str, Any] = {
    **TOLD,
    "text": "𠮷田さんの受診に同行する",
    "owner": "care-centre",
    "staff": "sato@care",
    "due": date(2026, 6, 30),
}
LOOKED_AFTER = Named(name="𠮷田 花", phone="0743-00-0004", address="𩸽町1-2")
STAFF: dict[str, Any] = {"case": CASE, "agency": "city-fukushi", "staff": "tanaka"}
PROVIDED: dict[str, Any] = {"provision": an_id(22), "case": CASE}
DISCLOSED: dict[str, Any] = {"agency": "care-centre", "case": CASE}

SAMPLES: tuple[Event, ...] = (
    intake.CaseOpened(
        case=CASE,
        household=HOUSEHOLD,
        lead="city-fukushi",
        route="family_phone",
        reporter="近所の方",
    ),
    intake.PersonJoined(case=CASE, person=HANA, relation="self"),
    intake.PersonDescribed(
        case=CASE,
        person=HANA,
        name="𠮷田 葛󠄀花",  # U+20BB7, and U+845B with the selector U+E0100
        kana="ヨシダ ハナ",
        common_name="𠮷田 はな",
        former_name="髙橋",
        gender="女性",
        sex="female",
        birth="1944-03-02",
        address="生駒市𩸽町辻󠄀1-2 髙﨑方",
        phone="0743-00-0000",
        living_with=("child",),
        not_to=("police-ikoma",),
    ),
    intake.PersonFlagged(case=CASE, person=HANA, flags=("died",)),
    intake.SituationRecorded(
        case=CASE,
        person=HANA,
        health="膝が悪い",
        work="退職",
        money="年金のみ",
        welfare_use="要介護1",
        history="夫と死別",
        source="meeting",
        matter=MATTER,
        not_to=("clinic",),
    ),
    intake.WorriesRecorded(
        case=CASE,
        subjects=(HANA, KEN),
        concerns=("care", "hikikomori"),
        main_concern="care",
        text="息子が𠮷野に行くと言って出かけない。\n家計も苦しい。",
        wishes="このまま家で暮らしたい",
    ),
    intake.LivingRecorded(
        case=CASE,
        person=HANA,
        work="pensioner",
        housing="owned",
        insurance="late_elderly",
        pension="receiving",
        income="年金 月6万円",
        not_to=("clinic",),
    ),
    intake.HealthRecorded(
        case=CASE,
        person=HANA,
        handbooks=("physical",),
        care_level="care_1",
        illness="変形性膝関節症",
        clinic="𩸽町診療所",
        not_to=("clinic",),
    ),
    intake.InvolvedRecorded(case=CASE, subjects=(HANA,), agencies=("𠮷田ヘルパー事業所",)),
    intake.UrgencyJudged(case=CASE, urgency="urgent", reason="食事がとれていない"),
    intake.ReporterRecorded(
        case=CASE, route="family_phone", relation="child", name="𠮷田 健", phone="0743-00-0001"
    ),
    intake.CaseScreened(case=CASE, outcome="multi_agency_request", note="複数の課題"),
    intake.CaseAssessed(
        case=CASE,
        person=HANA,
        facts="𠮷野の家に一人でいる",
        wishes="このまま家で暮らしたい",
        needs="見守りと家計の相談",
        challenges=("care", "isolation"),
        not_to=("clinic",),
    ),
    intake.CoordinatorNamed(case=CASE, coordinator="abe", agency="city-fukushi"),
    intake.CoordinatorRelieved(case=CASE, coordinator="abe"),
    intake.LeadOffered(case=CASE, to="ikoma-shakyo", note="𠮷田さんの支援の中心が移った"),
    intake.LeadAccepted(case=CASE, lead="ikoma-shakyo"),
    intake.LeadDeclined(case=CASE, to="ikoma-shakyo", note="担当者が不在"),
    intake.CaseClosed(case=CASE, reason="resolved", note="落ち着いた"),
    intake.CaseReopened(case=CASE, note="再び相談"),
    intake.ContactRecorded(
        record=RECORD,
        case=CASE,
        subjects=(HANA,),
        method="visit",
        text="玄関先で話す",
        kind="enquiry",
        counterpart="council_member",
        counterpart_name="𠮷田 健",
        staff=("tanaka",),
        minutes=15,
        next_action="折り返し電話する",
        next_on=date(2026, 4, 2),
    ),
    intake.ContactCorrected(
        record=RECORD,
        case=CASE,
        subjects=(HANA,),
        method="phone",
        text="𠮷田さんと電話で話す",
        kind="support",
        counterpart="family",
        counterpart_name="葛󠄀城 健",
        staff=("tanaka", "sato"),
        minutes=40,
        next_action="来週訪問する",
        next_on=date(2026, 4, 9),
        reason="方法の誤り",
    ),
    intake.PersonNoted(record=RECORD, case=CASE, person=HANA, text="眠れない"),
    intake.RecordCirculated(record=RECORD, case=CASE, to=("sato", "abe")),
    intake.RecordRead(record=RECORD, case=CASE, reader="sato"),
    intake.StaffAssigned(**STAFF),
    intake.StaffRelieved(**STAFF),
    intake.StaffBlocked(**STAFF, reason="neighbour", note="𠮷田さんの隣に住む"),
    intake.StaffUnblocked(**STAFF),
    intake.DeputyNamed(
        deputyship=an_id(40),
        agency="city-fukushi",
        staff="tanaka",
        deputy="sato",
        begins=date(2026, 8, 3),
        until=date(2026, 8, 14),
    ),
    intake.DeputyEnded(deputyship=an_id(40)),
    intake.MessageSent(
        message=an_id(43),
        case=CASE,
        to="care-centre",
        topic="question",
        text="𠮷田さん宅の鍵は誰が持っていますか",
        answers=an_id(44),
    ),
    intake.PersonToldOf(message=an_id(43), case=CASE, person=HANA, text="葛󠄀城さんは火曜に通院"),
    intake.MessageRead(message=an_id(43), case=CASE, reader="sato"),
    intake.TransferProposed(
        transfer=TRANSFER,
        agency="city-fukushi",
        staff="tanaka",
        cases=(CASE, an_id(42)),
        successors=("sato", "abe"),
        effective_at=OCCURRED,
    ),
    intake.TransferAccepted(transfer=TRANSFER, successor="sato"),
    intake.TransferAgreed(transfer=TRANSFER, effective_at=OCCURRED),
    intake.TransferDeclined(transfer=TRANSFER, successor="abe", note="𠮷田さんの隣に住む"),
    intake.TransferWithdrawn(transfer=TRANSFER),
    intake.TransferEffected(transfer=TRANSFER),
    intake.HandoverWritten(transfer=TRANSFER, case=CASE, text="葛󠄀城さんは電話に出ない"),
    intake.NoticeReceived(
        notice=RECORD,
        to="care-centre",
        kind="watch_partner",
        sender="𠮷田新聞店",
        phone="0743-00-0002",
        about="三階の一人暮らしの方",
        place="𩸽町1-2",
        text="新聞が三日たまっている",
        watch=WATCH,
    ),
    intake.NoticeTaken(notice=RECORD, into=CASE),
    intake.NoticeClosed(notice=RECORD, reason="checked", note="旅行中だった"),
    intake.WatchRegistered(
        watch=WATCH,
        agency="care-centre",
        kind="alarm_unit",
        name="第𠮷12号",
        contact="設置業者",
        phone="0743-00-0003",
        place="𩸽町1-2",
        users=(LOOKED_AFTER,),
        helpers=(LOOKED_AFTER,),
        note="玄関の鍵は協力員",
    ),
    intake.WatchCorrected(
        watch=WATCH,
        name="第𠮷13号",
        contact="設置業者",
        phone="0743-00-0003",
        place="𩸽町1-2",
        users=(LOOKED_AFTER,),
        helpers=(LOOKED_AFTER,),
        note="鍵は二階",
        reason="番号の誤り",
    ),
    intake.WatchMoved(watch=WATCH, place="辻󠄀町3-4"),
    intake.WatchSuspended(watch=WATCH, reason="hospital", note="二週間の予定"),
    intake.WatchResumed(watch=WATCH),
    intake.WatchRemoved(watch=WATCH, reason="facility", note="施設へ"),
    intake.WatchCalled(watch=WATCH, result="worry", note="食欲がない"),
    intake.WatchMissed(watch=WATCH, note="夕方に再度"),
    intake.HouseholdJoined(household=HOUSEHOLD, told_in=CASE, person=HANA, since="1980-04"),
    intake.HouseholdLeft(
        household=HOUSEHOLD, told_in=CASE, person=KEN, on="2026-03-31", reason="moved"
    ),
    intake.PersonsRelated(household=HOUSEHOLD, told_in=CASE, person=KEN, to=HANA, relation="child"),
    intake.KeyPersonNamed(household=HOUSEHOLD, told_in=CASE, person=HANA),
    intake.CasesMerged(
        merge=an_id(30), merged=an_id(31), into=CASE, same=((KEN, HANA),), reason="𠮷田さんと同じ方"
    ),
    intake.ConsentConfirmed(merge=an_id(30), consent=CONSENT),
    intake.MergeUndone(merge=an_id(30), reason="葛󠄀城さんは別の方"),
    intake.MatchEnquired(
        match=an_id(32),
        cases=(CASE, an_id(31)),
        people=(HANA, KEN),
        to="care-centre",
        asked_of=an_id(31),
        person=KEN,
        note="𠮷田さんと同じ方でしょうか",
    ),
    intake.MatchAnswered(match=an_id(32), answer="same", note="𠮷田さんに確かめた"),
    intake.AttachmentAdded(
        attachment=RECORD,
        case=CASE,
        person=HANA,
        record=MATERIAL,
        kind="signed_consent",
        title="𠮷田さんの同意書",
        media_type="application/pdf",
        size=12_345,
        digest="0" * 64,
    ),
    intake.AttachmentRemoved(attachment=RECORD, case=CASE, reason="別の方の写し"),
    intake.HoldPlaced(case=CASE, reason="𠮷田さんから開示の請求がある"),
    intake.HoldLifted(case=CASE),
    intake.DisposalProposed(
        case=CASE, rule="case-city-2026", run_out_on=date(2032, 4, 1), by="sato"
    ),
    intake.DisposalDeclined(case=CASE, by="abe"),
    intake.DisposalApproved(
        case=CASE,
        by="abe",
        people=(HANA,),
        keys=(f"text/{CASE}", f"person/{HANA}"),
        signature="0" * 64,
        joined=(RECORD,),
    ),
    intake.CaselessHoldPlaced(caseless=WATCH, reason="𠮷田さんから開示の請求がある"),
    intake.CaselessHoldLifted(caseless=WATCH),
    intake.CaselessDisposalProposed(
        caseless=WATCH, rule="watch-city-2026", run_out_on=date(2032, 4, 1), by="sato"
    ),
    intake.CaselessDisposalDeclined(caseless=WATCH, by="abe"),
    intake.CaselessDisposalApproved(
        caseless=WATCH, by="abe", keys=(f"text/{WATCH}",), signature="0" * 64
    ),
    intake.CaselessDisposed(caseless=WATCH, approval=RECORD),
    intake.RightsRequested(
        request=RECORD,
        to="city-fukushi",
        kind="disclosure",
        people=(HANA,),
        identified_by="licence",
        proxy="長男 𠮷田 健",
        text="相談の記録を見たい",
        received_on=date(2026, 5, 11),
        due_on=date(2026, 6, 10),
    ),
    intake.RightsExtended(request=RECORD, due_on=date(2026, 7, 10), reason="記録が大量である"),
    intake.RightsOverdue(request=RECORD),
    intake.RightsItemJudged(
        request=RECORD,
        event=MATERIAL,
        field="text",
        outcome="withhold",
        ground="third_party",
        by="abe",
    ),
    intake.RightsDecided(
        request=RECORD,
        outcome="partly",
        ground="third_party",
        text="𠮷田さんの分のみ",
        corrections=(MATERIAL,),
        shown=12,
        withheld=3,
        by="abe",
    ),
    intake.RightsAnswered(request=RECORD, medium="paper", digest="0" * 64),
    intake.RightsWithdrawn(request=RECORD),
    intake.CaseDisposed(case=CASE, approval=MATERIAL),
    intake.NextActionDone(record=RECORD, case=CASE, note="電話で確かめた"),
    intake.ConsentRecorded(
        consent=CONSENT,
        case=CASE,
        person=HANA,
        status="granted",
        classes=("contact", "health_disability"),
        purposes=("consultation", "coordination"),
        medium="paper",
        holders=("care-centre",),
        group="juso",
        excluded=("police-ikoma",),
        begins=OCCURRED,
        until=OCCURRED + timedelta(days=365),
        text_version="2026-04",
        explained_by="sato",
        signed_on=date(2026, 5, 10),
        own_view="祖母のそばにいたい",
        assessed_by="𠮷岡医師",
        assessed_on=date(2026, 5, 1),
        review_on=date(2026, 11, 1),
        proxy="adult_guardian",
        proxy_name="髙橋 後見人",
        proxy_document="登記事項証明書 2026-4",
        proxy_scope=("contact", "health_disability"),
        proxy_from=date(2026, 4, 1),
        proxy_until=date(2028, 3, 31),
    ),
    intake.ConsentNarrowed(
        consent=CONSENT,
        case=CASE,
        excluded=("clinic",),
        dropped=("health_disability",),
        until=OCCURRED + timedelta(days=90),
    ),
    intake.UrgentAsserted(
        basis=CONSENT,
        case=CASE,
        persons=(HANA,),
        holders=("clinic",),
        classes=("contact", "health_disability", "judgement"),
        danger="life",
        reason="意識がなく、𠮷田さんの息子とは連絡がつかない",
        informed="sato",
        begins=OCCURRED,
        review_by=OCCURRED + timedelta(days=4),
        until=OCCURRED + timedelta(days=14),
    ),
    intake.BasisReviewed(basis=CONSENT, case=CASE, note="入院が続く"),
    intake.BasisReviewOverdue(basis=CONSENT, case=CASE),
    intake.GroundRecorded(
        basis=CONSENT,
        case=CASE,
        ground="persons_interest",
        citation="個人情報保護法69条2項4号",
        provider="city-fukushi",
        persons=(HANA,),
        holders=("clinic",),
        classes=("contact",),
        reason="行方が分からない",
        no_harm="ほかに傷つく人はいない",
        approver="tanaka",
        begins=OCCURRED,
        until=OCCURRED + timedelta(days=30),
    ),
    intake.BasisEnded(basis=CONSENT, case=CASE, note="見つかった"),
    intake.BasisExpired(basis=CONSENT, case=CASE),
    intake.ItemProtected(case=CASE, person=HANA, item="address", named=("city-fukushi",)),
    intake.ProtectionLifted(case=CASE, person=HANA, item="address"),
    intake.ConsentToldOfMember(consent=CONSENT, case=CASE, agency="clinic"),
    intake.ConsentWithdrawn(consent=CONSENT, case=CASE),
    intake.ConsentExpired(consent=CONSENT, case=CASE),
    referral.ReferralRequested(
        **REFERRED,
        sender="city-fukushi",
        receiver="care-centre",
        classes=("contact",),
        need="訪問による介護の相談",
        urgency="urgent",
        wished_on=date(2026, 5, 20),
        bases=(CONSENT,),
    ),
    referral.ReferralReceived(**REFERRED),
    referral.ReferralAccepted(**REFERRED, first_contact_on=date(2026, 5, 14)),
    referral.ReferralDeclined(**REFERRED, code="no_capacity", text="満床"),
    referral.ServiceStarted(**REFERRED, first_contact_on=date(2026, 5, 15)),
    referral.ReferralCompleted(**REFERRED, outcome="helped", text="訪問介護を利用"),
    referral.AgencyRegistered(
        agency="care-centre",
        name="地域包括支援センター葛󠄀城",
        kind="care",
        controller="contractor",
        purposes=("consultation",),
        window=True,
    ),
    referral.ProgrammeRegistered(programme="kyotaku-homon", name="居宅訪問事業"),
    referral.ProgrammeContracted(**CONTRACTED, agency="care-centre", begins=OCCURRED, ends=UNTIL),
    referral.ContractEnded(**CONTRACTED, ends=UNTIL),
    referral.ContractBegun(**CONTRACTED),
    referral.ContractExpired(**CONTRACTED),
    referral.DeskRegistered(
        desk="homon-madoguchi",
        name="訪問窓口𠮷",
        agency="care-centre",
        programme="kyotaku-homon",
        shelter=True,
    ),
    referral.DeskClosed(desk="homon-madoguchi"),
    referral.DeskMemberNamed(**AT_DESK),
    referral.DeskMemberLeft(**AT_DESK),
    meetings.MemberNamed(
        body="shien-106-6",
        member="sato@clinic",
        agency="clinic",
        secretariat=True,
        desk="visits-desk",
    ),
    meetings.MemberPledged(body="shien-106-6", member="sato@clinic", fiscal_year=2026),
    meetings.MemberLeft(body="shien-106-6", member="sato@clinic"),
    meetings.MatterSubmitted(**ON_MATTER, body="shien-106-6", subjects=(KEN,)),
    meetings.MembersCalled(**ON_MATTER, members=("sato@clinic",)),
    meetings.MembersAsked(**ON_MATTER, members=("mori@bank",)),
    meetings.MaterialSubmitted(**ON_MATTER, person=KEN, true_class="money", text="借入が複数ある"),
    meetings.MatterDecided(**ON_MATTER, text="訪問を続ける"),
    meetings.FactPromoted(
        **ON_MATTER,
        person=KEN,
        material=MATERIAL,
        health="不眠",
        work="求職中",
        money="借入あり",
        welfare_use="なし",
        history="離職後は家に",
    ),
    meetings.MatterReviewed(**ON_MATTER),
    meetings.MatterReviewOverdue(**ON_MATTER),
    meetings.MatterEnded(**ON_MATTER),
    meetings.MeetingConvened(
        meeting=MEETING,
        bodies=("juso", "shien-106-6"),
        local_name="kasaneru",
        host="city-fukushi",
        planned_on=date(2026, 5, 25),
        invited=("care-centre", "clinic"),
    ),
    meetings.MeetingHeld(
        meeting=MEETING, held_on=date(2026, 5, 25), attended=("clinic",), online=True
    ),
    meetings.MeetingCancelled(meeting=MEETING),
    meetings.AgendaItemAdded(
        **AT_SITTING,
        body="juso",
        subjects=(HANA,),
        invited=("care-centre",),
        bases=(CONSENT,),
        matter=MATTER,
        planned_at=OCCURRED,
    ),
    meetings.AgendaItemRemoved(**AT_SITTING),
    meetings.DecisionRecorded(
        **AT_SITTING, subjects=(HANA,), text="役割を分担", outcome="plan_adequate"
    ),
    meetings.TaskAgreed(**PROMISED),
    meetings.TaskCorrected(**PROMISED, reason="担当の機関の誤り"),
    meetings.TaskTakenOn(**AT_SITTING, task=TASK, staff="abe@care"),
    meetings.TaskDueChanged(**TOLD, due=date(2026, 7, 10), reason="受診日の変更"),
    meetings.TaskDone(**TOLD, note="同行した"),
    meetings.TaskDropped(**TOLD, reason="declined", note="本人が一人で行くとのこと"),
    meetings.TaskReopened(**TOLD, due=date(2026, 7, 10), reason="別の日の同行だった"),
    meetings.TaskOverdue(**AT_SITTING, task=TASK),
    views.DocumentChanged(
        **DISCLOSED,
        document=2,
        items=ITEMS,
        digest="sha256:00",
        cause="content_changed",
        withdrawn=(views.ItemRef(event=an_id(21), field="phone", bases=BASES),),
    ),
    views.ReceiptRecorded(**DISCLOSED, document=2, grade="placed", checked=True),
    views.ReceiptRefused(**DISCLOSED, document=2, grade="placed"),
    views.RetractionConfirmed(**DISCLOSED, document=2, kept="own_record"),
    views.RetractionOverdue(**DISCLOSED, document=2),
    views.ReadingRecorded(**DISCLOSED, items=ITEMS, document=3),
    views.ReadingRefused(**DISCLOSED),
    views.ProvisionRecorded(
        **PROVIDED,
        number="2026-ABCDEFGH",
        approver="kacho",
        items=ITEMS,
        way="paper",
        purpose="所在の確認",
        to="care-centre",
        kind="police",
        receiver="𠮷野警察署",
        ground="police_enquiry",
        citation="刑訴法197条2項",
    ),
    views.SheetPrinted(**PROVIDED, items=ITEMS),
    views.ReceiverTold(**PROVIDED, items=ITEMS),
    views.GivenBack(**PROVIDED, items=ITEMS, kept="own_record"),
    views.SubscriptionRegistered(
        agency="care-centre", public_key={"kty": "OKP", "crv": "X25519", "x": "A" * 43}
    ),
    views.KeyRotated(
        agency="care-centre", public_key={"kty": "OKP", "crv": "X25519", "x": "B" * 43}
    ),
    views.KeyRevoked(agency="care-centre"),
    views.LoginRenewed(agency="care-centre"),
    views.SubscriptionPaused(agency="care-centre", by="agency"),
    views.SubscriptionResumed(agency="care-centre", by="operator"),
    views.SubscriptionQuarantined(agency="care-centre", reason="key_exposed"),
    views.SubscriptionReleased(agency="care-centre"),
    views.SubscriptionEnded(agency="care-centre"),
    views.CoverIssued(
        **DISCLOSED,
        cover=an_id(23),
        by="fax",
        document=2,
        until=AT,
        place=an_id(48),
        again="not_arrived",
    ),
    views.CoverSent(**DISCLOSED, cover=an_id(23)),
    views.CoverNotSent(**DISCLOSED, cover=an_id(23), reason="deferred", final=False),
    views.CoverBounced(**DISCLOSED, cover=an_id(23), status="5.1.1"),
    views.OfficeRegistered(agency="care-centre", place=an_id(48), by="fax", address="0743000005"),
    views.OfficeRemoved(agency="care-centre", by="fax"),
    views.PagePrinted(**DISCLOSED, document=2, copy_number=1),
    views.DocumentNotTaken(**DISCLOSED, document=2, emptied=True),
    views.InputRefused(agency="care-centre", what="cursor"),
    views.CoverUsed(**DISCLOSED, cover=an_id(23)),
    views.FileMade(agency="care-centre", documents=2, digest="0" * 64),
    views.SecretShown(agency="care-centre"),
    views.WebhookRegistered(agency="care-centre", way=an_id(22), url="https://care.example/hook"),
    views.WebhookRestarted(agency="care-centre", way=an_id(22)),
    views.WebhookRemoved(agency="care-centre", way=an_id(22)),
    metrics.SurveyRecorded(
        survey=an_id(30), surveyed_on=date(2026, 9, 1), answered=1200, positive=540
    ),
    metrics.CourseHeld(course=an_id(31), held_on=date(2026, 6, 1), completed=25),
)


def stream_of(event: Event) -> str:
    """The stream that the contract's table gives to an event of this kind."""
    values = event.model_dump(mode="json")
    names = {
        "sitting": ("meeting", "case"),
        "assignment": ("agency", "case"),
        "handover": ("transfer", "case"),
        "disclosure": ("agency", "case"),
        "subscription": ("agency",),
        "refusal": ("agency", "what"),
        "rights": ("request",),
    }
    return "/".join([event.STREAM, *(values[n] for n in names.get(event.STREAM, (event.STREAM,)))])


def envelope_of(event: Event) -> Envelope:
    stream = stream_of(event)
    return Envelope(
        id=an_id(900),
        stream=stream,
        version=3,
        key=str(getattr(event, "case", stream.partition("/")[2])),
        type=event.TYPE,
        at=AT,
        occurred_at=OCCURRED,
        actor="tanaka@city",
        agency="city-fukushi",
        correlation=an_id(901),
        basis=str(CONSENT),
        causation=an_id(902),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


class Inventing(FixedKeyring):
    """Makes any key asked for, always the same one for the same name."""

    async def fetch(self, ids, *, make=False):  # type: ignore[no-untyped-def]
        wanted = set(ids)
        self.keys |= {key_id: hashlib.sha256(key_id.encode()).digest() for key_id in wanted}
        return await super().fetch(wanted)


def golden(name: str, event: Event) -> Golden:
    envelope, keyring = envelope_of(event), Inventing({})
    (wire,) = asyncio.run(Codec(keyring).seal([(event, envelope)]))
    message = event_message(event.TOPIC, envelope, wire)
    return Golden(
        name=name,
        type=event.TYPE,
        topic=event.TOPIC,
        key=envelope.key,
        headers={name: value.decode() for name, value in message.headers},
        value=wire,
        keys={k: b64encode(v).decode() for k, v in keyring.keys.items() if isinstance(v, bytes)},
        opened=event.model_dump(mode="json"),
        shape=shape(type(event)),
    )


def main() -> None:
    samples = {sample.TYPE: sample for sample in SAMPLES}
    there = goldens()
    for type_, model in sorted(EVENTS.items()):
        if type_ not in samples:
            raise SystemExit(f"add a sample of {type_} to SAMPLES")
        if missing := set(model.model_fields) - samples[type_].model_fields_set:
            raise SystemExit(f"the sample of {type_} says nothing of {', '.join(sorted(missing))}")
        of_type = [one for one in there if one.type == type_]
        if any(one.shape == shape(model) for one in of_type):
            continue
        if broken := [text for one in of_type for text in breaks(one.shape, shape(model))]:
            raise SystemExit(f"{type_}: {'; '.join(broken)}; make a new version and an upcaster")
        name = f"{type_}.{len(of_type) + 1}"
        made = asdict(golden(name, samples[type_]))
        del made["name"]
        path = FOLDER / f"{name}.json"
        with path.open("x", encoding="utf-8") as file:
            json.dump(made, file, ensure_ascii=False, indent=1, sort_keys=True)
            file.write("\n")
        print(f"{path.name}: made")


if __name__ == "__main__":
    main()
