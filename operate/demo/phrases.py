"""Invented Japanese texts, built from phrases; a number or date in each keeps them apart."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random


def words(text: str) -> tuple[str, ...]:
    """Phrases set apart by white space."""
    return tuple(text.split())


ILLNESSES = words("""
    高血圧 糖尿病 変形性膝関節症 軽度の認知症 うつ病 統合失調症 脳梗塞の後遺症 発達障害 慢性腎不全
""")
CLINICS = words("""
    内科 整形外科 精神科 神経内科 心療内科
""")
BENEFITS = words("""
    介護保険 自立支援医療 障害福祉サービス 就学援助 児童扶養手当 生活福祉資金 住居確保給付金
""")
JOBS = words("""
    運送会社 製造工場 スーパー 介護施設 清掃会社 建設会社 飲食店
""")
BILLS = words("""
    家賃 電気代 国民健康保険料 住民税 水道料金 カードローン
""")
EVENTS = words("""
    離婚 父の死 勤め先の倒産 転居 母の入院 不登校 交通事故
""")
WORRIES = {
    "health": "体の具合が悪く受診をためらっている",
    "housing": "家が荒れ、住み続けられるか不安",
    "income": "生活費が足りない",
    "rent_loan": "家賃の支払いが遅れている",
    "tax_utilities": "税や公共料金の督促が来ている",
    "debt": "返せない借入れがある",
    "job_search": "仕事が見つからない",
    "job_trouble": "職場でつらい思いをしている",
    "community": "近所とのつきあいが途絶えた",
    "family": "家族の間で言い争いが絶えない",
    "childcare": "子育てがひとりでつらい",
    "care": "介護の疲れが限界に近い",
    "hikikomori": "長く家から出られない家族がいる",
    "abuse": "家族から大声を出されることがある",
    "food": "食べるものがない日がある",
    "other": "どこに相談してよいか分からない",
}
WISHES = words("""
    今の家で暮らし続けたい 少しずつ働きたい だれかに話を聞いてほしい 手続きを手伝ってほしい
    家族に知られずに相談したい
""")
ACTS = words("""
    近況を聞いた 制度の説明をした 申請書を一緒に書いた 受診に付き添った 不在のため手紙を置いた
    家族の話を聞いた
""")
FEELINGS = words("""
    少し落ち着いた様子 疲れた様子 表情が明るい 言葉が少ない 強い不安を口にする
""")
NEEDS = words("""
    福祉サービスの利用相談 就労に向けた面談 家計の見直し 医療につなぐ同行 居場所の紹介 住まい探し
    学習の支援
""")
DECLINES = words("""
    対象の年齢に当たらない 今月は受け入れの枠がない 別の窓口の方が早く動ける
    本人が見学の後に断った
""")
RESULTS = words("""
    利用を始め、安定して続いている 申請が通り、支払いの見通しが立った 月に数回の見守りに移した
    就職が決まった 通院が続くようになった
""")
DECISIONS = words("""
    役割を分けて見守りを続ける 支援プランを適切と認める 家計の支援を加えて見直す
    担当を決めて伴走に移る
""")
PROMISES = words("""
    受診に付き添う 家計の相談につなぐ 週に一度訪ねる 就労の見学を調整する 親族と話す場をつくる
""")
CALLERS = words("""
    隣に住む知人 別居の長女 民生委員 かかりつけの医師 配食の配達員 元の同僚
""")


class Pen:
    """Writes what people say and what workers note."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def _one(self, phrases: Sequence[str]) -> str:
        return self._random.choice(phrases)

    def _number(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def health(self, age: int) -> str:
        care = f"要介護{self._number(1, 5)}、" if age >= 70 else ""
        visits = f"{self._one(CLINICS)}に{self._number(2, 12)}週おきに通院"
        return f"{care}{self._one(ILLNESSES)}({self._number(1, 29)}年前から)。{visits}。"

    def work(self, age: int) -> str:
        if age < 18:
            return f"学校を月に{self._number(1, 20)}日ほど休んでいる。"
        if age >= 70:
            return f"{self._number(55, 69)}歳まで{self._one(JOBS)}に勤めた。今は無職。"
        return f"{self._one(JOBS)}を{self._number(2, 240)}か月前に辞め、求職中。"

    def money(self, age: int) -> str:
        owed = f"{self._one(BILLS)}の滞納が{self._number(1, 480)}千円"
        income = (
            f"年金月{self._number(40, 160)}千円"
            if age >= 65
            else f"収入月{self._number(0, 190)}千円"
        )
        return f"{income}。{owed}。"

    def welfare_use(self) -> str:
        return f"{self._one(BENEFITS)}を{self._number(1, 40)}か月前から利用。{self._one(BENEFITS)}は未申請。"

    def history(self) -> str:
        return f"{self._number(2, 30)}年前の{self._one(EVENTS)}の後、暮らしが変わった。"

    def of_class(self, data_class: str, age: int) -> str:
        """A summary of one consentable class but `contact`."""
        match data_class:
            case "health_disability":
                return self.health(age)
            case "work_school":
                return self.work(age)
            case "money":
                return self.money(age)
            case "welfare_use":
                return self.welfare_use()
            case _:
                return self.history()

    def worries(self, concerns: Sequence[str]) -> str:
        said = "。".join(WORRIES[concern] for concern in concerns[:3])
        return f"{said}。{self._number(2, 60)}か月ほど前から続く。"

    def wishes(self) -> str:
        return f"{self._one(WISHES)}。次は{self._number(2, 21)}日後に話したい。"

    def contact(self) -> str:
        return f"{self._number(5, 95)}分。{self._one(ACTS)}。{self._one(FEELINGS)}。"

    def note(self) -> str:
        return f"{self._one(ACTS)}うえで判断。{self._number(1, 12)}週後に見直す。"

    def need(self) -> str:
        return (
            f"{self._one(NEEDS)}をお願いしたい。{self._number(3, 40)}日のうちに一度会ってほしい。"
        )

    def decline(self) -> str:
        return f"{self._one(DECLINES)}。{self._number(1, 9)}か月後なら再度相談できる。"

    def result(self) -> str:
        return f"{self._number(2, 24)}回の支援の後、{self._one(RESULTS)}。"

    def decision(self) -> str:
        return f"{self._one(DECISIONS)}。{self._number(4, 16)}週後に確かめる。"

    def promise(self) -> str:
        return f"{self._one(PROMISES)}。{self._number(1, 28)}日のうちに一度知らせる。"

    def reporter(self) -> str:
        return f"{self._one(CALLERS)}({self._number(2, 40)}年のつきあい)"
