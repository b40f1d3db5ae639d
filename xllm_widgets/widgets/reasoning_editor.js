// A worked solution as lines. Every edit goes to Python as a command and comes back as the new steps with their answers;
// then the view asks for the curve point by point, and paints nothing as current that belongs to earlier steps.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const PATIENCE = 5000; // milliseconds without an answer before the view says that it is waiting
  const still = Boolean(model.get("_static")); // a saved page: nobody answers, so nothing is offered
  const t = xw.words(model);
  const root = xw.root("reasoning-editor", model, keep);
  const title = make("div", { class: "xw-title" });
  const things = make("div", { class: "xw-re-things", role: "toolbar", "aria-label": t("things_to_try") });
  const question = make("div", { class: "xw-re-question", dir: "auto" });
  const list = make("ol", { class: "xw-re-steps", "aria-label": t("steps_name") });
  const writer = make("div", { class: "xw-re-writer" });
  const plot = make("figure", { class: "xw-re-curve" });
  const bars = make("div", { class: "xw-re-bars" });
  const said = make("div", { class: "xw-sr", "aria-live": "polite" });
  const caption = make("div", { class: "xw-eyebrow" });
  const state = make("span", { class: "xw-eyebrow xw-re-state" });
  const readout = make("span", { class: "xw-re-readout" });
  const twin = xw.disclosure(t("table"), keep, asTable);
  root.append(
    make("div", { class: "xw-re-head" }, title, things, make("span", { class: "xw-spacer" }), twin.opener),
    question, list, writer, plot, bars, caption, said,
    make("div", { class: "xw-re-foot" }, state, make("span", { class: "xw-spacer" }), readout), twin.part,
  );
  el.append(root);

  let editing = null; // the input while a step is being edited
  let asked = "";     // the last stage asked for, so that nothing is asked twice
  let sent = 0;       // commands on their way
  let wish = null;    // what gets the focus when the answer to a command is drawn
  let timer = 0;
  let due = false;

  const get = (name) => model.get(name);
  const request = () => get("request");
  const answered = () => get("answers").request === request();
  const drawn = () => get("curve").request === request();
  const points = () => (drawn() ? get("curve").points : []);
  const decisive = () => (drawn() && get("curve").done ? get("curve").decisive : null);

  // --- talking with Python ---------------------------------------------------------------------------------------

  function command(name, ...args) {
    if (still) return;
    sent += 1;
    root.classList.add("xw-re-stale");
    state.textContent = t("computing");
    model.set("command", { n: (get("command").n || 0) + 1, name, arguments: args });
    model.save_changes();
    wait();
  }

  function ask(stage, part) {
    const key = `${request()} ${stage} ${part}`;
    if (still || asked === key) return;
    asked = key;
    model.set("ask", { request: request(), stage, part });
    model.save_changes();
    wait();
  }

  function wait() {
    clearTimeout(timer);
    timer = setTimeout(() => { state.textContent = t("waiting"); }, PATIENCE);
  }

  /** What failed is not asked again, since no stage of a request is asked for twice. */
  function next() {
    if (!answered()) return void (sent || ask("answers", 0));
    if (!drawn() || !get("curve").done) ask("curve", points().length);
  }

  /** The next stage is asked for after the browser has painted the last one. */
  function afterPaint(call) {
    requestAnimationFrame(() => { const id = setTimeout(call, 0); keep.also(() => clearTimeout(id)); });
  }

  // --- the steps -------------------------------------------------------------------------------------------------

  function build() {
    due = false;
    const held = root.contains(document.activeElement) ? document.activeElement : null;
    const focus = wish ?? held?.dataset.key ?? null;
    const row = held?.closest("[data-place]")?.dataset.place ?? 0;
    wish = null;
    title.textContent = get("title");
    title.hidden = !title.textContent;
    question.replaceChildren(make("span", { class: "xw-re-field" }, t("question")), make("bdi", {}, get("question")));
    list.replaceChildren(...get("steps").map(lineOf));
    if (!get("steps").length) list.append(make("li", { class: "xw-re-none" }, t("no_steps")));
    writer.replaceChildren(...(still ? [] : [adder()]));
    paint();
    if (focus && !refocus(focus)) refocus(`step ${get("steps")[Math.min(row, get("steps").length - 1)]?.id}`) || refocus("add");
    root.dataset.request = request();
  }

  function schedule() {
    if (due || editing) return;
    due = true;
    queueMicrotask(keep.guard(() => { if (due) build(); }));
  }

  /** False where nothing with this key can take the focus. */
  function refocus(key) {
    const node = root.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (!node || node.disabled) return false;
    node.focus();
    return true;
  }

  function lineOf(step, k) {
    const changed = step.text !== step.given;
    const was = step.given ? t("given_as", { text: step.given }) : t("new");
    const text = xw.focusable(make("span", {
      class: "xw-re-text", dir: "auto", role: "button", tabindex: k ? -1 : 0,
      "aria-label": t(changed ? "step_name_changed" : "step_name", { n: k + 1, text: step.text, was }),
    }, make("bdi", {}, step.text)));
    text.dataset.key = `step ${step.id}`;
    text.addEventListener("focus", () => choose(k + 1));
    text.addEventListener("keydown", (event) => onKey(event, k, step));
    text.addEventListener("dblclick", () => edit(k));
    const line = make("li", { class: "xw-re-step" },
      make("span", { class: "xw-re-number", "aria-hidden": "true" }, String(k + 1)), text,
      changed ? make("span", { class: "xw-re-mark", title: was }, step.given ? t("changed_mark") : t("new_mark")) : null,
      make("span", { class: "xw-re-mark xw-re-decides", hidden: true }, t("decides_mark")),
      make("span", { class: "xw-spacer" }), still ? null : tools(step, k));
    line.dataset.place = k;
    line.addEventListener("pointerenter", () => choose(k + 1));
    return line;
  }

  function tools(step, k) {
    const last = get("steps").length - 1;
    const tool = (text, name, call, off = false) => {
      const node = xw.button(text, { class: "xw-button xw-quiet xw-re-tool", "aria-label": t("tool_name", { tool: name, n: k + 1 }), title: name, disabled: off });
      node.dataset.key = `${name} ${step.id}`;
      node.addEventListener("click", call);
      return node;
    };
    return make("span", { class: "xw-re-tools" },
      tool(t("edit"), t("edit_words"), () => edit(k)),
      tool(t("falsify"), t("falsify_hint"), () => command("falsify", k)),
      tool(t("stop_here"), t("stop_hint"), () => command("truncate", k + 1), k === last),
      tool("↑", t("move_up"), () => command("move", k, k - 1), k === 0),
      tool("↓", t("move_down"), () => command("move", k, k + 1), k === last),
      tool("×", t("delete"), () => command("delete", k)));
  }

  function onKey(event, k, step) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const to = k + (by ?? 0);
    const other = get("steps")[to];
    if (by && !event.ctrlKey && !event.metaKey) {
      if (event.altKey && other) { wish = `step ${step.id}`; command("move", k, to); }
      else if (!event.altKey && other) rove(to);
    } else if (event.key === "Enter" || event.key === " ") edit(k);
    else if (event.key === "Delete" || event.key === "Backspace") {
      const after = get("steps")[k + 1] ?? get("steps")[k - 1];
      wish = after ? `step ${after.id}` : "add";
      command("delete", k);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function rove(to) {
    const nodes = [...list.querySelectorAll(".xw-re-text")];
    nodes.forEach((node, k) => { node.tabIndex = k === to ? 0 : -1; });
    nodes[to].focus();
  }

  /** One line to type in; `done(text)` on Enter or when the focus leaves, `done(null)` on Escape. */
  function input(label, value, done) {
    const node = xw.focusable(make("input", { type: "text", class: "xw-re-input", dir: "auto", "aria-label": label }));
    node.value = value;
    editing = node;
    const end = (commit) => {
      if (editing !== node) return;
      editing = null;
      done(commit ? node.value : null);
    };
    node.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault(); // or the same key would press the button that gets the focus next
      end(event.key === "Enter");
    });
    node.addEventListener("blur", () => end(true));
    return node;
  }

  function edit(k) {
    if (editing || still) return;
    const step = get("steps")[k];
    const node = input(t("step", { n: k + 1 }), step.text, (text) => {
      if (text !== null && text !== step.text) command("edit", k, text);
      wish = `step ${step.id}`;
      build();
    });
    list.children[k].replaceChildren(list.children[k].firstChild, node);
    node.focus();
    node.select();
  }

  function adder() {
    const node = xw.button(t("add_step"), { class: "xw-button xw-quiet xw-re-tool" });
    node.dataset.key = "add";
    node.addEventListener("click", () => {
      if (editing) return;
      const box = input(t("further_step"), "", (text) => {
        if (text?.trim()) command("add", text);
        wish = "add";
        build();
      });
      writer.replaceChildren(box);
      box.focus();
    });
    return node;
  }

  // --- the answers -----------------------------------------------------------------------------------------------

  const known = (value) => value !== null && value !== undefined;
  const percent = (share) => (known(share) ? `${Math.round(100 * share)} %` : "–"); // a few endings tell no more

  const named = (row) => (row.answer === "others" ? t("others") : row.answer); // Python sums up what is too many

  const newBar = () => make("div", { class: "xw-re-bar" },
    make("span", { class: "xw-re-name" }, make("bdi", {}), make("span", { class: "xw-re-tick" })),
    make("div", { class: "xw-re-track" }, make("div", { class: "xw-re-fill" }), make("div", { class: "xw-re-whisker" }), make("div", { class: "xw-re-was" })),
    make("span", { class: "xw-re-share" }), make("span", { class: "xw-re-before" }));

  /** The bar of an answer; one that stands already is kept, so that its share slides. */
  function barOf(row) {
    const bar = [...bars.children].find((node) => node.dataset.answer === row.answer) ?? newBar();
    const [name, track, share, before] = bar.children;
    const [fill, whisker, was] = track.children;
    const right = row.answer === get("answer");
    bar.dataset.answer = row.answer;
    name.firstChild.textContent = named(row);
    name.lastChild.textContent = right ? ` ${t("right_mark")}` : "";
    bar.classList.toggle("xw-re-right", right);
    fill.style.width = `${100 * row.share}%`;
    whisker.hidden = row.low === null;
    Object.assign(whisker.style, { left: `${100 * (row.low ?? 0)}%`, width: `${100 * ((row.high ?? 0) - (row.low ?? 0))}%` });
    was.hidden = row.original === null;
    was.style.left = `${100 * (row.original ?? 0)}%`;
    share.textContent = percent(row.share);
    before.textContent = row.original === null ? "" : t("as_given", { share: percent(row.original) });
    return bar;
  }

  function paintBars() {
    const { rows, n } = get("answers");
    bars.replaceChildren(...rows.map(barOf));
    caption.textContent = rows.length ? t("answers_caption", { n }) : "";
    if (!answered()) return;
    bars.dataset.request = request();
    const words = t("answers_said", { answers: rows.map((row) => `${named(row)} ${percent(row.share)}`).join(t("and")) });
    if (said.textContent !== words) said.textContent = words;
  }

  // --- the curve -------------------------------------------------------------------------------------------------

  const across = (kept) => (100 * kept) / Math.max(1, get("steps").length);
  const down = (share) => 100 * (1 - share);

  /** A mark on the plot, its place in percent of the plot's width and height. */
  function mark(name, left, top, ...children) {
    const node = make("div", { class: name }, ...children);
    node.style.left = `${left}%`;
    node.style.top = `${top}%`;
    return node;
  }

  function paintCurve() {
    const found = points();
    plot.dataset.curve = drawn() ? `${request()} ${found.length}${get("curve").done ? " done" : ""}` : "";
    plot.hidden = !get("steps").length;
    const told = found.map((p) => t("point", { kept: p.kept, share: percent(p.share) })).join(t("and"));
    const words = t("curve_name", { points: told || t("not_computed_yet") });
    const area = make("div", { class: "xw-re-plot", role: "img", "aria-label": words });
    area.append(...[0, 0.5, 1].map((level) => mark("xw-re-grid", 0, down(level), make("span", { class: "xw-re-level" }, `${100 * level} %`))));
    area.append(...[null, ...get("steps")].map((_, kept) => mark("xw-re-place", across(kept), 100, kept ? `${kept}` : t("none"))));
    found.forEach((point, k) => { if (k && found[k - 1].kept === point.kept - 1) area.append(stretch(found[k - 1], point)); });
    area.append(...found.map(spot));
    const { n } = get("curve");
    plot.replaceChildren(area, make("figcaption", { class: "xw-eyebrow" }, drawn() && n ? t("curve_caption_n", { n }) : t("curve_caption")));
  }

  /** The line between two points: a box from one to the other, of which only the line is left. */
  function stretch(a, b) {
    const decides = decisive() === b.kept - 1;
    const node = mark(`xw-re-line${decides ? (b.share > a.share ? " xw-re-toward" : " xw-re-away") : ""}`, across(a.kept), 0);
    const thick = decides ? 2 : 1; // half of it, in pixels
    const side = (sign) => [[0, a], [100, b]].map(([left, point]) => `${left}% calc(${down(point.share)}% + ${sign * thick}px)`);
    node.style.width = `${across(b.kept) - across(a.kept)}%`;
    node.style.clipPath = `polygon(${[...side(-1), ...side(1).reverse()].join(", ")})`;
    return node;
  }

  function spot(point) {
    const interval = mark("xw-re-interval", 50, down(point.high));
    interval.style.height = `${100 * (point.high - point.low)}%`;
    const dot = mark("xw-re-dot", 50, down(point.share));
    const node = mark("xw-re-spot", across(point.kept), 0, interval, dot);
    if (decisive() === point.kept - 1) node.append(mark(`xw-re-diamond${point.share > 0.85 ? " xw-re-under" : ""}`, 50, down(point.share), "◆"));
    node.title = t("point_hint", { kept: point.kept, ...inPercent(point) });
    node.dataset.kept = point.kept;
    node.addEventListener("pointerenter", () => choose(point.kept));
    return node;
  }

  const inPercent = ({ share, low, high }) => ({ share: percent(share), low: percent(low), high: percent(high) });

  /** Say the number behind `kept` steps, and point at the step and its place on the curve. */
  function choose(kept) {
    const point = points().find((its) => its.kept === kept);
    readout.textContent = point ? t(kept ? "after_step" : "without_steps", { n: kept, ...inPercent(point) }) : "";
    list.querySelectorAll(".xw-re-step").forEach((line, k) => line.classList.toggle("xw-re-chosen", k === kept - 1));
    plot.querySelectorAll(".xw-re-spot").forEach((spot) => spot.classList.toggle("xw-re-chosen", Number(spot.dataset.kept) === kept));
  }

  function asTable() {
    const { rows } = get("answers");
    const current = points();
    const interval = (row) => (row.low === null ? "–" : t("interval", inPercent(row)));
    const steps = [{ text: t("no_step") }, ...get("steps")].map((step, k) => {
      const point = current.find((its) => its.kept === k);
      return [k ? `${k}. ${step.text}` : step.text, percent(point?.share), point ? interval(point) : "–", decisive() === k - 1 && k ? "◆" : ""];
    });
    return make("div", {},
      xw.table(t("answers_table"), [t("answer"), t("share"), "95 %", t("given_column"), t("at_once")],
        rows.map((row) => [named(row), percent(row.share), interval(row), percent(row.original), known(row.at_once) ? xw.percent(row.at_once) : "–"])),
      xw.table(t("curve_table"), [t("step_column"), t("share"), "95 %", t("decides")], steps));
  }

  // --- painting and wiring ---------------------------------------------------------------------------------------

  function paint() {
    paintBars();
    paintCurve();
    list.querySelectorAll(".xw-re-decides").forEach((mark, k) => { mark.hidden = decisive() !== k; });
    root.classList.toggle("xw-re-stale", !answered());
    const total = get("steps").length + 1;
    state.textContent = still || get("error") ? "" : !answered() ? t("computing")
      : drawn() && get("curve").done ? (total > 1 && decisive() === null ? t("none_decides") : "")
      : t("writing_anew", { done: points().length, total });
    tryDecisive.disabled = !get("steps").length;
    twin.refresh();
  }

  const toolbar = [[t("falsify_decisive"), "falsify_decisive"], [t("delete_all"), "delete_all"], [t("shuffle"), "shuffle"], [t("undo"), "undo"], [t("reset"), "reset"]];
  const [tryDecisive] = toolbar.map(([text, name], k) => {
    const node = xw.button(text, { class: k < 3 ? "xw-button" : "xw-button xw-quiet" });
    node.dataset.key = name;
    keep.dom(node, "click", () => command(name));
    things.append(node);
    return node;
  });
  things.hidden = still;
  keep.dom(root, "keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || editing) return;
    command("undo");
    event.preventDefault();
    event.stopPropagation();
  });
  keep.model(model, ["change:steps", "change:question", "change:answer", "change:title"], schedule);
  keep.model(model, "change:request", () => { schedule(); afterPaint(next); });
  keep.model(model, ["change:answers", "change:curve"], () => {
    clearTimeout(timer);
    if (due) build(); else paint();
    afterPaint(next);
  });
  keep.model(model, "change:obeyed", () => { sent = 0; clearTimeout(timer); schedule(); afterPaint(next); }); // also of an edit that changed nothing
  keep.model(model, "change:error", () => { sent = 0; clearTimeout(timer); paint(); afterPaint(next); });
  keep.also(() => clearTimeout(timer));
  build();
  afterPaint(next);
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
