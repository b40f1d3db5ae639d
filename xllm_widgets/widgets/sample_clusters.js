// Many answers, few meanings: the strip shows how the weight falls on meanings, the formula adds up the uncertainty.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const get = (name) => model.get(name);
  const t = xw.words(model);
  const root = xw.root("sample-clusters", model, keep);
  const title = make("div", { class: "xw-title" });
  const prompt = make("div", { class: "xw-sc-prompt", dir: "auto" });
  const weighs = make("div", { class: "xw-sc-weighs", role: "radiogroup", "aria-label": t("weigh_name") });
  const twin = xw.disclosure(t("table"), keep, asTable);
  const said = make("div", { class: "xw-sc-said", role: "status" });
  const strip = make("div", { class: "xw-sc-strip", role: "listbox", "aria-orientation": "horizontal", "aria-label": t("meanings") });
  const formula = make("div", { class: "xw-sc-formula" });
  const gauge = make("div", { class: "xw-sc-gauge" });
  const cards = make("div", { class: "xw-sc-cards" });
  root.append(
    make("div", { class: "xw-sc-head" }, make("div", { class: "xw-sc-what" }, title, prompt), weighs, twin.opener),
    said, strip, formula, gauge, cards, twin.part,
  );
  el.append(root);

  const NAMES = { share: t("by_share"), probability: t("by_probability") };
  const FEW = 3; // wordings shown until a card is opened
  const open = new Set();
  const weight = (one) => one[get("weigh")] ?? one.share;
  const term = (p) => (p > 0 ? -p * Math.log(p) : 0);
  const two = (value) => value.toFixed(2);
  const whole = (share) => `${(100 * share).toFixed(0)} %`;
  const logprob = (value) => (value === null ? "" : `ln p ${xw.plain(value)}`);
  const answers = (n) => t("answers", { n });
  const strength = (c) => `${(48 - (34 * c) / Math.max(1, get("clusters").length - 1)).toFixed(1)}%`;

  /** Everything that belongs to a cluster carries its number, so that one part can point at the others. */
  function of(c, node) {
    node.dataset.c = c;
    node.style.setProperty("--xw-sc-strength", strength(c));
    return node;
  }

  function build() {
    title.textContent = get("title");
    title.hidden = !title.textContent;
    prompt.textContent = get("prompt");
    prompt.hidden = !prompt.textContent;
    const clusters = get("clusters");
    strip.replaceChildren(...clusters.map(segment));
    cards.replaceChildren(...clusters.map(card));
    for (const node of [strip, formula, gauge, weighs]) node.hidden = !clusters.length;
    if (!weighs.childElementCount) weighs.append(t("weigh_by"), ...Object.keys(NAMES).map(weighButton));
    paint();
    select();
  }

  function segment(one, c) {
    const node = make("div", { class: "xw-sc-segment", role: "option", tabindex: c ? -1 : 0, "aria-selected": "false" },
      make("b", {}, one.letter), make("span", { class: "xw-sc-percent" }), make("bdi", { class: "xw-sc-name" }, one.name));
    return xw.focusable(of(c, node));
  }

  function card(one, c) {
    const all = make("ul", { class: "xw-sc-answers" }, ...one.answers.map((answer, i) =>
      make("li", { hidden: i >= FEW && !open.has(one.cluster) }, make("span", { class: "xw-sc-times" }, `${answer.times} ×`),
        make("bdi", { class: "xw-sc-text" }, answer.text.trim() || "∅"), make("span", { class: "xw-sc-logprob" }, logprob(answer.logprob)))));
    const node = make("section", { class: "xw-sc-card", "aria-label": t("card_name", { letter: one.letter, name: one.name }) },
      make("div", { class: "xw-sc-badge", "aria-hidden": "true" }, one.letter),
      make("div", { class: "xw-sc-weight" }, make("b"), make("span", {}, answers(one.n))),
      make("div", { class: "xw-sc-meaning" }, all, more(one, all)));
    return of(c, node);
  }

  function more(one, all) {
    const left = one.answers.length - FEW;
    if (left < 1) return null;
    const node = xw.button("", { class: "xw-button xw-quiet", "aria-expanded": String(open.has(one.cluster)) });
    const name = () => { node.textContent = open.has(one.cluster) ? t("fewer_wordings") : t("more_wordings", { n: left }); };
    node.addEventListener("click", () => {
      if (!open.delete(one.cluster)) open.add(one.cluster);
      [...all.children].forEach((item, i) => { item.hidden = i >= FEW && !open.has(one.cluster); });
      node.setAttribute("aria-expanded", String(open.has(one.cluster)));
      name();
    });
    name();
    return node;
  }

  function weighButton(name) {
    const node = xw.button(NAMES[name], { role: "radio", class: "xw-button" });
    node.dataset.weigh = name;
    node.addEventListener("click", () => { model.set("weigh", name); model.save_changes(); });
    return node;
  }

  /** What changes with the way of weighing: widths, percentages, the formula and its result. */
  function paint() {
    const clusters = get("clusters");
    said.textContent = clusters.length ? get("said")[get("weigh")] : t("no_answers");
    clusters.forEach((one, c) => {
      const p = weight(one);
      const part = strip.children[c];
      part.style.flexGrow = 100 * p; // a sum below 1 would not fill the strip
      part.children[1].textContent = whole(p);
      part.setAttribute("aria-label", t("segment_name", { letter: one.letter, percent: whole(p), answers: answers(one.n), name: one.name }));
      cards.children[c].querySelector("b").textContent = whole(p);
    });
    for (const node of weighs.querySelectorAll("button")) {
      const on = node.dataset.weigh === get("weigh");
      node.setAttribute("aria-checked", String(on));
      node.tabIndex = on ? 0 : -1;
      node.disabled = get("entropy")[node.dataset.weigh] === null;
    }
    paintFormula(clusters);
    paintGauge();
    twin.refresh();
  }

  function paintFormula(clusters) {
    const pieces = clusters.map((one, c) => of(c, make("span", { class: "xw-sc-piece", title: `−${two(weight(one))} · ln ${two(weight(one))}` },
      two(term(weight(one))), make("small", {}, ` ${one.letter}`))));
    const sum = pieces.flatMap((piece, c) => (c ? [" + ", piece] : [piece]));
    formula.replaceChildren(make("span", { class: "xw-sc-rule" }, `${t("semantic_entropy")}  = −Σ p ln p  = `), ...sum, " = ", make("b", {}, two(get("entropy")[get("weigh")] ?? 0)), ` ${t("nats")}`);
  }

  function paintGauge() {
    const { wordings, most } = get("entropy");
    const meanings = get("entropy")[get("weigh")] ?? 0;
    const at = (value) => `${most > 0 ? Math.min(100, (100 * value) / most) : 0}%`;
    const fill = make("span", { class: "xw-sc-fill" });
    const tick = make("span", { class: "xw-sc-tick" });
    fill.style.width = at(meanings);
    tick.style.left = at(wordings);
    gauge.replaceChildren(make("span", {}, "0"), make("span", { class: "xw-sc-track", role: "img", "aria-label": t("gauge_name", { entropy: two(meanings), most: two(most), wordings: two(wordings) }) }, fill, tick),
      make("span", {}, t("if_none_agreed", { most: two(most) })),
      make("span", { class: "xw-sc-key" }, t("if_all_differ", { wordings: two(wordings) })));
  }

  function select() {
    const chosen = get("selected");
    [...strip.children].forEach((node, c) => node.setAttribute("aria-selected", String(c === chosen)));
    point(chosen);
  }

  /** One meaning in front; the others step back. */
  function point(c) {
    root.querySelectorAll("[data-c]").forEach((node) => node.classList.toggle("xw-sc-back", c >= 0 && Number(node.dataset.c) !== c));
  }

  function choose(c) {
    model.set("selected", get("selected") === c ? -1 : c);
    model.save_changes();
  }

  function move(to) {
    const next = Math.max(0, Math.min(strip.childElementCount - 1, to));
    [...strip.children].forEach((node, c) => { node.tabIndex = c === next ? 0 : -1; });
    strip.children[next].focus();
  }

  function asTable() {
    const rows = get("clusters").flatMap((one) => one.answers.map((answer) => [
      answer.text.trim(), one.letter, answer.times, answer.logprob === null ? "–" : xw.plain(answer.logprob), whole(weight(one)), two(term(weight(one)))]));
    return xw.table(get("said")[get("weigh")] || t("caption"), [t("answer"), t("meaning"), t("times"), "ln p", t("p_of_meaning"), "−p ln p"], rows);
  }

  const at = (event) => { const node = event.target.closest?.("[data-c]"); return node ? Number(node.dataset.c) : -1; };
  const KEYS = {
    ArrowRight: (c) => move(c + 1), ArrowLeft: (c) => move(c - 1), Home: () => move(0), End: () => move(get("clusters").length - 1),
    Enter: choose, " ": choose, t: () => twin.opener.click(),
  };
  keep.dom(strip, "keydown", xw.onKeys(KEYS, at));
  keep.dom(strip, "click", (event) => { if (at(event) >= 0) { move(at(event)); choose(at(event)); } });
  keep.dom(root, "mouseover", (event) => point(at(event) >= 0 ? at(event) : get("selected")));
  keep.dom(root, "mouseleave", () => point(get("selected")));
  keep.dom(strip, "focusin", (event) => point(at(event)));
  keep.dom(strip, "focusout", () => point(get("selected")));
  keep.dom(weighs, "keydown", xw.onArrows(() => {
    const other = [...weighs.querySelectorAll("button")].find((node) => node.tabIndex < 0 && !node.disabled);
    other?.click();
    other?.focus();
  }));
  keep.model(model, ["change:clusters", "change:prompt", "change:title"], build);
  keep.model(model, ["change:weigh", "change:said", "change:entropy"], () => { if (strip.childElementCount === get("clusters").length) paint(); });
  keep.model(model, "change:selected", select);
  build();
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
