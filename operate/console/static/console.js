// Says whether the page is kept up to date; the page itself works without this file.
(() => {
  const shown = document.getElementById("live");
  const say = (text, kind) => { shown.textContent = text; shown.className = kind; };
  const time = () => new Date().toLocaleTimeString("ja-JP", { hour: "2-digit", minute: "2-digit" });
  document.addEventListener("htmx:sse:after:connection", () => say("変更があると自動で更新します", "on"));
  document.addEventListener("htmx:sse:error", () => say(`接続が切れました(${time()})。再接続しています`, "lost"));
  document.addEventListener("htmx:sse:close", () => say("自動更新が止まりました。ページを再読み込みしてください", "lost"));
})();
