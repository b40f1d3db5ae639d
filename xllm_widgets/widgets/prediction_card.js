// A prediction and a confidence, locked before the run; after it, both beside the outcome, and why it came out so.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const t = xw.words(model);
  const root = xw.root("prediction-card", model, keep);
  const state = make("span", { class: "xw-pc-state", "aria-live": "polite" });
  const question = make("div", { class: "xw-pc-question", dir: "auto" });
  const choice = make("div", { class: "xw-pc-choice" });
  const sure = slider(t("confidence"));
  const sureLabel = make("label", {});
  const sureSaid = make("span", {});
  const lock = xw.button(t("lock"), { class: "xw-button xw-pc-lock" });
  const sureLine = make("div", { class: "xw-pc-sure" }, sureLabel, sure, sureSaid, lock);
  const result = xw.focusable(make("div", { class: "xw-pc-result", "aria-live": "polite", tabindex: -1 }));
  const why = xw.focusable(make("textarea", { rows: 2, dir: "auto", placeholder: t("why_hint") }));
  const whyState = make("span", { class: "xw-pc-state", "aria-live": "polite" });
  const whyLine = make("div", { class: "xw-pc-why" }, make("label", {}, make("span", {}, t("why")), why), whyState);
  root.append(
    make("div", { class: "xw-pc-top" }, make("span", { class: "xw-eyebrow" }, t("your_prediction")), make("span", { class: "xw-spacer" }), state),
    question, choice, sureLine, result, whyLine,
  );
  el.append(root);

  let draw = () => {};
  const get = (name) => model.get(name);
  const open = () => !get("locked");
  const number = (value) => String(Number(value.toPrecision(3))).replace("-", "−");
  const measured = (value) => `${number(value)} ${get("unit")}`.trim();
  const percent = () => `${Math.round(100 * get("confidence"))} %`;

  function slider(label) {
    return xw.focusable(make("input", { type: "range", "aria-label": label }));
  }

  function send(values) {
    if (!open()) return;
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  }

  function build() {
    question.textContent = get("question");
    draw = get("options").length ? asOptions() : asNumber();
    const least = Math.round(100 * get("guess"));
    Object.assign(sure, { min: String(least), max: "100", step: "1" });
    sureLabel.textContent = get("options").length ? t("how_sure") : t("how_sure_within", { within: measured(get("within")) });
    paint();
  }

  function asOptions() {
    const group = make("div", { class: "xw-pc-options", role: "radiogroup", "aria-label": get("question") });
    const buttons = get("options").map((option, i) => {
      const node = xw.button("", { role: "radio" });
      node.addEventListener("click", () => send({ prediction: option }));
      node.addEventListener("keydown", xw.onArrows((step) => {
        const next = buttons[(i + step + buttons.length) % buttons.length];
        next.click();
        next.focus();
      }));
      return node;
    });
    group.append(...buttons);
    choice.replaceChildren(group);
    return () => buttons.forEach((node, i) => drawOption(node, get("options")[i], i));
  }

  function drawOption(node, option, i) {
    const mine = get("prediction") === option;
    const came = get("outcome") === option;
    node.replaceChildren(make("bdi", {}, option));
    if (mine && !open()) node.append(make("span", { class: "xw-pc-tag" }, t("you_sure", { percent: percent() })));
    if (came) node.append(make("span", { class: "xw-pc-tag xw-pc-outcome-tag" }, t("outcome")));
    node.classList.toggle("xw-pc-came", came);
    node.setAttribute("aria-checked", String(mine));
    node.disabled = !open();
    node.tabIndex = mine || (get("prediction") === null && i === 0) ? 0 : -1;
  }

  function asNumber() {
    const [low, high] = [get("low"), get("high")];
    const share = (value) => Math.min(1, Math.max(0, (value - low) / (high - low)));
    const place = (value) => `calc(8px + ${share(value)} * (100% - 16px))`;
    const input = slider(get("question"));
    Object.assign(input, { min: String(low), max: String(high), step: String(get("step")) });
    const band = make("div", { class: "xw-pc-band" });
    const you = make("div", { class: "xw-pc-you" });
    const mark = make("div", { class: "xw-pc-mark" });
    const ends = [low, high].map((end) => make("div", { class: "xw-pc-end" }, number(end)));
    ends.forEach((node, i) => { node.style.left = place([low, high][i]); });
    const say = () => send({ prediction: Number(input.value) });
    input.addEventListener("input", say);
    input.addEventListener("click", say); // a click on the middle, where the thumb stands already, is a choice as well
    choice.replaceChildren(make("div", { class: "xw-pc-scale" }, band, ...ends, you, mark, input));
    return () => {
      const [said, came] = [get("prediction"), get("outcome")];
      band.hidden = you.hidden = said === null;
      mark.hidden = came === null;
      input.disabled = !open();
      input.classList.toggle("xw-pc-unset", said === null);
      input.value = String(said ?? (low + high) / 2);
      input.setAttribute("aria-valuetext", said === null ? t("not_chosen") : measured(said));
      if (said !== null) {
        const [from, to] = [said - get("within"), said + get("within")];
        band.style.left = place(from);
        band.style.right = `calc(100% - (${place(to).slice(4)}))`;
        you.style.left = place(said);
        you.textContent = measured(said);
      }
      if (came !== null) {
        mark.style.left = place(came);
        const told = make("span", {}, t("outcome_at", { value: measured(came) }));
        told.style.transform = `translateX(${100 * (0.5 - share(came))}%)`; // the words stay within the scale, the arrow points
        mark.replaceChildren(told);
      }
    };
  }

  /** How it feels to be so sure, between a blind guess and certainty. */
  function feeling() {
    const [confidence, least] = [get("confidence"), get("guess")];
    const share = (confidence - least) / (1 - least);
    return share < 0.03 ? t("blind_guess") : share < 0.3 ? t("leaning") : share < 0.65 ? t("fairly_sure") : share < 0.995 ? t("very_sure") : t("certain");
  }

  function paint() {
    root.classList.toggle("xw-pc-scored", get("outcome") !== null);
    draw();
    sure.value = String(Math.round(100 * get("confidence")));
    const confidence = t("confidence_said", { percent: percent(), feeling: feeling() });
    sure.setAttribute("aria-valuetext", confidence);
    sureSaid.textContent = confidence;
    sureLine.hidden = !open();
    lock.disabled = get("prediction") === null;
    lock.title = lock.disabled ? t("choose_first") : t("lock_hint");
    state.textContent = get("locked") ? (get("outcome") === null ? t("locked_now_run") : get("prediction") === null ? "" : t("locked_before")) : "";
    paintResult();
    paintWhy();
  }

  function paintResult() {
    const [said, came, brier] = [get("prediction"), get("outcome"), get("brier")];
    if (!get("locked")) return result.replaceChildren();
    const name = (value) => (typeof value === "string" ? value : measured(value));
    const near = typeof said === "number" ? ` (± ${number(get("within"))})` : "";
    const rows = [];
    if (said !== null) rows.push([t("you_said"), t("said_sure", { value: name(said) + near, percent: percent() })]);
    if (came !== null) rows.push([t("it_came_out"), name(came)]);
    if (brier !== null) rows.push([t("brier_score"), t("brier_said", { brier: brier.toFixed(2), meaning: t("brier_meaning") })]);
    const heading = came === null ? "" : said === null ? t("none_made") : get("correct") ? t("right") : t("wrong");
    const body = rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row[0]), make("td", {}, make("bdi", {}, row[1]))));
    result.replaceChildren(make("table", { class: "xw-table" }, heading ? make("caption", {}, heading) : null, make("tbody", {}, ...body)));
  }

  /** “Kept” is said only once Python has the words: a busy kernel has not, and on a saved page nobody would. */
  function paintWhy() {
    why.readOnly = Boolean(get("_static"));
    if (!why.matches(":focus")) why.value = get("explanation");
    const text = why.value.trim();
    whyState.textContent = text !== get("kept") ? t("not_kept") : text ? t("kept") : "";
    whyLine.hidden = get("brier") === null || (why.readOnly && !text);
  }

  function keepWhy() {
    const text = why.value.trim();
    if (text === get("explanation")) return;
    model.set("explanation", text);
    model.save_changes();
  }

  keep.dom(why, "input", paintWhy);
  keep.dom(why, "blur", () => { keepWhy(); paintWhy(); });
  keep.dom(why, "keydown", (event) => {
    event.stopPropagation();
    if (event.isComposing || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    keepWhy();
  });
  keep.dom(sure, "input", () => send({ confidence: Number(sure.value) / 100 }));
  keep.dom(lock, "click", () => {
    send({ locked: true });
    result.focus(); // the button goes away, and focus must not fall out of the view
  });
  keep.model(model, ["change:question", "change:options", "change:low", "change:high", "change:unit", "change:within"], build);
  keep.model(model, ["change:prediction", "change:confidence", "change:locked", "change:outcome", "change:correct", "change:brier"], paint);
  keep.model(model, ["change:explanation", "change:kept"], paintWhy);
  build();
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
