// What a model was taught: search a phrase or a fact, see how often it was told, read the documents themselves.
function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const get = (name) => model.get(name);
  const t = xw.words(model);
  const root = xw.root("corpus-browser", model, keep);
  const title = make("div", { class: "xw-title" });
  const twin = xw.disclosure(t("table"), keep, asTable);
  const box = xw.focusable(make("input", { type: "search", class: "xw-cb-box", dir: "auto", autocomplete: "off", spellcheck: "false", "aria-label": t("box_name") }));
  const look = xw.button(t("look_up"), { class: "xw-button xw-cb-look" });
  const examples = make("div", { class: "xw-cb-examples" });
  const said = make("div", { class: "xw-cb-said", role: "status", dir: "auto" });
  const kinds = make("div", { class: "xw-cb-kinds", role: "group", "aria-label": t("kinds") });
  const list = make("ol", { class: "xw-cb-list" });
  const [first, back, on] = [[t("to_first"), t("first_page")], [t("to_previous"), t("previous_page")], [t("to_next"), t("next_page")]]
    .map(([text, name]) => xw.button(text, { "aria-label": name, class: "xw-button xw-quiet" }));
  const where = make("span", { class: "xw-eyebrow" });
  const pager = make("nav", { class: "xw-cb-pager", "aria-label": t("pages") }, first, back, where, on);
  root.append(
    make("div", { class: "xw-cb-head" }, title, make("span", { class: "xw-spacer" }), twin.opener),
    make("div", { class: "xw-cb-search" }, box, look, examples), said, kinds, list, pager, twin.part,
  );
  el.append(root);

  let sent = 0; // the request that waits for its answer
  const many = (n) => n.toLocaleString("en");
  const waits = () => sent > get("answered") && !get("error");

  function ask(text, kind = "", page = 0) {
    if (waits() || get("_static")) return;
    sent = (get("request").n || 0) + 1;
    model.set("request", { n: sent, text, kind, page });
    model.save_changes();
    status();
  }

  function build() {
    const found = get("found");
    title.textContent = get("title");
    title.hidden = !title.textContent;
    box.value = found.text;
    examples.replaceChildren(...get("examples").map((text) => {
      const node = xw.button(make("bdi", {}, text), { class: "xw-button xw-cb-example" });
      node.addEventListener("click", () => ask(text));
      return node;
    }));
    if (get("examples").length) examples.prepend(t("try"));
    paintKinds(found);
    if (list.contains(document.activeElement)) box.focus(); // what was pressed is about to go
    list.replaceChildren(...get("documents").map(documentNode));
    where.textContent = found.pages ? t("page_of", { page: many(found.page + 1), pages: many(found.pages) }) : "";
    pager.hidden = found.pages < 2;
    status();
    twin.refresh();
  }

  /** Buttons with a bar each: the filter shows at the same time where the phrase stands. */
  function paintKinds(found) {
    const counts = Object.entries(found.kinds).sort((a, b) => b[1] - a[1]);
    const most = Math.max(1, ...counts.map(([, n]) => n));
    const focused = document.activeElement?.dataset?.kind;
    kinds.hidden = !counts.length;
    kinds.replaceChildren(...[["", found.documents], ...counts].map(([kind, n]) => {
      const bar = make("span", { class: "xw-cb-bar", "aria-hidden": "true" }, make("span"));
      bar.firstChild.style.width = `${kind ? (100 * n) / most : 0}%`;
      const node = xw.button("", { class: "xw-button xw-cb-kind", "aria-pressed": String(kind === found.kind) });
      node.append(make("bdi", {}, kind || t("all_kinds")), make("span", { class: "xw-cb-n" }, ` ${many(n)}`), bar);
      node.dataset.kind = kind || "*";
      node.addEventListener("click", () => ask(found.text, kind));
      return node;
    }));
    if (focused) [...kinds.children].find((node) => node.dataset.kind === focused)?.focus();
  }

  function documentNode({ number, kind, text, spans, facts }) {
    const letters = Array.from(text); // the places count characters, not halves of them
    const body = make("div", { class: "xw-cb-text", dir: "auto" });
    let place = 0;
    for (const [start, end] of spans) {
      body.append(letters.slice(place, start).join(""), make("mark", {}, letters.slice(start, end).join("")));
      place = Math.max(place, end);
    }
    body.append(letters.slice(place).join(""));
    return make("li", { class: "xw-cb-document" },
      make("div", { class: "xw-cb-about" }, make("span", { class: "xw-cb-number" }, `№ ${many(number)}`), make("bdi", {}, kind)),
      body, facts.length ? make("div", { class: "xw-cb-facts" }, `${t("tells")} `, ...facts.map(factNode)) : null);
  }

  function factNode(fact) {
    const node = xw.button(make("bdi", {}, fact), { class: "xw-button xw-cb-fact", title: t("fact_hint") });
    if (get("found").by === "fact" && get("found").text === fact) node.classList.add("xw-cb-this");
    node.addEventListener("click", () => ask(fact));
    return node;
  }

  function status() {
    const { page, pages } = get("found");
    const busy = waits();
    root.setAttribute("aria-busy", String(busy));
    root.classList.toggle("xw-cb-waiting", busy);
    root.dataset.answered = get("answered");
    const text = busy ? get("busy") || t("looking") : get("said");
    if (said.textContent !== text) said.textContent = text;
    const fixed = Boolean(get("_static"));
    box.readOnly = fixed;
    box.placeholder = fixed ? t("box_fixed") : t("box_hint");
    root.querySelectorAll(".xw-cb-look, .xw-cb-example, .xw-cb-kind, .xw-cb-fact").forEach((node) => { node.disabled = fixed; });
    able([first, back], !fixed && page > 0, on);
    able([on], !fixed && page + 1 < pages, back);
  }

  /** At either end the focus goes to the button that still leads somewhere. */
  function able(buttons, yes, other) {
    const focused = buttons.includes(document.activeElement);
    buttons.forEach((node) => { node.disabled = !yes; });
    if (!yes && focused) { other.disabled = false; other.focus(); }
  }

  function asTable() {
    const rows = get("documents").map(({ number, kind, text, spans, facts }) => [many(number), kind, text, spans.length, facts.join(", ")]);
    return xw.table(get("said") || t("documents"), [t("number"), t("kind"), t("text"), t("places"), t("facts_told")], rows);
  }

  function turn(page) {
    const { text, kind } = get("found");
    ask(text, kind, page);
  }

  keep.dom(look, "click", () => ask(box.value));
  keep.dom(box, "keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    ask(box.value);
  });
  keep.dom(first, "click", () => turn(0));
  keep.dom(back, "click", () => turn(get("found").page - 1));
  keep.dom(on, "click", () => turn(get("found").page + 1));
  keep.model(model, ["change:documents", "change:found", "change:examples", "change:title"], build);
  keep.model(model, ["change:answered", "change:busy", "change:said", "change:error"], status);
  build();
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
