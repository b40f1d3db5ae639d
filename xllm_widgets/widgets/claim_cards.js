// Claims with their verdicts: one card a statement, one line a model, everything on one axis.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const t = xw.words(model);
  const VERDICTS = { shown: t("shown"), "not shown": t("not_shown"), reversed: t("reversed") };
  const root = xw.root("claim-cards", model, keep);
  const title = make("div", { class: "xw-title" });
  const cards = make("div", {});
  const twin = xw.disclosure(t("table"), keep, asTable);
  const head = make("div", { class: "xw-cc-head" }, title, ...legend(), make("span", { class: "xw-spacer" }), twin.opener);
  root.append(head, cards, twin.part);
  el.append(root);

  const number = (value, places) => (value === null ? "–" : value === 0 ? "0" : value.toFixed(places).replace("-", "−"));
  const measured = (claim) => ![claim.estimate, claim.low, claim.high].includes(null);
  const estimate = (claim, places) => (measured(claim)
    ? `${number(claim.estimate, places)} [${number(claim.low, places)}, ${number(claim.high, places)}]` : t("not_measured"));
  const threshold = (claim, places) => t("threshold_at", { value: number(claim.threshold, places) });
  const control = (claim, places) => (claim.control === null ? t("no_control") : t("control_at", { value: number(claim.control, places) }));
  const beside = (claim, places) => threshold(claim, places) + t("comma") + control(claim, places);
  const sample = (claim) => t("sample", { count: claim.n, n: claim.seeds });
  const verdict = (claim) => `${PALETTE.glyphs[claim.verdict]} ${VERDICTS[claim.verdict]}`;

  function legend() {
    const place = (node, left) => { node.style.left = left; return node; };
    const bar = place(make("span", { class: "xw-cc-bar" }), "0");
    bar.style.width = "100%";
    const key = (words, ...marks) => make("span", { class: "xw-cc-key" }, make("i", { "aria-hidden": "true" }, ...marks), words);
    return [
      key(t("estimate_and_interval"), bar, place(make("span", { class: "xw-cc-dot" }), "50%")),
      key(t("threshold"), place(make("span", { class: "xw-cc-tick" }), "50%")),
      key(t("control"), place(make("span", { class: "xw-cc-control" }), "50%")),
    ];
  }

  function build() {
    title.textContent = model.get("title");
    title.hidden = !title.textContent;
    head.hidden = !model.get("claims").length; // a study that was not run yet has no claims, but its code
    root.hidden = head.hidden && !model.get("code");
    cards.replaceChildren(...model.get("groups").map(card));
    twin.refresh();
  }

  function card(group) {
    const claims = group.claims.map((i) => model.get("claims")[i]);
    const { statement, section, paper, study } = claims[0];
    return make("section", { class: "xw-cc-group", "aria-label": statement },
      make("div", { class: "xw-cc-statement", dir: "auto" }, statement),
      make("div", { class: "xw-eyebrow" }, t("source", { section, paper, study })),
      make("ul", { class: "xw-cc-rows" }, ...claims.map((claim) => row(claim, group)), scale(group.axis)));
  }

  function row(claim, group) {
    const glyph = make("span", { "aria-hidden": "true" }, PALETTE.glyphs[claim.verdict]);
    return make("li", { class: "xw-cc-row" },
      make("div", { class: `xw-cc-verdict${claim.verdict === "not shown" ? " xw-cc-not" : ""}` }, glyph, make("span", {}, VERDICTS[claim.verdict])),
      make("div", { class: "xw-cc-model" }, make("bdi", {}, claim.model), make("span", { class: "xw-cc-small" }, sample(claim))),
      plot(claim, group),
      make("div", { class: "xw-cc-numbers" }, estimate(claim, group.places), make("span", { class: "xw-cc-small" }, beside(claim, group.places))));
  }

  function plot(claim, { axis: [low, high], places }) {
    const share = (value) => 100 * Math.min(1, Math.max(0, (value - low) / (high - low)));
    const node = make("div", { class: "xw-cc-plot", role: "img", "aria-label": `${estimate(claim, places)}, ${beside(claim, places)}` });
    const mark = (kind, value, title) => {
      const made = make("span", { class: `xw-cc-${kind}`, title });
      made.style.left = `${share(value)}%`;
      node.append(made);
      return made;
    };
    if (claim.control !== null) mark("control", claim.control, control(claim, places));
    if (claim.threshold !== null) mark("tick", claim.threshold, threshold(claim, places));
    if (!measured(claim)) return node;
    const bar = mark("bar", claim.low, estimate(claim, places));
    bar.style.width = `${share(claim.high) - share(claim.low)}%`;
    mark("dot", claim.estimate, estimate(claim, places));
    return node;
  }

  /** The ends of the axis under the plots of a card. */
  function scale([low, high]) {
    const ends = make("div", { class: "xw-cc-axis" }, ...[low, (low + high) / 2, high].map((value) => make("span", {}, String(Number(value.toPrecision(3))).replace("-", "−"))));
    return make("li", { class: "xw-cc-row xw-cc-scale", "aria-hidden": "true" }, make("span"), make("span"), ends, make("span"));
  }

  function asTable() {
    const head = [t("claim"), t("model"), t("verdict"), t("estimate"), t("low"), t("high"), t("threshold"), t("control"), "n", t("seeds"), t("section"), t("paper")];
    const rows = model.get("groups").flatMap((group) => group.claims.map((i) => {
      const c = model.get("claims")[i];
      const numbers = [c.estimate, c.low, c.high, c.threshold, c.control].map((value) => number(value, group.places));
      return [c.statement, c.model, verdict(c), ...numbers, c.n, c.seeds, c.section, c.paper];
    }));
    return xw.table(model.get("title") || t("claims"), head, rows);
  }

  keep.model(model, ["change:groups", "change:claims", "change:title", "change:code"], build);
  build();
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
