// Points with names in a plane. Drag selects, hover and focus name, held-out points are hollow; a map gets its
// graticule, a plane that may be turned its buttons to centre and rotate.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const get = (name) => model.get(name);
  const t = xw.words(model);
  const [W, H, LEFT, BOTTOM, EDGE] = [860, 600, 62, 46, 16]; // the drawing, in its own units
  const SVG = new DOMParser().parseFromString("<svg></svg>", "text/html").body.firstChild.namespaceURI; // as the browser names it
  const root = xw.root("scatter-map", model, keep);
  const title = make("div", { class: "xw-title" });
  const centre = xw.button(t("centre"), { title: t("centre_hint") });
  const angle = xw.focusable(make("input", { type: "range", class: "xw-sm-angle", min: -180, max: 180, step: 1, "aria-label": t("rotation") }));
  const degrees = make("span", { class: "xw-sm-degrees" });
  const left = xw.button("⟲ 15°", { "aria-label": t("rotate_left") });
  const right = xw.button("⟳ 15°", { "aria-label": t("rotate_right") });
  const upright = xw.button(t("as_it_was"), { class: "xw-button xw-quiet" });
  const turn = make("div", { class: "xw-sm-turn", role: "group", "aria-label": t("turn") }, centre, left, angle, degrees, right, upright);
  const goals = xw.button(t("targets"), { class: "xw-button xw-quiet", "aria-pressed": "false", title: t("targets_hint") });
  const none = xw.button(t("choose_none"), { class: "xw-button xw-quiet" });
  const twin = xw.disclosure(t("table"), keep, asTable);
  const plane = shape("svg", { class: "xw-sm-plane", viewBox: `0 0 ${W} ${H}`, role: "listbox", "aria-multiselectable": "true" });
  const [ground, lines, dots, over] = ["presentation", "presentation", "presentation", "presentation"].map((role) => shape("g", { role }));
  for (const layer of [ground, lines, over]) layer.setAttribute("aria-hidden", "true");
  const name = shape("text", { class: "xw-sm-name" });
  const box = shape("rect", { class: "xw-sm-box" });
  box.style.display = "none";
  over.append(box, name);
  plane.append(ground, lines, dots, over);
  const legend = make("div", { class: "xw-legend" });
  const readout = make("div", { class: "xw-sm-readout", "aria-live": "polite" });
  root.append(make("div", { class: "xw-sm-head" }, title, make("span", { class: "xw-spacer" }), turn, goals, none, twin.opener),
    plane, make("div", { class: "xw-sm-foot" }, legend, make("span", { class: "xw-spacer" }), readout), twin.part);
  el.append(root);

  let nodes = [];
  let xy = [];      // where each point is shown, in the units of the data
  let at = [];      // and in those of the drawing
  let roving = 0;
  let drag = null;

  function shape(tag, attributes = {}) {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
    return node;
  }

  // --- where things are ------------------------------------------------------------------------------------------

  function turned(list, origin) {
    const a = (get("rotation") * Math.PI) / 180;
    return list.map(([x, y]) => [(x - origin[0]) * Math.cos(a) - (y - origin[1]) * Math.sin(a), (x - origin[0]) * Math.sin(a) + (y - origin[1]) * Math.cos(a)]);
  }

  const mean = (list, k) => list.reduce((sum, place) => sum + place[k], 0) / (list.length || 1);

  function lay() {
    const all = xw.floats(get("places"));
    const given = get("names").map((_, i) => [all[4 * i], all[4 * i + 1]]);
    const wanted = given.map((_, i) => [all[4 * i + 2], all[4 * i + 3]]);
    const origin = get("centred") ? [mean(given, 0), mean(given, 1)] : [0, 0];
    xy = turned(given, origin);
    const goal = turned(wanted, origin);
    const seen = get("show_targets") ? [...xy, ...goal.filter(([x]) => Number.isFinite(x))] : xy;
    const scale = fit(seen);
    at = xy.map(scale.to);
    return { scale, goal: goal.map(scale.to) };
  }

  /** Equal units on both axes, everything inside with a margin; zero inside too where the plane may be turned. */
  function fit(list) {
    const bounds = get("turning") ? [...list, [0, 0]] : list;
    const range = (k) => bounds.reduce(([a, b], place) => [Math.min(a, place[k]), Math.max(b, place[k])], [Infinity, -Infinity]);
    const [xs, ys] = bounds.length ? [range(0), range(1)] : [[0, 1], [0, 1]];
    const [wide, high] = [W - LEFT - EDGE, H - BOTTOM - EDGE];
    const unit = Math.max((xs[1] - xs[0]) / wide, (ys[1] - ys[0]) / high, 1e-9) * 1.1;
    const middle = [(xs[0] + xs[1]) / 2, (ys[0] + ys[1]) / 2];
    const to = ([x, y]) => [LEFT + wide / 2 + (x - middle[0]) / unit, EDGE + high / 2 - (y - middle[1]) / unit];
    return { to, low: [middle[0] - (unit * wide) / 2, middle[1] - (unit * high) / 2], high: [middle[0] + (unit * wide) / 2, middle[1] + (unit * high) / 2] };
  }

  /** Round numbers between two ends: about six, or every `step`. */
  function ticks(low, high, step) {
    const rough = (high - low) / 6;
    const power = 10 ** Math.floor(Math.log10(rough));
    let by = step || [1, 2, 5, 10].map((k) => k * power).find((k) => k >= rough);
    while ((high - low) / by > 40) by *= 2;
    const found = [];
    for (let k = Math.ceil(low / by); k * by <= high; k += 1) found.push(k * by);
    return found;
  }

  // --- painting --------------------------------------------------------------------------------------------------

  const COLOUR = { toward: "rgb(var(--xw-toward))", away: "color-mix(in srgb, rgb(var(--xw-away)) 70%, var(--xw-ink))", base: "var(--xw-base)", chat: "var(--xw-chat)", control: "var(--xw-control)", ink: "var(--xw-ink)" };
  const MARKS = [
    (r) => `M${-r} 0A${r} ${r} 0 1 0 ${r} 0A${r} ${r} 0 1 0 ${-r} 0Z`, (r) => `M${-r} ${-r}H${r}V${r}H${-r}Z`, (r) => `M0 ${-r}L${r} ${r}H${-r}Z`,
    (r) => `M0 ${-1.3 * r}L${1.3 * r} 0L0 ${1.3 * r}L${-1.3 * r} 0Z`, (r) => `M0 ${r}L${r} ${-r}H${-r}Z`, (r) => `M${-r / 2} ${-r}H${r / 2}V${-r / 2}H${r}V${r / 2}H${r / 2}V${r}H${-r / 2}V${r / 2}H${-r}V${-r / 2}H${-r / 2}Z`,
  ];

  function mark(group, hollow, radius = 4.5) {
    const node = shape("path", { class: `xw-sm-point${hollow ? " xw-sm-hollow" : ""}`, d: MARKS[group % MARKS.length](radius) });
    node.style.setProperty("--xw-sm-colour", COLOUR[get("groups")[group]?.colour] ?? COLOUR.ink);
    return node;
  }

  function build() {
    nodes = get("names").map((_, i) => {
      const node = xw.focusable(mark(get("member")[i], get("held_out")[i]));
      for (const [key, value] of [["role", "option"], ["tabindex", i ? -1 : 0], ["aria-selected", "false"]]) node.setAttribute(key, value);
      node.dataset.i = i;
      return node;
    });
    roving = 0;
    // held-out points on top: they are few, and they are the question
    dots.replaceChildren(...[...nodes].sort((a, b) => Number(get("held_out")[a.dataset.i]) - Number(get("held_out")[b.dataset.i])));
    const key = (text, node) => { const icon = shape("svg", { viewBox: "-7 -7 14 14", "aria-hidden": "true" }); icon.append(node); return make("span", { class: "xw-sm-key" }, icon, make("bdi", {}, text)); };
    legend.replaceChildren(
      ...get("groups").flatMap((group, k) => (group.name ? [key(group.name, mark(k, false))] : [])),
      ...(get("held_out").includes(true) ? [key(t("held_out"), mark(0, true))] : []));
    paint();
  }

  function paint() {
    const { scale, goal } = lay();
    nodes.forEach((node, i) => {
      node.setAttribute("transform", `translate(${at[i][0].toFixed(1)} ${at[i][1].toFixed(1)})`);
      node.setAttribute("aria-label", inWords(i));
    });
    lines.replaceChildren(...(get("show_targets") ? goal.flatMap((to, i) => (Number.isFinite(to[0])
      ? [shape("line", { class: "xw-sm-goal", x1: at[i][0], y1: at[i][1], x2: to[0], y2: to[1] })] : [])) : []));
    paintGround(scale);
    paintControls();
    select();
    twin.refresh();
    root.dataset.version = get("version");
    root.dataset.rotation = get("rotation");
  }

  const mapped = () => get("graticule") > 0 && !get("centred") && !get("rotation");

  /** Longitude and latitude with their hemisphere, other numbers as they are. */
  function tickText(value, axis) {
    const near = Math.abs(value) < 1e-9 ? 0 : value;
    if (!mapped()) return xw.plain(near);
    const degrees = Math.abs(near);
    if (near === 0) return "0°";
    const [beyond, before] = axis ? ["north", "south"] : ["east", "west"];
    return t(near > 0 ? beyond : before, { degrees });
  }

  function paintGround({ to, low, high }) {
    const parts = [];
    const put = (tag, attributes, text) => { const node = shape(tag, attributes); if (text !== undefined) node.textContent = text; parts.push(node); };
    for (const axis of [0, 1]) {
      for (const value of ticks(low[axis], high[axis], mapped() ? get("graticule") : 0)) {
        const [x, y] = to(axis ? [low[0], value] : [value, low[1]]);
        const zero = Math.abs(value) < 1e-9 && get("turning");
        const ends = axis ? { x1: LEFT, y1: y, x2: W - EDGE, y2: y } : { x1: x, y1: EDGE, x2: x, y2: H - BOTTOM };
        if (mapped() || zero) put("line", { class: zero ? "xw-sm-axis" : "xw-sm-line", ...ends });
        const place = axis ? { x: LEFT - 6, y: y + 4, "text-anchor": "end" } : { x, y: H - BOTTOM + 16, "text-anchor": "middle" };
        put("text", { class: "xw-sm-tick", ...place }, tickText(value, axis));
      }
    }
    put("text", { class: "xw-sm-tick", x: (LEFT + W) / 2, y: H - 6, "text-anchor": "middle" }, get("x_label"));
    put("text", { class: "xw-sm-tick", transform: `translate(13 ${(H - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, get("y_label"));
    ground.replaceChildren(...parts);
  }

  function paintControls() {
    title.textContent = get("title");
    title.hidden = !title.textContent;
    plane.setAttribute("aria-label", get("title") || t("points"));
    turn.hidden = !get("turning");
    centre.setAttribute("aria-pressed", String(get("centred")));
    angle.value = get("rotation");
    angle.setAttribute("aria-valuetext", t("degrees", { n: get("rotation") }));
    degrees.textContent = `${String(get("rotation")).replace("-", "−")}°`;
    const all = xw.floats(get("places"));
    goals.hidden = !get("names").some((_, i) => Number.isFinite(all[4 * i + 2]));
    goals.setAttribute("aria-pressed", String(get("show_targets")));
  }

  // --- names and choices -----------------------------------------------------------------------------------------

  function inWords(i) {
    const group = get("groups")[get("member")[i]]?.name;
    const where = `${get("x_label") || "x"} ${xw.plain(xy[i][0])}${t("comma")}${get("y_label") || "y"} ${xw.plain(xy[i][1])}`;
    return [get("names")[i], group, get("held_out")[i] ? t("held_out") : "", where, get("notes")[i]].filter(Boolean).join(t("comma"));
  }

  function read(i) {
    name.textContent = "";
    if (nodes[i]) {
      const [x, y] = at[i];
      const near = x > W - 160; // the name must not leave the drawing
      name.textContent = get("names")[i];
      for (const [key, value] of Object.entries({ x: x + (near ? -9 : 9), y: y - 7, "text-anchor": near ? "end" : "start" })) name.setAttribute(key, value);
      readout.textContent = inWords(i);
      return;
    }
    const chosen = get("selected");
    const names = chosen.slice(0, 6).map((k) => get("names")[k]).join(t("and")) + (chosen.length > 6 ? " …" : "");
    readout.textContent = chosen.length ? t("chosen", { n: chosen.length, names }) : "";
  }

  function select() {
    const chosen = new Set(get("selected"));
    nodes.forEach((node, i) => node.setAttribute("aria-selected", String(chosen.has(i))));
    dots.setAttribute("class", chosen.size ? "xw-sm-some" : "");
    none.hidden = !chosen.size;
    read(nodes.indexOf(document.activeElement));
  }

  function save(changes) {
    for (const [key, value] of Object.entries(changes)) model.set(key, value);
    model.save_changes();
  }

  const toggle = (i) => {
    const chosen = get("selected");
    save({ selected: chosen.includes(i) ? chosen.filter((k) => k !== i) : [...chosen, i].sort((a, b) => a - b) });
  };

  function move(to) {
    if (!nodes[to]) return;
    nodes[roving].setAttribute("tabindex", -1);
    roving = to;
    nodes[roving].setAttribute("tabindex", 0);
    nodes[roving].focus();
  }

  /** The nearest point within 45 degrees of a direction of the drawing. */
  function toward(dx, dy) {
    let [best, gap] = [-1, Infinity];
    at.forEach(([x, y], i) => {
      const [u, v] = [x - at[roving][0], y - at[roving][1]];
      const along = u * dx + v * dy;
      const far = Math.hypot(u, v);
      if (i !== roving && along > 0 && along >= far * 0.7 && far < gap) [best, gap] = [i, far];
    });
    return best;
  }

  const wrap = (value) => ((((value + 180) % 360) + 360) % 360) - 180;
  const KEYS = {
    ArrowRight: () => move(toward(1, 0)), ArrowLeft: () => move(toward(-1, 0)), ArrowUp: () => move(toward(0, -1)), ArrowDown: () => move(toward(0, 1)),
    Home: () => move(0), End: () => move(nodes.length - 1), PageDown: () => move(roving + 1), PageUp: () => move(roving - 1),
    Enter: () => toggle(roving), " ": () => toggle(roving), Escape: () => save({ selected: [] }), t: () => twin.opener.click(),
    c: () => { if (get("turning")) centre.click(); },
  };

  function asTable() {
    const rows = get("names").map((text, i) => [text, get("groups")[get("member")[i]]?.name ?? "", get("held_out")[i] ? t("yes") : t("no"), xw.plain(xy[i][0]), xw.plain(xy[i][1])]);
    return xw.table(get("title") || t("points"), [t("point"), t("group"), t("held_out"), get("x_label") || "x", get("y_label") || "y"], rows);
  }

  // --- wiring ----------------------------------------------------------------------------------------------------

  const number = (event) => { const i = event.target.dataset?.i; return i === undefined ? -1 : Number(i); };
  function spot(event) {
    const frame = plane.getBoundingClientRect();
    return [((event.clientX - frame.left) * W) / frame.width, ((event.clientY - frame.top) * H) / frame.height];
  }
  const corners = ([x0, y0], [x1, y1]) => [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];

  keep.dom(plane, "pointerdown", (event) => {
    if (event.button) return;
    drag = { from: spot(event), on: number(event), more: event.shiftKey, moved: false };
    plane.setPointerCapture?.(event.pointerId);
  });
  keep.dom(plane, "pointermove", (event) => {
    if (!drag) return read(number(event));
    const [x0, y0, x1, y1] = corners(drag.from, spot(event));
    drag.moved ||= Math.hypot(x1 - x0, y1 - y0) > 4;
    if (!drag.moved) return;
    box.style.display = "";
    for (const [key, value] of Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 })) box.setAttribute(key, value);
  });
  keep.dom(plane, "pointerup", (event) => {
    if (!drag) return;
    const { from, on, more, moved } = drag;
    drag = null;
    box.style.display = "none";
    if (!moved) {
      if (on >= 0) { move(on); toggle(on); } else save({ selected: [] });
      return;
    }
    const [x0, y0, x1, y1] = corners(from, spot(event));
    const inside = at.flatMap(([x, y], i) => (x >= x0 && x <= x1 && y >= y0 && y <= y1 ? [i] : []));
    save({ selected: more ? [...new Set([...get("selected"), ...inside])].sort((a, b) => a - b) : inside });
  });
  keep.dom(plane, "pointercancel", () => { drag = null; box.style.display = "none"; });
  keep.dom(plane, "pointerleave", () => { if (!drag) read(nodes.indexOf(document.activeElement)); });
  keep.dom(plane, "focusin", (event) => { const i = number(event); if (i >= 0) { nodes[roving].setAttribute("tabindex", -1); roving = i; nodes[i].setAttribute("tabindex", 0); read(i); } });
  keep.dom(plane, "keydown", xw.onKeys(KEYS, number));
  keep.dom(centre, "click", () => save({ centred: !get("centred") }));
  keep.dom(left, "click", () => save({ rotation: wrap(get("rotation") + 15) }));
  keep.dom(right, "click", () => save({ rotation: wrap(get("rotation") - 15) }));
  keep.dom(angle, "input", () => save({ rotation: Number(angle.value) }));
  keep.dom(angle, "keydown", (event) => event.stopPropagation());
  keep.dom(upright, "click", () => save({ rotation: 0, centred: false }));
  keep.dom(goals, "click", () => save({ show_targets: !get("show_targets") }));
  keep.dom(none, "click", () => save({ selected: [] }));
  let due = "";
  /** Several traits change at once; the page is made once. */
  const schedule = (what) => () => {
    const first = !due;
    due = due === "build" ? due : what;
    if (first) queueMicrotask(keep.guard(() => { const all = due === "build"; due = ""; if (all) build(); else paint(); }));
  };
  keep.model(model, ["version", "names", "places", "member", "held_out", "groups"].map((key) => `change:${key}`), schedule("build"));
  keep.model(model, ["rotation", "centred", "show_targets", "turning", "graticule", "title", "x_label", "y_label", "notes"].map((key) => `change:${key}`), schedule("paint"));
  keep.model(model, "change:selected", () => { if (!due) select(); });
  build();
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
