"""How far behind an agency is, in the words that staff read."""

from datetime import UTC, datetime, timedelta

import pytest

from services.views.api.freshness import said

NOW = datetime(2026, 5, 8, 1, 36, tzinfo=UTC)
TODAY, YESTERDAY = NOW - timedelta(minutes=4), NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("behind", "receipt", "ja", "en"),
    [
        ({"minutes": 4}, TODAY, "4分遅れ・最終確認 10:32", "4 minutes behind, last confirmed 10:32"),
        ({"seconds": 59}, None, "1分未満の遅れ・確認なし", "less than a minute behind, never confirmed"),
        ({"seconds": 60}, None, "1分遅れ・確認なし", "1 minute behind, never confirmed"),
        ({"minutes": 119}, None, "119分遅れ・確認なし", "119 minutes behind, never confirmed"),
        ({"minutes": 120}, None, "2時間遅れ・確認なし", "2 hours behind, never confirmed"),
        ({"hours": 47}, None, "47時間遅れ・確認なし", "47 hours behind, never confirmed"),
        ({"hours": 71}, None, "2日遅れ・確認なし", "2 days behind, never confirmed"),
        (None, YESTERDAY, "最新・最終確認 2026-05-07 10:36", "up to date, last confirmed 2026-05-07 10:36"),
    ],
)  # fmt: skip
def test_it_is_said_in_the_largest_unit_that_tells_enough(
    behind: dict[str, int] | None, receipt: datetime | None, ja: str, en: str
) -> None:
    late = timedelta(**behind) if behind is not None else None
    words = said(late, receipt, NOW)
    assert (words.ja, words.en) == (ja, en)
