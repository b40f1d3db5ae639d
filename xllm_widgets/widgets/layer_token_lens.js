// Layers × tokens as a grid, the deepest layer on top: a colour and its number in every cell, a word where one is read.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const get = (name) => model.get(name);
  const t = xw.words(model);
  const root = xw.root("layer-token-lens", model, keep);
  const title = make("div", { class: "xw-title" });
  const choice = make("div", { class: "xw-ll-readings", role: "radiogroup", "aria-label": t("reading") });
  const twin = xw.disclosure(t("table"), keep, asTable);
  const grid = make("table", { class: "xw-ll-grid", role: "grid" });
  const legend = make("div");
  const readout = make("div", { class: "xw-ll-readout", "aria-live": "polite" });
  root.append(
    make("div", { class: "xw-ll-head" }, title, choice, make("span", { class: "xw-spacer" }), twin.opener),
    make("div", { class: "xw-ll-scroll" }, grid),
    make("div", { class: "xw-ll-foot" }, legend, make("span", { class: "xw-spacer" }), readout), twin.part,
  );
  el.append(root);

  let cells = []; // cells[row of layers][token]
  let heads = { tokens: [], layers: [] };
  let roving = [0, 0];
  let made = "";

  const its = () => get("readings")[Math.min(get("reading"), get("readings").length - 1)];
  const layerName = (k) => (k === 0 ? t("embeddings") : t("layer_number", { k }));

  function scores() {
    const [rows, columns] = [get("layers").length, get("tokens").length];
    const from = Math.min(get("reading"), get("readings").length - 1) * rows * columns;
    return xw.floats(get("values")).subarray(from, from + rows * columns);
  }

  const number = (value, kind = its().kind) => (Number.isFinite(value) ? (kind === "diverging" ? xw.signed(value) : xw.plain(value)) : "–");

  function amount(row, p) {
    const value = scores()[row * get("tokens").length + p];
    if (!Number.isFinite(value)) return t("no_score");
    const { kind, unit, words } = its();
    const side = kind !== "diverging" || value === 0 ? "" : t("comma") + get(value > 0 ? "toward" : "away");
    const said = `${number(value)} ${unit}`.trim() + side;
    return words.length ? t("reads", { amount: said, word: xw.said(t, words[row][p]) }) : said;
  }

  function build() {
    const now = JSON.stringify([get("tokens"), get("layers")]);
    if (made !== now) {
      made = now;
      heads.tokens = get("tokens").map((token) => {
        const name = make("bdi");
        xw.setToken(name, token);
        return make("th", { scope: "col", role: "columnheader" }, name);
      });
      heads.layers = get("layers").map((k) => make("th", { scope: "row", role: "rowheader" }, layerName(k)));
      cells = get("layers").map((_, row) => get("tokens").map((__, p) => cell(row, p)));
      const rows = cells.map((line, row) => make("tr", { role: "row" }, heads.layers[row], ...line)).reverse();
      grid.replaceChildren(
        make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, make("th", { role: "columnheader", scope: "col" }, t("layer")), ...heads.tokens)),
        make("tbody", { role: "rowgroup" }, ...rows),
      );
      roving = [cells.length - 1, 0];
      cells[roving[0]][0].tabIndex = 0;
    }
    paint();
  }

  function cell(row, p) {
    const node = make("td", { class: "xw-ll-cell", role: "gridcell", tabindex: -1, "aria-selected": "false" }, make("bdi", { class: "xw-ll-word" }), make("span", { class: "xw-ll-number" }));
    Object.assign(node.dataset, { row, p });
    return xw.focusable(node);
  }

  function paint() {
    const { kind, limits: [low, high], words, unit, name } = its();
    const all = scores();
    const n = get("tokens").length;
    cells.forEach((line, row) => line.forEach((node, p) => {
      const value = all[row * n + p];
      const rgb = kind === "sequential" && Number.isFinite(value) ? xw.cividis((value - low) / (high - low || 1)) : null;
      node.style.background = rgb ? `rgb(${rgb.join(" ")})` : kind === "diverging" ? xw.ground(value, high) : "transparent";
      node.style.color = rgb ? xw.inkOver(rgb) : "";
      node.firstChild.hidden = !words.length;
      if (words.length) xw.setToken(node.firstChild, words[row][p]);
      node.lastChild.textContent = number(value, kind);
      node.setAttribute("aria-label", t("cell", { layer: layerName(get("layers")[row]), n: p + 1, token: xw.said(t, get("tokens")[p]), amount: amount(row, p) }));
    }));
    title.textContent = get("title");
    title.hidden = !title.textContent;
    grid.setAttribute("aria-label", [get("title"), name, unit].filter(Boolean).join(t("comma")));
    legend.replaceChildren(kind === "diverging" ? xw.divergingLegend(high, unit, get("toward"), get("away")) : xw.sequentialLegend(low, high, unit));
    fillChoice();
    select();
    twin.refresh();
    root.dataset.version = get("version");
    root.dataset.reading = name;
  }

  function fillChoice() {
    const names = get("readings").map((reading) => reading.name);
    choice.hidden = names.length < 2;
    if (choice.childElementCount !== names.length) {
      choice.replaceChildren(...names.map((_, i) => {
        const node = xw.button(make("bdi"), { role: "radio" });
        node.addEventListener("click", () => { model.set("reading", i); model.save_changes(); });
        return node;
      }));
    }
    [...choice.children].forEach((node, i) => {
      const on = names[i] === its().name && i === get("reading");
      node.firstChild.textContent = names[i];
      node.setAttribute("aria-checked", String(on));
      node.tabIndex = on ? 0 : -1;
    });
  }

  function switchReading(step) {
    const n = get("readings").length;
    model.set("reading", (get("reading") + step + n) % n);
    model.save_changes();
  }

  /** The long form: a row a token, a column a layer. */
  function asTable() {
    const n = get("tokens").length;
    const all = scores();
    const rows = get("tokens").map((token, p) => [`${p + 1}  ${xw.said(t, token)}`, ...get("layers").map((_, row) => {
      const { words } = its();
      return [words.length ? xw.said(t, words[row][p]) : "", number(all[row * n + p])].filter(Boolean).join(" ");
    })]);
    return xw.table([its().name, its().unit].filter(Boolean).join(t("comma")), [t("token"), ...get("layers").map(layerName)], rows);
  }

  function select() {
    const [row, p] = get("selected");
    cells.forEach((line, r) => line.forEach((node, c) => {
      const on = String(r === row && c === p);
      if (node.getAttribute("aria-selected") !== on) node.setAttribute("aria-selected", on);
    }));
    if (!grid.matches(":hover") && !grid.contains(document.activeElement)) read(row, p);
    else if (grid.contains(document.activeElement)) read(...roving);
  }

  function read(row, p) {
    for (const head of grid.querySelectorAll(".xw-ll-near")) head.classList.remove("xw-ll-near");
    readout.replaceChildren();
    if (!cells[row]?.[p]) return;
    heads.layers[row].classList.add("xw-ll-near");
    heads.tokens[p].classList.add("xw-ll-near");
    const token = make("bdi", {}, xw.said(t, get("tokens")[p]));
    readout.append(...t.parts("readout", { layer: layerName(get("layers")[row]), token, amount: amount(row, p) }));
  }

  function choose(row, p) {
    const [r, c] = get("selected");
    model.set("selected", r === row && c === p ? [] : [row, p]);
    model.save_changes();
  }

  function move(row, p) {
    const to = [Math.max(0, Math.min(cells.length - 1, row)), Math.max(0, Math.min(cells[0].length - 1, p))];
    cells[roving[0]][roving[1]].tabIndex = -1;
    roving = to;
    const node = cells[to[0]][to[1]];
    node.tabIndex = 0;
    node.focus();
  }

  const place = (event) => {
    const node = event.target.closest?.(".xw-ll-cell");
    return node ? [Number(node.dataset.row), Number(node.dataset.p)] : null;
  };
  const KEYS = {
    ArrowUp: (r, p) => move(r + 1, p), ArrowDown: (r, p) => move(r - 1, p), // the deepest layer lies on top
    ArrowRight: (r, p) => move(r, p + 1), ArrowLeft: (r, p) => move(r, p - 1),
    Home: (r) => move(r, 0), End: (r) => move(r, Infinity), PageUp: (r, p) => move(Infinity, p), PageDown: (r, p) => move(0, p),
    Enter: choose, " ": choose, r: () => switchReading(1), t: () => twin.opener.click(),
  };
  keep.dom(grid, "keydown", xw.onKeys(KEYS, place));
  keep.dom(grid, "click", (event) => { const at = place(event); if (at) { move(...at); choose(...at); } });
  keep.dom(grid, "mouseover", (event) => { const at = place(event); if (at) read(...at); });
  keep.dom(grid, "mouseleave", () => read(...get("selected")));
  keep.dom(grid, "focusin", (event) => { const at = place(event); if (at) { cells[roving[0]][roving[1]].tabIndex = -1; roving = at; event.target.tabIndex = 0; read(...at); } });
  keep.dom(choice, "keydown", xw.onArrows((step) => {
    switchReading(step);
    choice.children[get("reading")].focus();
  }));
  let due = false;
  const schedule = () => { if (!due) { due = true; queueMicrotask(keep.guard(() => { due = false; build(); })); } };
  keep.model(model, ["change:version", "change:tokens", "change:layers", "change:values", "change:readings"], schedule);
  keep.model(model, ["change:reading", "change:title", "change:toward", "change:away"], () => { if (!due) paint(); });
  keep.model(model, "change:selected", () => { if (!due) select(); });
  build();
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
