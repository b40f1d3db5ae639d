// Tokens set as text on a coloured ground: what each contributed, toward or away, or how much it surprised.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const t = xw.words(model);
  const root = xw.root("token-heatmap", model, keep);
  const title = make("div", { class: "xw-title" });
  const caption = make("div", { class: "xw-eyebrow" });
  const targets = make("div", { class: "xw-th-targets", role: "radiogroup", "aria-label": t("target") });
  const numbers = xw.button(t("numbers"), { class: "xw-button xw-quiet", "aria-pressed": "false", title: t("numbers_hint") });
  const twin = xw.disclosure(t("table"), keep, asTable);
  const line = make("div", { class: "xw-th-line", role: "listbox", "aria-label": t("tokens") });
  const readout = make("div", { class: "xw-th-readout", "aria-live": "polite" });
  const legend = make("div", {});
  root.append(
    make("div", { class: "xw-th-head" }, make("div", {}, title, caption), targets, make("span", { class: "xw-spacer" }), numbers, twin.opener),
    line, make("div", { class: "xw-th-foot" }, legend, make("span", { class: "xw-spacer" }), readout), twin.part,
  );
  el.append(root);

  let spans = [];
  let shown = null; // the tokens that the spans show
  let roving = 0;
  const diverging = () => model.get("kind") === "diverging";
  const target = () => Math.min(model.get("target"), Math.max(0, model.get("targets").length - 1));

  /** The scores of the target in view, one a token. */
  function row() {
    const n = model.get("tokens").length;
    return xw.floats(model.get("values")).subarray(target() * n, (target() + 1) * n);
  }

  function amount(value) {
    if (!Number.isFinite(value)) return t("no_score");
    const number = diverging() ? xw.signed(value) : xw.plain(value);
    const side = !diverging() || value === 0 ? "" : t("comma") + model.get(value > 0 ? "toward" : "away");
    return `${number} ${model.get("units")}`.trim() + side;
  }

  function build() {
    roving = 0;
    shown = model.get("tokens");
    spans = shown.map((token, i) => {
      const span = make("bdi", { class: "xw-token", role: "option", tabindex: i ? -1 : 0, "aria-selected": "false" });
      span.dataset.i = i;
      xw.setToken(span, token);
      return xw.focusable(span);
    });
    line.removeAttribute("dir"); // while it is "auto", the browser looks at the whole text anew for each child put in
    // a line may break before a word, never inside one
    line.replaceChildren(...spans.flatMap((span, i) => (/^[ \t]/.test(shown[i]) ? [make("wbr"), span] : [span])));
    line.setAttribute("dir", "auto");
    paint();
  }

  function paint() {
    const values = row();
    const tokens = model.get("tokens");
    const [low, high] = model.get("limits");
    spans.forEach((span, i) => {
      const value = values[i];
      span.dataset.number = Number.isFinite(value) ? (diverging() ? xw.signed(value) : xw.plain(value)) : "";
      span.setAttribute("aria-label", t("token_name", { n: i + 1, token: xw.said(t, tokens[i]), amount: amount(value) }));
      if (diverging()) return void (span.style.background = xw.ground(value, high));
      const rgb = Number.isFinite(value) ? xw.cividis((value - low) / (high - low || 1)) : null;
      span.style.background = rgb ? `rgb(${rgb.join(" ")})` : "transparent";
      span.style.color = rgb ? xw.inkOver(rgb) : "";
    });
    head();
    select();
    twin.refresh();
    root.dataset.version = model.get("version");
  }

  function head() {
    const [low, high] = model.get("limits");
    title.textContent = model.get("title");
    caption.textContent = model.get("caption");
    title.hidden = !title.textContent;
    caption.hidden = !caption.textContent;
    legend.replaceChildren(diverging()
      ? xw.divergingLegend(high, model.get("units"), model.get("toward"), model.get("away"))
      : xw.sequentialLegend(low, high, model.get("units")));
    const names = model.get("targets");
    targets.hidden = names.length < 2;
    if (targets.childElementCount !== names.length) targets.replaceChildren(...names.map(targetButton));
    [...targets.children].forEach((node, i) => {
      node.firstChild.textContent = names[i];
      node.setAttribute("aria-checked", String(i === target()));
      node.tabIndex = i === target() ? 0 : -1;
    });
  }

  function targetButton(name, i) {
    const node = xw.button(make("bdi"), { role: "radio", class: "xw-button" });
    node.addEventListener("click", () => { model.set("target", i); model.save_changes(); });
    return node;
  }

  function asTable() {
    const tokens = model.get("tokens");
    const all = xw.floats(model.get("values"));
    const names = model.get("targets").length ? model.get("targets") : [model.get("units") || t("score")];
    const number = (value) => (Number.isFinite(value) ? (diverging() ? xw.signed(value) : xw.plain(value)) : "–");
    const rows = tokens.map((token, i) => [`${i + 1}  ${xw.said(t, token)}`, ...names.map((_, k) => number(all[k * tokens.length + i]))]);
    return xw.table([model.get("title"), model.get("units")].filter(Boolean).join(t("comma")), [t("token"), ...names], rows);
  }

  function select() {
    const chosen = model.get("selected");
    spans.forEach((span, i) => {
      if ((span.getAttribute("aria-selected") === "true") !== (i === chosen)) span.setAttribute("aria-selected", String(i === chosen));
    });
    if (!line.matches(":hover") && !line.contains(document.activeElement)) read(chosen);
  }

  function read(i) {
    const span = spans[i];
    readout.replaceChildren();
    if (!span) return;
    readout.append(make("bdi", { class: "xw-th-said" }, xw.said(t, model.get("tokens")[i])), ` ${amount(row()[i])}`);
  }

  function choose(i) {
    model.set("selected", model.get("selected") === i ? -1 : i);
    model.save_changes();
  }

  function move(to) {
    const next = Math.max(0, Math.min(spans.length - 1, to));
    spans[roving].tabIndex = -1;
    roving = next;
    spans[roving].tabIndex = 0;
    spans[roving].focus();
  }

  /** The token above or below the one in focus: nearest in the next line that has one. */
  function vertical(from, step) {
    const box = spans[from].getBoundingClientRect();
    let best = from;
    let gap = Infinity;
    let top = null;
    for (let i = from + step; i >= 0 && i < spans.length; i += step) {
      const other = spans[i].getBoundingClientRect();
      if (Math.abs(other.top - box.top) < 4) continue;
      if (top !== null && Math.abs(other.top - top) > 4) break;
      top = other.top;
      if (Math.abs(other.left - box.left) < gap) { gap = Math.abs(other.left - box.left); best = i; }
    }
    return best;
  }

  const index = (event) => { const span = event.target.closest?.(".xw-token"); return span ? +span.dataset.i : -1; };
  const KEYS = {
    ArrowRight: () => move(roving + 1), ArrowLeft: () => move(roving - 1), Home: () => move(0), End: () => move(spans.length - 1),
    ArrowDown: () => move(vertical(roving, 1)), ArrowUp: () => move(vertical(roving, -1)),
    Enter: () => choose(roving), " ": () => choose(roving), n: () => numbers.click(), t: () => twin.opener.click(),
  };

  keep.dom(line, "click", (event) => { const i = index(event); if (i >= 0) { move(i); choose(i); } });
  keep.dom(line, "keydown", xw.onKeys(KEYS, index));
  keep.dom(line, "mouseover", (event) => read(index(event)));
  keep.dom(line, "mouseleave", () => read(model.get("selected")));
  keep.dom(line, "focusin", (event) => { roving = Math.max(0, index(event)); read(roving); });
  keep.dom(numbers, "click", () => numbers.setAttribute("aria-pressed", String(line.classList.toggle("xw-numbers"))));
  keep.dom(targets, "keydown", xw.onArrows((step) => {
    const n = targets.childElementCount;
    targets.children[(target() + step + n) % n].click();
    targets.children[target()].focus();
  }));
  const renew = xw.onceAFrame(keep.guard(() => (model.get("tokens") === shown ? paint() : build())));
  keep.model(model, ["change:tokens", "change:version", "change:target"], renew);
  keep.model(model, "change:selected", select);
  keep.model(model, ["change:title", "change:caption"], head);
  build();
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
