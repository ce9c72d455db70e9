"""Values of recorded fields in the words of the person they speak of."""

from datetime import datetime
from typing import Any

from shared.calendar import TOKYO
from shared.contracts.codes import labels

NAMES = {
    "name": "氏名",
    "kana": "ふりがな",
    "common_name": "通称名",
    "former_name": "旧氏",
    "gender": "性別(本人の表現)",
    "sex": "性別",
    "birth": "生年月日",
    "address": "住所",
    "phone": "電話番号",
    "living_with": "同居",
    "relation": "続柄",
    "health": "健康・障害",
    "work": "仕事",
    "money": "お金",
    "welfare_use": "福祉サービス",
    "history": "生活歴",
    "source": "聞き取り元",
    "concerns": "相談の内容",
    "main_concern": "主な相談",
    "text": "内容",
    "wishes": "希望",
    "housing": "住まい",
    "insurance": "医療保険",
    "pension": "年金",
    "income": "収入",
    "handbooks": "手帳",
    "care_level": "要介護度",
    "illness": "病気",
    "clinic": "医療機関",
    "agencies": "関わっている機関",
    "method": "方法",
    "next_action": "次の対応",
    "status": "同意",
    "classes": "同意した情報区分",
    "purposes": "同意した目的",
    "medium": "同意の方法",
    "title": "添付の題名",
    "about": "連絡の対象",
    "place": "場所",
}
LISTS = {
    "sex": "sex",
    "living_with": "relation",
    "relation": "relation",
    "source": "source",
    "concerns": "concern",
    "main_concern": "concern",
    "housing": "housing",
    "insurance": "insurance",
    "pension": "pension",
    "handbooks": "handbook",
    "care_level": "care_level",
    "method": "contact_method",
    "work": "work",
    "status": "consent_status",
    "classes": "data_class",
    "purposes": "purpose",
    "medium": "consent_medium",
}


def name(field: str) -> str:
    return NAMES.get(field, field)


def value(field: str, told: Any, at: datetime) -> str:
    """Codes by their label on that day, lists in one line; a text as it was written."""
    if isinstance(told, tuple | list):
        return "、".join(value(field, one, at) for one in told)
    known = labels(LISTS[field], at.astimezone(TOKYO).date()) if field in LISTS else {}
    return known.get(str(told), str(told))
