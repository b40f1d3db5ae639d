// A few-shot prompt as cards. Every edit goes to Python as a command and comes back as the new prompt with its answer;
// then the view asks for saliency stage by stage, and paints nothing that belongs to an earlier prompt.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const PATIENCE = 5000; // milliseconds without an answer before the view says that it is waiting
  const t = xw.words(model);
  const KINDS = { field: t("field"), word: t("word"), label: t("label"), explanation: t("explanation") };
  const root = xw.root("demonstration-editor", model, keep);
  const title = make("div", { class: "xw-title" });
  const things = make("div", { class: "xw-de-things", role: "toolbar", "aria-label": t("things_to_try") });
  const cards = make("div", { class: "xw-de-cards" });
  const query = make("div", { class: "xw-de-query" });
  const bars = make("div", { class: "xw-de-bars" });
  const said = make("div", { class: "xw-sr", "aria-live": "polite" });
  const legend = make("div", {});
  const state = make("span", { class: "xw-eyebrow xw-de-state" });
  const readout = make("span", { class: "xw-de-readout" });
  const neutraliseWord = xw.button(t("neutralise_word"), { hidden: true });
  const twin = xw.disclosure(t("table"), keep, asTable);
  root.append(
    make("div", { class: "xw-de-head" }, title, things, make("span", { class: "xw-spacer" }), twin.opener),
    cards, query, bars, said,
    make("div", { class: "xw-de-foot" }, legend, state, make("span", { class: "xw-spacer" }), readout, neutraliseWord), twin.part,
  );
  el.append(root);

  let words = [];       // one node a piece, null for field names
  let shown = [];       // the cards on the page, each with what it was made from and its words by piece
  const grounds = new WeakMap(); // the colour of each word, as last painted
  let chosen = -1;      // the piece read out
  let editing = null;   // {place, input} while a text is being edited
  let asked = "";       // the last stage asked for, so that nothing is asked twice
  let sent = 0;         // commands on their way
  let timer = 0;
  let due = false;

  const get = (name) => model.get(name);
  const request = () => get("request");
  const answered = () => get("probabilities").request === request();
  const painted = () => get("saliency").request === request();

  // --- talking with Python ---------------------------------------------------------------------------------------

  function command(name, ...args) {
    sent += 1;
    root.classList.add("xw-de-stale");
    state.textContent = t("computing");
    words.forEach((node) => ground(node, NaN, 0)); // while the kernel computes, so that the answer has less to paint
    model.set("command", { n: (get("command").n || 0) + 1, name, arguments: args });
    model.save_changes();
    wait();
  }

  function ask(stage, part) {
    const key = `${request()} ${stage} ${part}`;
    if (asked === key) return;
    asked = key;
    model.set("ask", { request: request(), stage, part });
    model.save_changes();
    wait();
  }

  function wait() {
    clearTimeout(timer);
    timer = setTimeout(() => { state.textContent = t("waiting"); }, PATIENCE);
  }

  function next() {
    if (get("error")) return;
    if (!answered()) return void (sent || ask("probabilities", 0));
    const saliency = get("saliency");
    if (!painted()) return ask("coarse", 0);
    if (!saliency.done) ask("fine", saliency.stage === "coarse" ? 0 : saliency.parts);
  }

  /** The next stage is asked for after the browser has painted the last one. */
  function afterPaint(call) {
    requestAnimationFrame(() => { const id = setTimeout(call, 0); keep.also(() => clearTimeout(id)); });
  }

  // --- the cards -------------------------------------------------------------------------------------------------

  function build() {
    due = false;
    const focus = root.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const pieces = get("layout_pieces");
    words = pieces.map(() => null);
    shown = [...get("demonstrations"), null].map((card, k, all) => keptOrNew(card, card ? k : -1, all.length - 1, pieces));
    place(cards, shown.slice(0, -1).map((its) => its.node));
    place(query, shown.at(-1).node);
    title.textContent = get("title");
    title.hidden = !title.textContent;
    const nodes = words.filter((node) => node?.dataset.place !== undefined);
    nodes.forEach((node, k) => { if (node.tabIndex !== (k ? -1 : 0)) node.tabIndex = k ? -1 : 0; });
    paintBars();
    paintWords();
    if (focus) root.querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus();
    root.dataset.request = request();
  }

  function schedule() {
    if (due || editing) return;
    due = true;
    queueMicrotask(keep.guard(() => { if (due) build(); }));
  }

  /** A card (the query when null) as it stands on the page if nothing in it has changed: a flip makes one card anew. */
  function keptOrNew(card, i, count, pieces) {
    const mine = pieces.map((piece, id) => [id, ...piece]).filter((piece) => piece[2] === i);
    const made = JSON.stringify([card, i, count, get("fields"), mine]);
    const kept = shown.find((its) => its.made === made) ?? { made, node: card ? cardOf(card, i, pieces) : queryOf(pieces), words: null };
    kept.words ??= mine.map(([id]) => [id, words[id]]);
    kept.words.forEach(([id, node]) => { words[id] = node; });
    return kept;
  }

  /** Card `i` (-1: the query) no longer shows what it was made from: the next prompt makes it anew. */
  const forget = (i) => { shown.at(i).made = ""; };

  /** `nodes` as the children of `parent`; a child that stands where it should is not touched. */
  function place(parent, nodes) {
    nodes.forEach((node, k) => { if (parent.children[k] !== node) parent.insertBefore(node, parent.children[k] ?? null); });
    while (parent.children.length > nodes.length) parent.lastChild.remove();
  }

  const queryOf = (pieces) => [
    lineOf("query", -1, pieces, get("query")),
    make("div", { class: "xw-de-line" }, field("label"), make("span", { class: "xw-de-blank" }, "?")),
  ];

  const field = (name) => make("span", { class: "xw-de-field" }, `${get("fields")[name] ?? name}:`);

  function cardOf(card, i, pieces) {
    const turned = card.label !== card.given;
    const name = t(turned ? "label_name_flipped" : "label_name", { n: i + 1, label: card.label });
    const label = xw.button("", { class: "xw-button xw-de-label", "aria-label": name });
    label.append(make("bdi", { class: "xw-de-word" }, card.label));
    if (turned) label.append(make("span", { class: "xw-de-turned" }, t("flipped")));
    label.dataset.key = `label ${i}`;
    pieces.forEach((piece, id) => { if (piece[0] === "label" && piece[1] === i) { words[id] = label.firstElementChild; words[id].dataset.piece = id; } });
    label.addEventListener("click", () => { turn(label, i); command("flip", i); });
    return make("div", { class: "xw-de-card", role: "group", "aria-label": t("demonstration", { n: i + 1 }) },
      lineOf("word", i, pieces, card.text),
      card.explanation ? lineOf("explanation", i, pieces, card.explanation) : null,
      make("div", { class: "xw-de-line" }, field("label"), label, make("span", { class: "xw-spacer" }), tools(card, i)));
  }

  /** The label turns at once; what it stands for arrives with the new prompt. */
  function turn(label, i) {
    forget(i);
    const labels = get("labels");
    const word = label.firstElementChild;
    word.textContent = labels[(labels.indexOf(word.textContent) + 1) % labels.length];
    label.classList.remove("xw-de-turning");
    void label.offsetWidth; // restarts the motion
    label.classList.add("xw-de-turning");
  }

  function tools(card, i) {
    const last = get("demonstrations").length - 1;
    const tool = (text, name, call, off = false) => {
      const node = xw.button(text, { class: "xw-button xw-quiet xw-de-tool", "aria-label": t("tool_name", { tool: name, n: i + 1 }), title: name, disabled: off });
      node.dataset.key = `${name} ${i}`;
      node.addEventListener("click", call);
      return node;
    };
    return make("span", { class: "xw-de-tools" },
      tool(t("edit"), t("edit_text"), () => edit(i)),
      tool(t("neutralise"), t("neutralise_text"), () => command("neutralise", i)),
      card.explanation ? tool(t("explained"), t("take_explanation"), () => command("explain", i, "")) : tool(t("explain"), t("add_explanation"), () => command("explain", i)),
      tool("↑", t("move_up"), () => command("move", i, i - 1), i === 0),
      tool("↓", t("move_down"), () => command("move", i, i + 1), i === last),
      tool("×", t("remove"), () => command("remove", i), last === 0));
  }

  function lineOf(kind, i, pieces, text) {
    const line = make("span", { class: "xw-de-text", dir: "auto" });
    let place = 0;
    pieces.forEach(([its, demonstration, shown, blank], id) => {
      if (its !== kind || demonstration !== i) return;
      if (blank && place) line.append(" ");
      const node = xw.focusable(make("bdi", { class: "xw-de-word", role: "button", tabindex: -1 }, shown));
      Object.assign(node.dataset, { piece: id, place, key: `${kind} ${i} ${place}` });
      words[id] = node;
      line.append(node);
      place += 1;
    });
    line.addEventListener("dblclick", () => { if (kind !== "explanation") edit(i); });
    const row = make("div", { class: "xw-de-line" }, field(kind === "explanation" ? "explanation" : "text"), line);
    if (kind === "query") {
      const change = xw.button(t("edit"), { class: "xw-button xw-quiet xw-de-tool", "aria-label": t("edit_query") });
      change.dataset.key = "edit -1";
      change.addEventListener("click", () => edit(-1));
      row.append(make("span", { class: "xw-spacer" }), change);
    }
    row.dataset.line = `${kind} ${i}`;
    return row;
  }

  function edit(i) {
    if (editing) return;
    const row = root.querySelector(`[data-line="${i < 0 ? "query" : "word"} ${i}"]`);
    const text = i < 0 ? get("query") : get("demonstrations")[i].text;
    const input = xw.focusable(make("input", { type: "text", class: "xw-de-input", dir: "auto", "aria-label": i < 0 ? t("query_text") : t("text_of", { n: i + 1 }) }));
    input.value = text;
    editing = input;
    forget(i);
    const done = (commit) => {
      if (editing !== input) return;
      editing = null;
      if (commit && input.value !== text) command(...(i < 0 ? ["set_query", input.value] : ["set_text", i, input.value]));
      build();
      root.querySelector(`[data-key="${i < 0 ? "edit -1" : `${t("edit_text")} ${i}`}"]`)?.focus();
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault(); // or the same key would press the button that gets the focus next
      done(event.key === "Enter");
    });
    input.addEventListener("blur", () => done(true));
    row.replaceChildren(row.firstChild, input);
    input.focus();
    input.select();
  }

  // --- the answer ------------------------------------------------------------------------------------------------

  function paintBars() {
    const labels = get("labels");
    const values = get("probabilities").values;
    if (bars.children.length !== labels.length) {
      bars.replaceChildren(...labels.map(() => make("div", { class: "xw-de-bar" }, make("bdi", { class: "xw-de-name" }),
        make("div", { class: "xw-de-track" }, make("div", { class: "xw-de-fill" })), make("span", { class: "xw-de-number" }))));
    }
    const best = values.length ? values.indexOf(Math.max(...values)) : -1;
    [...bars.children].forEach((bar, k) => {
      const value = values[k];
      bar.children[0].textContent = labels[k];
      bar.children[1].firstChild.style.width = `${100 * (value ?? 0)}%`;
      bar.children[2].textContent = value === undefined ? "" : xw.percent(value);
      bar.classList.toggle("xw-de-best", k === best);
    });
    if (!answered()) return;
    bars.dataset.request = request();
    said.textContent = t("answers", { answers: labels.map((label, k) => `${label} ${xw.percent(values[k] ?? 0)}`).join(t("and")) });
  }

  function ground(node, value, limit) {
    const colour = xw.ground(value, limit);
    if (!node || grounds.get(node) === colour) return; // every write costs the browser a look at the style
    grounds.set(node, colour);
    node.style.background = colour;
  }

  function paintWords() {
    const current = painted();
    const { limit, stage, done, request: of } = get("saliency");
    const scores = current ? xw.floats(get("saliency_scores")) : [];
    words.forEach((node, id) => {
      if (!node) return;
      ground(node, scores[id] ?? NaN, limit);
      const name = get("layout_pieces")[id][2] + t("comma") + amount(scores[id]);
      if (node.dataset.place !== undefined && node.getAttribute("aria-label") !== name) node.setAttribute("aria-label", name);
    });
    root.classList.toggle("xw-de-stale", !answered());
    legend.replaceChildren(xw.divergingLegend(current ? limit : 0, get("units"), t("toward_label", { label: get("labels")[0] }), t("away")));
    state.textContent = get("error") ? "" : !answered() ? t("computing") : !current ? t("looking") : done ? "" : stage === "coarse" ? t("coarse") : t("fine");
    bars.dataset.saliency = current ? `${of} ${stage}${done ? " done" : ""}` : "";
    choose(chosen);
    twin.refresh();
  }

  const score = (id) => (painted() ? xw.floats(get("saliency_scores"))[id] : NaN);
  const amount = (value) => (Number.isFinite(value) ? t("amount", { number: xw.signed(value), units: get("units"), label: get("labels")[0] }) : t("no_number"));

  function choose(id) {
    const piece = get("layout_pieces")[id];
    chosen = piece ? id : -1;
    readout.replaceChildren(...(piece ? [make("bdi", { class: "xw-de-said" }, `“${piece[2]}”`), ` ${amount(score(id))}`] : []));
    const word = piece && ["word", "query"].includes(piece[0]) && piece[2].toLowerCase() in get("neutral");
    neutraliseWord.hidden = !word;
  }

  function asTable() {
    const scores = painted() ? xw.floats(get("saliency_scores")) : [];
    const rows = get("layout_pieces").map(([kind, i, text], id) => [text, i < 0 ? t("query") : t("place", { n: i + 1, kind: KINDS[kind] }), Number.isFinite(scores[id]) ? xw.signed(scores[id]) : "–"]);
    return xw.table(t("caption", { label: get("labels")[0], units: get("units") }), [t("piece"), t("where"), t("score")], rows);
  }

  // --- wiring ----------------------------------------------------------------------------------------------------

  const toolbar = [[t("flip_all"), "flip_all"], [t("neutralise"), "neutralise"], [t("shuffle"), "shuffle"], [t("shuffle_labels"), "shuffle_labels"], [t("add_one"), "add"], [t("undo"), "undo"], [t("reset"), "reset"]];
  toolbar.forEach(([text, name], k) => {
    const node = xw.button(text, { class: k < 3 ? "xw-button" : "xw-button xw-quiet" });
    node.dataset.key = name;
    keep.dom(node, "click", () => command(name));
    things.append(node);
  });
  keep.dom(neutraliseWord, "click", () => {
    const piece = get("layout_pieces")[chosen];
    if (piece && words[chosen]) command("neutralise_word", piece[1], Number(words[chosen].dataset.place));
  });
  const pieceOf = (event) => (event.target.dataset?.piece === undefined ? -1 : Number(event.target.dataset.piece));
  for (const type of ["pointerover", "focusin", "click"]) keep.dom(root, type, (event) => { const id = pieceOf(event); if (id >= 0) choose(id); });
  const spots = () => words.filter((node) => node?.dataset.place !== undefined);
  const along = xw.onArrows((step, at) => {
    const nodes = spots();
    const to = nodes[Math.max(0, Math.min(nodes.length - 1, at + step))];
    nodes.forEach((node) => { node.tabIndex = node === to ? 0 : -1; });
    to.focus();
  }, (event) => spots().indexOf(event.target));
  keep.dom(root, "keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !editing) {
      command("undo");
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    along(event);
  });
  keep.model(model, ["change:demonstrations", "change:query", "change:layout_pieces", "change:labels", "change:fields", "change:title"], schedule);
  keep.model(model, "change:request", () => { schedule(); afterPaint(next); });
  keep.model(model, "change:probabilities", () => {
    sent = 0;
    clearTimeout(timer);
    if (due) build();
    paintBars();
    paintWords();
    afterPaint(next);
  });
  keep.model(model, ["change:saliency", "change:saliency_scores"], () => { clearTimeout(timer); if (!due) paintWords(); afterPaint(next); });
  keep.model(model, "change:obeyed", () => { sent = 0; clearTimeout(timer); schedule(); }); // also of an edit that changed nothing
  keep.model(model, "change:error", () => { sent = 0; clearTimeout(timer); paintWords(); });
  keep.also(() => clearTimeout(timer));
  build();
  afterPaint(next);
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
