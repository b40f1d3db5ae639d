// Confidence against accuracy: the diagonal is honesty, the shaded gap is what is missing to it.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const t = xw.words(model);
  const root = xw.root("reliability-diagram", model, keep);
  const title = make("div", { class: "xw-title" });
  const panels = make("div", { class: "xw-rd-panels" });
  const readout = make("div", { class: "xw-rd-readout", "aria-live": "polite", dir: "auto" });
  const twin = xw.disclosure(t("table"), keep, asTable);
  root.append(
    make("div", { class: "xw-rd-head" }, title, ...legend(), make("span", { class: "xw-spacer" }), twin.opener),
    panels, readout, twin.part,
  );
  el.append(root);

  let columns = []; // of each series, its bins' elements
  const percent = (share) => `${100 * share}%`;
  const put = (node, places) => { Object.assign(node.style, places); return node; };

  function legend() {
    const key = (kind, words) => make("span", { class: "xw-rd-key" }, make("i", { class: `xw-rd-${kind}`, "aria-hidden": "true" }), words);
    return [key("dot", t("share_right")), key("gap xw-rd-over", t("too_sure")), key("gap", t("not_sure_enough")), key("line", t("as_right_as_sure"))];
  }

  function build() {
    title.textContent = model.get("title");
    title.hidden = !title.textContent;
    columns = [];
    panels.replaceChildren(...model.get("series").map(panel));
    select();
    twin.refresh();
  }

  function panel(series, s) {
    const words = model.get("words")[s];
    const most = Math.max(1, ...series.bins.map((bin) => bin.n));
    const name = make("bdi", { class: "xw-rd-name" }, series.name);
    const bins = make("div", { class: "xw-rd-bins", role: "listbox", "aria-orientation": "horizontal", "aria-label": t("bins_of", { series: series.name }) });
    columns.push(series.bins.map((bin, b) => column(bin, b, words.bins[b], most)));
    bins.append(...columns[s]);
    listen(bins, s);
    const axis = (kind, ...marks) => make("div", { class: `xw-rd-${kind}`, "aria-hidden": "true" }, ...marks.map((mark) => make("span", {}, mark)));
    return make("section", { class: `xw-rd-panel${series.role ? ` xw-rd-${series.role}` : ""}`, "aria-label": series.name },
      make("div", { class: "xw-rd-title" }, make("i", { class: "xw-rd-dot", "aria-hidden": "true" }), name),
      make("div", { class: "xw-rd-sentence" }, words.sentence),
      make("div", { class: "xw-rd-what", "aria-hidden": "true" }, t("how_often_right")),
      make("div", { class: "xw-rd-plot" }, axis("y", "100 %", "50 %", "0"), make("div", { class: "xw-rd-area" }, make("div", { class: "xw-rd-diagonal" }), bins), axis("x", "0", "50 %", "100 %")),
      make("div", { class: "xw-rd-what xw-rd-below", "aria-hidden": "true" }, t("how_sure")),
      make("dl", { class: "xw-rd-measures" }, ...words.measures.map(([measure, number, meaning]) =>
        make("div", {}, make("dt", {}, measure), make("dd", {}, make("b", {}, number), make("span", {}, ` ${meaning}`))))));
  }

  /** One bin: the gap between confidence and accuracy above, the number of its items below. */
  function column(bin, b, words, most) {
    const upper = make("span", { class: "xw-rd-upper" });
    const bar = put(make("span", { class: "xw-rd-bar" }), { height: percent(bin.n / most) });
    const count = put(make("span", { class: "xw-rd-n" }, bin.n || ""), { bottom: percent(bin.n / most) });
    const node = make("div", { class: "xw-rd-bin", role: "option", tabindex: b ? -1 : 0, "aria-selected": "false", "aria-label": words },
      upper, make("span", { class: "xw-rd-lower" }, bar, count));
    put(node, { left: percent(bin.low), width: percent(bin.high - bin.low) });
    if (bin.n) upper.append(...marks(bin));
    return xw.focusable(node);
  }

  function marks({ low, high, confidence, accuracy, interval }) {
    const over = confidence > accuracy;
    const left = percent((confidence - low) / (high - low || 1));
    return [
      put(make("span", { class: `xw-rd-gap${over ? " xw-rd-over" : ""}` }), { bottom: percent(Math.min(confidence, accuracy)), height: percent(Math.abs(confidence - accuracy)) }),
      put(make("span", { class: "xw-rd-whisker" }), { left, bottom: percent(interval[0]), height: percent(interval[1] - interval[0]) }),
      put(make("span", { class: "xw-rd-dot" }), { left, bottom: percent(accuracy) }),
    ];
  }

  function listen(bins, s) {
    const at = (event) => columns[s].indexOf(event.target.closest?.(".xw-rd-bin"));
    const move = (to) => {
      const next = Math.max(0, Math.min(columns[s].length - 1, to));
      columns[s].forEach((node, b) => { node.tabIndex = b === next ? 0 : -1; });
      columns[s][next].focus();
    };
    const keys = {
      ArrowRight: (b) => move(b + 1), ArrowLeft: (b) => move(b - 1), Home: () => move(0), End: () => move(columns[s].length - 1),
      Enter: (b) => choose(s, b), " ": (b) => choose(s, b), t: () => twin.opener.click(),
    };
    bins.addEventListener("keydown", xw.onKeys(keys, at));
    bins.addEventListener("click", (event) => { if (at(event) >= 0) { move(at(event)); choose(s, at(event)); } });
    bins.addEventListener("mouseover", (event) => read(s, at(event)));
    bins.addEventListener("focusin", (event) => read(s, at(event)));
    bins.addEventListener("mouseleave", () => read(...model.get("selected")));
  }

  function choose(s, b) {
    const [series, bin] = model.get("selected");
    model.set("selected", series === s && bin === b ? [-1, -1] : [s, b]);
    model.save_changes();
  }

  function select() {
    const [s, b] = model.get("selected");
    columns.forEach((bins, i) => bins.forEach((node, j) => node.setAttribute("aria-selected", String(i === s && j === b))));
    if (!panels.matches(":hover") && !panels.contains(document.activeElement)) read(s, b);
  }

  function read(s, b) {
    const said = model.get("words")[s]?.bins[b];
    readout.replaceChildren(...(said ? [make("bdi", { class: "xw-rd-name" }, model.get("series")[s].name), `  ${said}`]
      : [t("hint")]));
    readout.classList.toggle("xw-rd-hint", !said);
  }

  function asTable() {
    const share = (value) => (value === null ? "–" : `${(100 * value).toFixed(1)} %`);
    const rows = model.get("series").flatMap((series) => series.bins.map((bin) => [
      series.name, `${share(bin.low)} – ${share(bin.high)}`, bin.n, share(bin.confidence), share(bin.accuracy),
      share(bin.interval[0] ?? null), share(bin.interval[1] ?? null)]));
    return xw.table(model.get("title") || t("caption"), [t("series"), t("bin"), t("answers"), t("confidence"), t("right"), t("low"), t("high")], rows);
  }

  keep.model(model, ["change:words", "change:title"], build);
  keep.model(model, "change:selected", select);
  build();
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
