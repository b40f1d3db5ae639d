// A dial along a direction. Every move goes to Python as a command and comes back with the probabilities that follow;
// once they are painted the texts are asked for, and nothing is shown that belongs to an earlier setting.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const QUIET = 200;     // milliseconds without a move before the slower texts are asked for
  const PATIENCE = 5000; // milliseconds without an answer before the view says that it is waiting
  const root = xw.root("steering-dial", model, keep);
  const get = (name) => model.get(name);
  const t = xw.words(model);
  const VERDICTS = { coherent: t("coherent"), strained: t("strained"), broken: t("broken") };
  const title = make("div", { class: "xw-title" });
  const state = make("span", { class: "xw-eyebrow" });
  const twin = xw.disclosure(t("table"), keep, asTable);
  const concepts = group(t("concept"), "radiogroup");
  const directions = group(t("direction"), "radiogroup");
  const layers = group(t("layers"), "group");
  const positions = group(t("positions"), "group");
  const prompt = xw.focusable(make("input", { type: "text", class: "xw-sd-input", dir: "auto", "aria-label": t("prompt") }));
  const slider = xw.focusable(make("input", { type: "range", class: "xw-sd-slider", "aria-label": t("strength_name") }));
  const number = make("span", { class: "xw-sd-number" });
  const ends = make("div", { class: "xw-sd-ends", "aria-hidden": "true" }, make("span"), make("span", {}, t("zero_end")), make("span"));
  const bars = make("div", { class: "xw-sd-bars" });
  const SIDES = [t("unsteered"), t("steered")];
  const sides = [t("unsteered_text"), t("steered_text")].map((name, i) => make("div", { class: "xw-sd-side", role: "group", "aria-label": name },
    make("div", { class: "xw-eyebrow" }, SIDES[i]), make("div", { class: "xw-sd-text", dir: "auto" })));
  const texts = make("div", { class: "xw-sd-texts" }, ...sides);
  const meter = make("div", { class: "xw-sd-meter", role: "meter", "aria-label": t("coherence"), "aria-valuemin": 0, "aria-valuemax": 1 }, make("div", { class: "xw-sd-fill" }));
  const verdict = make("span");
  const gauge = make("div", { class: "xw-sd-gauge" }, make("span", { class: "xw-eyebrow" }, t("coherence")), meter, verdict);
  const said = make("div", { class: "xw-sr", "aria-live": "polite" });
  const zero = xw.button(t("zero"), { title: t("zero_hint") });
  root.append(
    make("div", { class: "xw-sd-head" }, title, make("span", { class: "xw-spacer" }), zero, twin.opener),
    concepts.row, directions.row, layers.row, make("div", { class: "xw-sd-group" }, make("span", { class: "xw-sd-name" }, t("prompt")), prompt), positions.row,
    make("div", { class: "xw-sd-dial" }, make("span", { class: "xw-sd-name" }, t("strength")), slider, number, ends),
    bars, texts, gauge, said, make("div", { class: "xw-sd-foot" }, state), twin.part,
  );
  el.append(root);

  let last = 0;   // the last command sent from this view
  let asked = ""; // the last stage asked for
  let pending = {}; // what was sent and not yet obeyed: of several commands in one breath only the last may arrive
  let timer = 0;
  let quiet = 0;
  let editing = false;

  // --- talking with Python ---------------------------------------------------------------------------------------

  const waiting = () => last > get("obeyed");
  const wanted = () => ({ ...get("setting"), ...pending });
  const current = (name) => get(name).request === get("request");

  function send(change) {
    if (get("_static")) {
      paint();
      state.textContent = t("fixed");
      return;
    }
    if (!waiting()) pending = {};
    if ("prompt" in change) delete pending.positions; // they were of other tokens
    pending = { ...pending, ...change };
    last = Math.max(last, get("command").n || 0, get("obeyed")) + 1;
    model.set("command", { n: last, change: pending });
    model.save_changes();
    root.classList.add("xw-sd-late");
    wait();
  }

  function wait() {
    clearTimeout(timer);
    state.textContent = t("computing");
    timer = setTimeout(() => { state.textContent = t("waiting"); }, PATIENCE);
  }

  /** What is still unanswered is asked for, after the browser has painted what is there. */
  function next() {
    requestAnimationFrame(() => {
      clearTimeout(quiet);
      quiet = setTimeout(ask, current("probabilities") ? QUIET : 0);
    });
  }

  function ask() {
    if (get("_static") || get("error") || waiting() || !root.isConnected) return;
    const stage = !current("probabilities") ? "probabilities" : !current("texts") ? "text" : "";
    const key = `${get("request")} ${stage}`;
    if (!stage || asked === key) return;
    asked = key;
    model.set("ask", { request: get("request"), stage });
    model.save_changes();
    wait();
  }

  // --- the setting -----------------------------------------------------------------------------------------------

  /** Buttons in a row with one Tab stop, among which the arrows move. */
  function group(name, role) {
    const box = make("div", { class: "xw-sd-group", role, "aria-label": name });
    const row = make("div", { class: "xw-sd-group" }, make("span", { class: "xw-sd-name", "aria-hidden": "true" }, name), box);
    keep.dom(box, "keydown", xw.onArrows((step, at) => {
      const nodes = [...box.children];
      const to = nodes[(at + step + nodes.length) % nodes.length];
      nodes.forEach((node) => { node.tabIndex = node === to ? 0 : -1; });
      to.focus();
      if (role === "radiogroup") to.click();
    }, (event) => [...box.children].indexOf(event.target)));
    let made = "";
    let press = [];
    /** `items`: [text, name, on, press]; the buttons are made anew only when their texts change. */
    const fill = (items) => {
      const texts = JSON.stringify(items.map(([text, label]) => [text, label]));
      if (made !== texts) {
        made = texts;
        box.replaceChildren(...items.map(([text, label], i) => {
          const node = xw.button(make("bdi"), { "aria-label": label, role: role === "radiogroup" ? "radio" : null });
          xw.setToken(node.firstChild, text);
          node.tabIndex = i ? -1 : 0;
          node.addEventListener("click", () => press[i]());
          return node;
        }));
      }
      press = items.map((item) => item[3]);
      const radio = role === "radiogroup";
      items.forEach(([, , on], i) => {
        box.children[i].setAttribute(radio ? "aria-checked" : "aria-pressed", String(on));
        if (radio) box.children[i].tabIndex = on ? 0 : -1;
      });
    };
    return { row, box, fill };
  }

  const toggled = (list, item) => (list.includes(item) ? list.filter((other) => other !== item) : [...list, item]);

  function fillSetting() {
    const s = get("setting");
    title.textContent = get("title");
    title.hidden = !title.textContent;
    concepts.fill(get("concepts").map((name) => [name, name, name === s.concept, () => send({ concept: name })]));
    concepts.row.hidden = get("concepts").length < 2;
    directions.fill([
      [s.concept, t("as_it_is", { concept: s.concept }), s.direction === "concept", () => send({ direction: "concept" })],
      [t("reversed"), t("reversed"), s.direction === "reversed", () => send({ direction: "reversed" })],
      [t("random"), t("random_hint"), s.direction === "random",
        () => send(wanted().direction === "random" ? { seed: wanted().seed + 1 } : { direction: "random" })],
    ]);
    directions.box.lastChild.classList.add("xw-sd-random");
    layers.fill(get("available_layers").map((k) => [String(k), t("layer", { k }), s.layers.includes(k), () => send({ layers: toggled(wanted().layers, k) })]));
    positions.fill([
      [t("every_token"), t("every_token_hint"), !s.positions.length, () => send({ positions: [] })],
      ...get("tokens").map((token, p) => [token, t("token_number", { n: p + 1, token: xw.said(t, token) }), s.positions.includes(p), () => send({ positions: toggled(wanted().positions, p) })]),
    ]);
    Object.assign(slider, { min: -get("most"), max: get("most"), step: get("step") });
    ends.firstChild.textContent = t("away_end", { most: xw.plain(-get("most")) });
    ends.lastChild.textContent = t("toward_end", { most: xw.signed(get("most")) });
    if (!waiting()) pending = {};
    if (!waiting()) slider.value = s.strength; // the hand on the slider is ahead of the kernel
    if (!editing) prompt.value = s.prompt;
    paintStrength();
  }

  function paintStrength() {
    const s = get("setting");
    const value = Number(slider.value);
    const push = s.direction === "reversed" ? -value : value;
    const name = s.direction === "random" ? t("random_number", { seed: s.seed }) : s.direction === "reversed" ? t("reversed_concept", { concept: s.concept }) : s.concept;
    number.textContent = t("norms", { strength: xw.signed(value) });
    slider.setAttribute("aria-valuetext", value ? t("along", { strength: xw.signed(value), name }) : t("at_zero"));
    const colour = s.direction === "random" ? "var(--xw-control)" : push > 0 ? "rgb(var(--xw-toward))" : push < 0 ? "color-mix(in srgb, rgb(var(--xw-away)) 70%, var(--xw-ink))" : "var(--xw-ink)";
    root.style.setProperty("--xw-sd-push", colour);
    const reach = 50 + (50 * value) / (get("most") || 1); // per cent of the track; the colour grows from its zero
    slider.style.setProperty("--xw-sd-from", `${Math.min(50, reach)}%`);
    slider.style.setProperty("--xw-sd-to", `${Math.max(50, reach)}%`);
  }

  // --- the answer ------------------------------------------------------------------------------------------------

  function paintBars() {
    const { words, unsteered, steered, request } = get("probabilities");
    if (bars.children.length !== words.length) bars.replaceChildren(...words.map(() => bar()));
    words.forEach((word, k) => {
      const [name, tracks, value] = bars.children[k].children;
      xw.setToken(name, word);
      tracks.children[0].firstChild.style.width = `${100 * unsteered[k]}%`;
      tracks.children[1].firstChild.style.width = `${100 * steered[k]}%`;
      value.textContent = `${xw.percent(unsteered[k])} → ${xw.percent(steered[k])}`;
    });
    root.classList.toggle("xw-sd-late", waiting() || !current("probabilities"));
    if (current("probabilities") && bars.dataset.request !== String(request)) {
      bars.dataset.request = request;
      said.textContent = words.map((word, k) => t("becomes", { word: xw.said(t, word), before: xw.percent(unsteered[k]), after: xw.percent(steered[k]) })).join(t("and"));
    }
  }

  const bar = () => make("div", { class: "xw-sd-bar" }, make("bdi", { class: "xw-sd-word" }),
    make("div", { "aria-hidden": "true" }, ...[0, 1].map(() => make("div", { class: "xw-sd-track" }, make("div", { class: "xw-sd-fill" })))),
    make("span", { class: "xw-sd-value" }));

  function paintTexts() {
    const now = get("texts");
    const known = now.ratio !== undefined;
    for (const node of [texts, gauge]) {
      node.hidden = !known;
      node.classList.toggle("xw-sd-old", !current("texts"));
    }
    if (!known) return;
    sides.forEach((side, i) => {
      const { text, perplexity } = now[i ? "steered" : "unsteered"];
      side.firstChild.textContent = t("perplexity_of", { side: SIDES[i], perplexity: xw.plain(perplexity) });
      side.lastChild.textContent = text;
    });
    const share = Math.min(1, 1 / now.ratio);
    const words = t("perplexity_grew", { ratio: now.ratio.toFixed(2), verdict: VERDICTS[now.verdict] });
    meter.firstChild.style.width = `${100 * share}%`;
    meter.setAttribute("aria-valuenow", share.toFixed(2));
    meter.setAttribute("aria-valuetext", words);
    verdict.textContent = words;
    if (current("texts")) texts.dataset.request = now.request;
  }

  function paint() {
    fillSetting();
    paintBars();
    paintTexts();
    if (get("error") || (!waiting() && current("probabilities") && current("texts"))) { clearTimeout(timer); state.textContent = ""; }
    twin.refresh();
    next();
  }

  let due = false;
  const schedule = () => { if (!due) { due = true; queueMicrotask(keep.guard(() => { due = false; paint(); })); } };

  function asTable() {
    const { words, unsteered, steered } = get("probabilities");
    const rows = words.map((word, k) => [xw.said(t, word), xw.percent(unsteered[k]), xw.percent(steered[k]), t("points", { n: xw.signed(100 * (steered[k] - unsteered[k])) })]);
    const now = get("texts");
    if (now.ratio !== undefined) rows.push([t("perplexity"), xw.plain(now.unsteered.perplexity), xw.plain(now.steered.perplexity), `× ${now.ratio.toFixed(2)}`]);
    return xw.table(t("caption", { strength: xw.signed(get("setting").strength) }), [t("word"), ...SIDES, t("change")], rows);
  }

  // --- wiring ----------------------------------------------------------------------------------------------------

  keep.dom(slider, "input", () => { paintStrength(); send({ strength: Number(slider.value) }); });
  const toZero = () => { slider.value = 0; paintStrength(); send({ strength: 0 }); };
  keep.dom(zero, "click", toZero);
  keep.dom(slider, "keydown", (event) => { if (event.key === "0") { toZero(); event.preventDefault(); } event.stopPropagation(); });
  const leave = (commit) => {
    if (!editing) return;
    editing = false;
    if (commit && prompt.value !== get("setting").prompt) send({ prompt: prompt.value });
    else prompt.value = get("setting").prompt;
  };
  keep.dom(prompt, "input", () => { editing = true; });
  keep.dom(prompt, "blur", () => leave(true));
  keep.dom(prompt, "keydown", (event) => {
    event.stopPropagation();
    if (!event.isComposing && (event.key === "Enter" || event.key === "Escape")) leave(event.key === "Enter");
  });
  const watched = ["concepts", "available_layers", "tokens", "most", "step", "setting", "request", "obeyed", "probabilities", "texts", "title", "error"];
  keep.model(model, watched.map((name) => `change:${name}`), schedule);
  keep.also(() => { clearTimeout(timer); clearTimeout(quiet); });
  paint();
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
