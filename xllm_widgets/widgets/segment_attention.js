// Attention by segment: the parts of the text with their shares, and under them every head of every layer on the part chosen.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const get = (name) => model.get(name);
  const t = xw.words(model);
  const root = xw.root("segment-attention", model, keep);
  const title = make("div", { class: "xw-title" });
  const note = make("p", { class: "xw-sa-note" });
  const caption = make("div", { class: "xw-eyebrow" });
  const twin = xw.disclosure(t("table"), keep, asTable);
  const parts = make("div", { class: "xw-sa-parts", role: "radiogroup", "aria-label": t("segments") });
  const grid = make("table", { class: "xw-sa-grid", role: "grid" });
  const legend = make("div");
  const readout = make("div", { class: "xw-sa-readout", "aria-live": "polite" });
  root.append(
    make("div", { class: "xw-sa-head" }, make("div", {}, title, caption), make("span", { class: "xw-spacer" }), twin.opener),
    note, parts, make("div", { class: "xw-sa-scroll" }, grid),
    make("div", { class: "xw-sa-foot" }, legend, make("span", { class: "xw-spacer" }), readout), twin.part,
  );
  el.append(root);

  let cells = []; // cells[row of layers][head]
  let all = new Float32Array(0); // segments × layers × heads
  let top = 1; // the largest share: full colour, whichever segment is in view
  let roving = [0, 0];
  let chosen = null;
  let made = "";
  let named = null;

  const size = () => get("layers").length * get("heads");
  const share = (segment, row, head) => all[segment * size() + row * get("heads") + head];
  const headName = (row, head) => t("head_number", { k: get("layers")[row], head: head + 1 });
  const picked = () => { const [row, head] = get("selected"); return cells[row]?.[head] ? [row, head] : null; };

  /** The share of each segment: of the chosen head, else the mean of all heads. */
  function shares() {
    const at = picked();
    return get("segments").map((_, i) => (at ? share(i, ...at) : all.subarray(i * size(), (i + 1) * size()).reduce((sum, x) => sum + x, 0) / size()));
  }

  function build() {
    const now = JSON.stringify([get("layers"), get("heads")]);
    if (made !== now) {
      made = now;
      const heads = [...Array(get("heads")).keys()];
      cells = get("layers").map((_, row) => heads.map((head) => cell(row, head)));
      const rows = cells.map((line, row) => make("tr", { role: "row" }, make("th", { scope: "row", role: "rowheader" }, String(get("layers")[row])), ...line));
      const over = [t("layer_and_head"), ...heads.map((head) => String(head + 1))];
      grid.replaceChildren(
        make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...over.map((name) => make("th", { scope: "col", role: "columnheader" }, name)))),
        make("tbody", { role: "rowgroup" }, ...rows.reverse()), // the deepest layer on top
      );
      roving = [cells.length - 1, 0];
      cells[roving[0]][0].tabIndex = 0;
    }
    if (named !== get("segments")) parts.replaceChildren(...(named = get("segments")).map(part));
    paint();
  }

  function cell(row, head) {
    const node = make("td", { class: "xw-sa-cell", role: "gridcell", tabindex: -1, "aria-selected": "false" });
    Object.assign(node.dataset, { row, head });
    return xw.focusable(node);
  }

  function part(text) {
    const node = xw.button(make("span", { class: "xw-sa-share" }), { class: "xw-sa-part", role: "radio" });
    node.append(make("bdi", { class: "xw-sa-text" }, text.trim() || t("blank")));
    return node;
  }

  function paint() {
    all = xw.floats(get("values"));
    top = all.reduce((most, x) => Math.max(most, x), 0) || 1;
    title.textContent = get("title") || t("name");
    note.textContent = get("note");
    note.hidden = !note.textContent;
    legend.replaceChildren(xw.sequentialLegend(0, top, t("share")));
    paintHeads();
    paintParts();
    twin.refresh();
    root.dataset.version = get("version");
  }

  function paintHeads() {
    const name = xw.said(t, get("segments")[get("segment")]);
    cells.forEach((line, row) => line.forEach((node, head) => {
      const value = share(get("segment"), row, head);
      const rgb = xw.cividis(value / top);
      node.style.background = `rgb(${rgb.join(" ")})`;
      node.style.color = xw.inkOver(rgb);
      node.textContent = String(Math.round(100 * value));
      node.setAttribute("aria-label", `${headName(row, head)}${t("comma")}${xw.plain(value)}`);
    }));
    grid.setAttribute("aria-label", t("grid_about", { segment: name }));
    root.dataset.segment = get("segment");
  }

  function paintParts() {
    const [at, of] = [picked(), shares()];
    caption.textContent = at ? t("shares_of_head", { head: headName(...at) }) : t("shares_of_all");
    [...parts.children].forEach((node, i) => {
      const rgb = xw.cividis(of[i] / top);
      Object.assign(node.firstChild.style, { background: `rgb(${rgb.join(" ")})`, color: xw.inkOver(rgb) });
      node.firstChild.textContent = `${Math.round(100 * of[i])} %`;
      node.setAttribute("aria-checked", String(i === get("segment")));
      node.tabIndex = i === get("segment") ? 0 : -1;
    });
    const next = at && cells[at[0]][at[1]];
    chosen?.setAttribute("aria-selected", "false");
    next?.setAttribute("aria-selected", "true");
    chosen = next;
    if (!grid.matches(":hover") && !grid.contains(document.activeElement)) read(at);
  }

  function read(at) {
    readout.textContent = at ? t("readout", { head: headName(...at), share: xw.plain(share(get("segment"), ...at)) }) : "";
  }

  function asTable() {
    const rows = cells.flatMap((line, row) => line.map((_, head) => [headName(row, head), ...get("segments").map((__, i) => xw.plain(share(i, row, head)))]));
    return xw.table(t("share"), [t("head_of"), ...get("segments").map((text) => text.trim())], rows);
  }

  function show(segment) {
    const n = get("segments").length;
    model.set("segment", (segment + n) % n);
    model.save_changes();
  }

  function choose(row, head) {
    const at = picked();
    model.set("selected", at && at[0] === row && at[1] === head ? [] : [row, head]);
    model.save_changes();
  }

  function rove(row, head) {
    cells[roving[0]][roving[1]].tabIndex = -1;
    roving = [Math.max(0, Math.min(cells.length - 1, row)), Math.max(0, Math.min(get("heads") - 1, head))];
    const node = cells[roving[0]][roving[1]];
    node.tabIndex = 0;
    return node;
  }
  const move = (row, head) => rove(row, head).focus();

  const place = (event) => {
    const node = event.target.closest?.(".xw-sa-cell");
    return node ? [Number(node.dataset.row), Number(node.dataset.head)] : null;
  };
  const KEYS = {
    ArrowUp: (r, h) => move(r + 1, h), ArrowDown: (r, h) => move(r - 1, h), // the deepest layer lies on top
    ArrowRight: (r, h) => move(r, h + 1), ArrowLeft: (r, h) => move(r, h - 1),
    Home: (r) => move(r, 0), End: (r) => move(r, Infinity), PageUp: (r, h) => move(Infinity, h), PageDown: (r, h) => move(0, h),
    Enter: choose, " ": choose, s: () => show(get("segment") + 1), t: () => twin.opener.click(),
  };
  keep.dom(grid, "keydown", xw.onKeys(KEYS, place));
  keep.dom(grid, "click", (event) => { const at = place(event); if (at) { move(...at); choose(...at); } });
  keep.dom(grid, "mouseover", (event) => read(place(event)));
  keep.dom(grid, "mouseleave", () => read(picked()));
  keep.dom(grid, "focusin", (event) => { const at = place(event); if (at) { rove(...at); read(at); } });
  keep.dom(parts, "click", (event) => {
    const i = [...parts.children].indexOf(event.target.closest?.(".xw-sa-part"));
    if (i >= 0) show(i);
  });
  keep.dom(parts, "keydown", xw.onArrows((step) => {
    show(get("segment") + step);
    parts.children[get("segment")].focus();
  }));
  const renew = xw.onceAFrame(keep.guard(build));
  keep.model(model, ["change:version", "change:title", "change:note"], renew);
  keep.model(model, "change:segment", xw.onceAFrame(keep.guard(() => { paintHeads(); paintParts(); })));
  keep.model(model, "change:selected", paintParts);
  build();
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
