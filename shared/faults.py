"""What is wrong with a field, in English and Japanese, by pydantic's kind of error."""

from collections.abc import Mapping
from typing import Any

SAID: dict[str, tuple[str, str]] = {
    "missing": ("is missing", "必須の項目です"),
    "extra_forbidden": ("is not known here", "この項目はありません"),
    "json_invalid": ("is not JSON", "JSON として読めません"),
    "string_type": ("must be a text", "文字列で入力してください"),
    "string_too_short": (
        "at least {min_length} characters",
        "{min_length}文字以上で入力してください",
    ),
    "string_too_long": (
        "at most {max_length} characters",
        "{max_length}文字以内で入力してください",
    ),
    "string_pattern_mismatch": (
        "has characters or a form that are not taken here",
        "使えない文字があるか、形式が違います",
    ),
    "string_unicode": ("holds half a character", "文字として読めません"),
    "literal_error": ("must be {expected}", "次のいずれかを選んでください: {expected}"),
    "enum": ("must be {expected}", "次のいずれかを選んでください: {expected}"),
    "int_type": ("must be a whole number", "整数で入力してください"),
    "int_parsing": ("must be a whole number", "整数で入力してください"),
    "int_from_float": ("must be a whole number", "整数で入力してください"),
    "greater_than_equal": ("must be {ge} or more", "{ge} 以上で入力してください"),
    "less_than_equal": ("must be {le} or less", "{le} 以下で入力してください"),
    "too_short": ("at least {min_length} of them", "{min_length}件以上必要です"),
    "too_long": ("at most {max_length} of them", "{max_length}件までです"),
    "list_type": ("must be a list", "一覧(配列)で入力してください"),
    "bool_type": ("must be true or false", "true か false で入力してください"),
    "bool_parsing": ("must be true or false", "true か false で入力してください"),
    "uuid_type": ("must be an id (UUID)", "ID(UUID)の形ではありません"),
    "uuid_parsing": ("must be an id (UUID)", "ID(UUID)の形ではありません"),
    "timezone_aware": ("must say its offset (+09:00)", "時差(+09:00)を付けてください"),
}
BY_BEGINNING: dict[str, tuple[str, str]] = {
    "date_": (
        "must be a date that exists, YYYY-MM-DD",
        "実在する日付を YYYY-MM-DD で入力してください",
    ),
    "datetime_": ("must be a time as in RFC 3339", "日時を RFC 3339 の形で入力してください"),
}
ELSE = "has a form that is not taken here", "入力の形が違います"


def said(kind: str, context: Mapping[str, Any], text: str) -> str:
    """`text`: pydantic's own words, which count where they are ours: those of a validator."""
    if kind == "value_error":
        return text.removeprefix("Value error, ")
    begun = next((pair for name, pair in BY_BEGINNING.items() if kind.startswith(name)), ELSE)
    english, japanese = SAID.get(kind, begun)
    return f"{english} / {japanese}".format_map(context)
