// One text, two readers: which token either expected more, what either would say next, and how either goes on.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const get = (name) => model.get(name);
  const t = xw.words(model);
  const root = xw.root("model-diff", model, keep);
  const title = make("div", { class: "xw-title" });
  const numbers = xw.button(t("numbers"), { class: "xw-button xw-quiet", "aria-pressed": "false", title: t("numbers_hint") });
  const twin = xw.disclosure(t("table"), keep, asTable);
  const said = make("div", { class: "xw-md-said", role: "status", dir: "auto" });
  const legend = make("div", { class: "xw-legend" });
  const line = make("div", { class: "xw-md-line", role: "listbox", "aria-label": t("prompt_tokens"), dir: "auto" });
  const readout = make("div", { class: "xw-md-readout", "aria-live": "polite" });
  const top = make("div", { class: "xw-md-top", role: "group" });
  const ends = make("div", { class: "xw-md-ends" });
  root.append(
    make("div", { class: "xw-md-head" }, title, make("span", { class: "xw-spacer" }), numbers, twin.opener),
    said, legend, line, readout, top, ends, twin.part,
  );
  el.append(root);

  const SIDES = ["first", "second"];
  let spans = [];
  let roving = 0;
  const known = (value) => value !== null && value !== undefined;
  const nats = (value) => (known(value) ? xw.plain(value) : "–");
  const percent = (p) => (known(p) ? xw.percent(p) : "–");
  const limit = () => Math.max(0, ...get("differences").filter(known).map(Math.abs));
  const side = (difference) => SIDES[Number(difference > 0)];

  function build() {
    roving = 0;
    title.textContent = get("title");
    title.hidden = !title.textContent;
    said.textContent = get("said");
    spans = get("steps").map(tokenNode);
    // a line may break before a word, never inside one
    line.replaceChildren(...spans.flatMap((span, i) => (/^[ \t]/.test(get("steps")[i].token) ? [make("wbr"), span] : [span])));
    line.hidden = legend.hidden = readout.hidden = numbers.hidden = !spans.length;
    paintLegend();
    paintEnds();
    select();
    twin.refresh();
  }

  function tokenNode({ token, logprobs }, i) {
    const difference = get("differences")[i];
    const node = make("bdi", { class: "xw-md-token", role: "option", tabindex: i ? -1 : 0, "aria-selected": "false", "aria-label": t("token_name", { n: i + 1, token: xw.said(t, token), amount: amount(logprobs, difference) }) });
    node.dataset.i = i;
    node.dataset.number = known(difference) ? xw.signed(difference) : "";
    xw.setToken(node, token);
    if (known(difference) && limit() > 0) {
      const share = Math.abs(difference) / limit();
      node.style.setProperty("--xw-md-share", `${(100 * PALETTE.maxAlpha * share).toFixed(1)}%`);
      node.classList.add(`xw-md-${side(difference)}`);
      if (share > 0.15) node.classList.add("xw-md-clear"); // a bar above or below says without colour who expected it
    }
    return xw.focusable(node);
  }

  function amount([first, second], difference) {
    const [a, b] = get("names");
    if (!known(difference)) return t("not_compared");
    const more = Math.abs(difference) < 0.005 ? t("alike") : t("more_by", { model: get("names")[Number(difference > 0)], size: nats(Math.abs(difference)) });
    return t("amount", { first: nats(first), a, second: nats(second), b, more });
  }

  function paintLegend() {
    const [a, b] = get("names");
    const size = xw.plain(limit());
    const sample = (which) => make("span", { class: `xw-md-token xw-md-sample xw-md-clear xw-md-${which}`, "aria-hidden": "true" }, t("sample_word"));
    legend.replaceChildren(sample("first"), make("span", {}, ...t.parts("more_above", { model: make("bdi", {}, a) })), sample("second"), make("span", {}, ...t.parts("more_below", { model: make("bdi", {}, b) })),
      make("span", {}, t("full_colour", { size })));
  }

  /** What either model expected at the token in view, or after the prompt, back to back. */
  function paintTop(i) {
    const step = get("steps")[i];
    const rows = step ? step.top : get("following");
    const [a, b] = get("names");
    const what = step ? t("in_place", { token: xw.said(t, step.token) }) : t("next_token");
    top.hidden = !rows.length && !get("following").length;
    top.setAttribute("aria-label", what);
    top.replaceChildren(
      make("div", { class: "xw-md-row xw-md-heads" }, make("bdi", { class: "xw-md-name xw-md-first" }, a), make("bdi", { class: "xw-md-middle" }, what), make("bdi", { class: "xw-md-name xw-md-second" }, b)),
      ...rows.map((row) => topRow(row, step)));
    if (!rows.length) top.append(make("div", { class: "xw-md-none" }, t("not_known")));
  }

  function topRow({ token, p }, step) {
    const came = step && step.token === token;
    const middle = make("bdi", { class: "xw-md-middle" });
    xw.setToken(middle, token);
    if (came) middle.append(make("span", { class: "xw-md-came", title: t("read_hint") }, ` ${t("read")}`));
    const bar = (which, s) => {
      const node = make("span", { class: `xw-md-bar xw-md-${which}`, "aria-hidden": "true" });
      node.style.width = `${100 * (p[s] ?? 0)}%`;
      return node;
    };
    const number = (s) => make("span", { class: "xw-md-p" }, percent(p[s]));
    return make("div", { class: `xw-md-row${came ? " xw-md-this" : ""}`, role: "img", "aria-label": t("row", { token: xw.said(t, token), first: percent(p[0]), a: get("names")[0], second: percent(p[1]), b: get("names")[1] }) },
      make("div", { class: "xw-md-half xw-md-left" }, make("span", { class: "xw-md-room" }, bar("first", 0)), number(0)), middle,
      make("div", { class: "xw-md-half" }, make("span", { class: "xw-md-room" }, bar("second", 1)), number(1)));
  }

  function paintEnds() {
    ends.hidden = !get("continuations").length;
    ends.replaceChildren(...get("continuations").map((text, s) => make("section", { class: `xw-md-end xw-md-${SIDES[s]}`, "aria-label": t("goes_on", { model: get("names")[s] }) },
      make("div", { class: `xw-md-name xw-md-${SIDES[s]}` }, ...t.parts("goes_on", { model: make("bdi", {}, get("names")[s]) })),
      make("div", { class: "xw-md-text", dir: "auto" }, text || t("no_text")))));
  }

  function select() {
    const chosen = get("selected");
    spans.forEach((span, i) => span.setAttribute("aria-selected", String(i === chosen)));
    if (!line.matches(":hover") && !line.contains(document.activeElement)) read(chosen);
    else paintTop(chosen);
  }

  function read(i) {
    const step = get("steps")[i];
    readout.replaceChildren(...(step ? [make("bdi", { class: "xw-md-what" }, xw.said(t, step.token)), ` ${amount(step.logprobs, get("differences")[i])}`]
      : [t("hint")]));
    readout.classList.toggle("xw-md-hint", !step);
    paintTop(i);
  }

  function choose(i) {
    model.set("selected", get("selected") === i ? -1 : i);
    model.save_changes();
  }

  function move(to) {
    const next = Math.max(0, Math.min(spans.length - 1, to));
    spans[roving].tabIndex = -1;
    roving = next;
    spans[roving].tabIndex = 0;
    spans[roving].focus();
  }

  function asTable() {
    const [a, b] = get("names");
    const rows = get("steps").map(({ token, logprobs }, i) => [`${i + 1}  ${xw.said(t, token)}`, nats(logprobs[0]), nats(logprobs[1]), known(get("differences")[i]) ? xw.signed(get("differences")[i]) : "–"]);
    const next = get("following").map(({ token, p }) => [`${t("next")}  ${xw.said(t, token)}`, percent(p[0]), percent(p[1]), ""]);
    return xw.table(t("caption"), [t("token"), a, b, `${b} − ${a}`], [...rows, ...next]);
  }

  const at = (event) => { const span = event.target.closest?.(".xw-md-token"); return span ? Number(span.dataset.i) : -1; };
  const KEYS = {
    ArrowRight: () => move(roving + 1), ArrowLeft: () => move(roving - 1), Home: () => move(0), End: () => move(spans.length - 1),
    Enter: () => choose(roving), " ": () => choose(roving), n: () => numbers.click(), t: () => twin.opener.click(),
  };
  keep.dom(line, "keydown", xw.onKeys(KEYS, at));
  keep.dom(line, "click", (event) => { if (at(event) >= 0) { move(at(event)); choose(at(event)); } });
  keep.dom(line, "mouseover", (event) => { if (at(event) >= 0) read(at(event)); });
  keep.dom(line, "mouseleave", () => read(get("selected")));
  keep.dom(line, "focusin", (event) => { roving = Math.max(0, at(event)); read(roving); });
  keep.dom(line, "focusout", () => read(get("selected")));
  keep.dom(numbers, "click", () => numbers.setAttribute("aria-pressed", String(line.classList.toggle("xw-md-numbers"))));
  keep.model(model, ["change:differences", "change:steps", "change:said", "change:following", "change:continuations", "change:title"], build);
  keep.model(model, "change:selected", select);
  build();
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
