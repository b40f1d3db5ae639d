// bertviz in a frame of its own: sandboxed, closed to the network, told weights and tokens by message and never as markup.

/** Runs inside the frame: waits for the message, gives bertviz what it asks of require.js, and tells its height. */
function inside() {
  const add = (parent, tag, properties = {}) => parent.appendChild(Object.assign(document.createElement(tag), properties));
  /** bertviz's own words, which are English; what it draws of tokens has a class. */
  function translate(place, { axes, detail }) {
    for (const node of place.querySelectorAll("text:not(.token)")) {
      const [, k, head] = /^Layer (\d+), Head (\d+)$/.exec(node.textContent) ?? [];
      const text = k ? detail.replace("{k}", k).replace("{head}", head) : axes[node.textContent];
      if (text) node.textContent = text;
    }
  }
  /** bertviz hears a pointer only: its rows of marks and of tokens, each with the name that a mark is given. */
  function rows(place, { kind, heads, layers, head, detail }) {
    const all = (selector) => [...place.querySelectorAll(selector)];
    const say = (k, i) => detail.replace("{k}", layers[k]).replace("{head}", heads[i]);
    const [first, ...more] = all("g.detail");
    const tokens = kind === "head" ? [all("#left > g:last-child > g"), all("#right > g:last-child > g")] : [first ? [...first.children] : []];
    const marks = kind === "head" ? all("svg > g:last-child > rect") : all(".attn_background ~ rect");
    const name = (_, i) => (kind === "head" ? `${head} ${i + 1}` : say(Math.floor(i / heads.length), i % heads.length));
    return [
      { nodes: marks, names: marks.map(name), step: kind === "head" ? 1 : heads.length },
      ...tokens.map((nodes) => ({ nodes, names: nodes.map((node) => node.textContent.trim() || "␣"), step: 1 })),
    ];
  }
  /** One Tab stop a row, arrows within it; the focus points as a pointer would, Enter clicks, Shift and Enter click twice. */
  function reach(place, words) {
    for (const { nodes, names, step } of rows(place, words)) {
      const at = Math.max(0, nodes.findIndex((node) => node.tabIndex === 0 && node.hasAttribute("tabindex")));
      nodes.forEach((node, i) => {
        if (node.xwSteps) return;
        node.xwSteps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: step, ArrowUp: -step };
        for (const [key, value] of [["role", "button"], ["aria-label", names[i]], ["tabindex", i === at ? 0 : -1]]) node.setAttribute(key, value);
        const does = (type, bubbles = true) => node.dispatchEvent(new MouseEvent(type, { bubbles }));
        node.addEventListener("focus", () => does("mouseover"));
        node.addEventListener("blur", () => { does("mouseout"); does("mouseleave", false); });
        node.addEventListener("keydown", (event) => {
          const next = nodes[i + node.xwSteps[event.key]];
          if (next) { node.setAttribute("tabindex", -1); next.setAttribute("tabindex", 0); next.focus(); }
          else if (event.key === "Enter" || event.key === " ") does(event.shiftKey ? "dblclick" : "click");
          else return;
          event.preventDefault();
        });
      });
    }
  }
  function draw({ params, layer, words, scripts }) {
    const place = add(document.body, "div", { id: params.root_div_id });
    if (layer) add(add(place, "label", { textContent: `${layer} ` }), "select", { id: "layer" });
    add(place, "div", { id: "vis" });
    Object.assign(document, { title: words.title });
    document.documentElement.lang = words.lang;
    const mend = () => { if (words.kind === "model") translate(place, words); reach(place, words); };
    new MutationObserver(mend).observe(place, { childList: true, subtree: true });
    window.require = { config() {} };
    window.requirejs = (_, run) => run(window.jQuery, window.d3);
    window.PYTHON_PARAMS = params; // the name that bertviz's template leaves open
    for (const text of scripts) add(document.head, "script", { text });
  }
  addEventListener("message", ({ source, data }) => {
    if (source !== parent || !data?.colours) return;
    for (const [name, value] of data.colours) document.documentElement.style.setProperty(name, value);
    if (data.params && !document.getElementById(data.params.root_div_id)) draw(data);
  });
  const tell = () => parent.postMessage({ height: document.body.scrollHeight }, "*");
  new ResizeObserver(tell).observe(document.body);
}

// bertviz paints black on white; its fills are exchanged by their names, so that a change of theme needs no redrawing
const FRAME = `<!doctype html><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<style>
body { margin: 0; padding: 2px; overflow: auto; color: var(--xw-ink); background: var(--xw-ground); font: 14px/1.5 var(--xw-font); }
div { width: max-content; min-width: 360px; }
select { font: inherit; color: inherit; background: var(--xw-ground); border: 1px solid var(--xw-rule); border-radius: 5px; }
svg { display: block; margin-top: 6px; font-family: var(--xw-font); }
text { fill: var(--xw-ink); }
[role="button"] { outline: none; }
[role="button"]:focus-visible { outline: 2px solid var(--xw-ink); outline-offset: -1px; opacity: 1 !important; fill-opacity: .25; }
.background { fill: var(--xw-rule); }
svg[fill="white"], rect[fill="white"] { fill: var(--xw-ground); }
rect[fill="#F5F5F5"] { fill: var(--xw-well); }
</style><body><script>(${inside})()</script></body>`;

function render({ model, el }) {
  const keep = xw.listeners();
  const { make } = xw;
  const get = (name) => model.get(name);
  const t = xw.words(model);
  const root = xw.root("bertviz-view", model, keep);
  const title = make("div", { class: "xw-title" }, get("title") || t(get("kind")));
  const hint = make("div", { class: "xw-eyebrow" }, t(get("kind") === "head" ? "head_hint" : "model_hint"));
  const twin = xw.disclosure(t("table"), keep, asTable);
  const frame = make("iframe", { class: "xw-bv-frame", sandbox: "allow-scripts", title: t("frame"), srcdoc: FRAME });
  root.append(
    make("div", { class: "xw-bv-head" }, make("div", {}, title, hint), make("span", { class: "xw-spacer" }), twin.opener),
    frame, twin.part,
  );
  el.append(root);

  const tokens = get("tokens");
  const n = tokens.length;

  /** What a head's query sees of the keys up to itself, 0 … 1. */
  function seen(row, head, query) {
    const view = get("weights");
    const from = (row * get("heads") + head) * (n * (n + 1)) / 2 + (query * (query + 1)) / 2;
    return Array.from({ length: query + 1 }, (_, key) => view.getUint8(from + key) / 255);
  }

  /** bertviz's own parameters. Its head view needs whole squares; in the model view a line nobody sees is left out. */
  function params() {
    const heads = [...Array(get("heads")).keys()];
    const ahead = (query) => (get("kind") === "head" ? Array(n - 1 - query).fill(0) : []);
    const attn = get("layers").map((_, row) => heads.map((head) => tokens.map((__, query) => [...seen(row, head, query), ...ahead(query)])));
    const shown = tokens.map((token) => token.replaceAll("\n", "⏎") || "∅");
    return {
      attention: [{ name: null, attn, left_text: shown, right_text: shown }], default_filter: "0", display_mode: "light", root_div_id: "bertviz",
      layer: null, heads: null, include_layers: get("layers"), include_heads: heads.map((head) => head + 1), total_heads: heads.length,
    };
  }

  function colours() {
    const style = getComputedStyle(root);
    return ["ink", "ground", "well", "rule", "font"].map((name) => [`--xw-${name}`, style.getPropertyValue(`--xw-${name}`)]);
  }

  const send = (more) => frame.contentWindow?.postMessage({ colours: colours(), ...more }, "*");

  /** A row a head: where its last token looks most. */
  function asTable() {
    const rows = get("layers").flatMap((k, row) => [...Array(get("heads")).keys()].map((head) => {
      const last = seen(row, head, n - 1);
      const most = last.indexOf(Math.max(...last));
      return [t("head_number", { k, head: head + 1 }), xw.said(t, tokens[most]), xw.plain(last[most])];
    }));
    return xw.table(t("table_about", { token: xw.said(t, tokens[n - 1]) }), [t("head_of"), t("token"), t("share")], rows);
  }

  keep.dom(frame, "load", () => {
    const drawn = params();
    const words = {
      kind: get("kind"), axes: { Heads: t("heads"), Layers: t("layers") }, detail: get("strings").head_number, head: t("head_name"),
      heads: drawn.include_heads, layers: drawn.include_layers, lang: t("lang"), title: t("frame"),
    };
    send({ params: drawn, words, scripts: get("scripts"), layer: get("kind") === "head" ? t("layer") : "" });
    root.dataset.sent = "true";
  });
  keep.dom(window, "message", ({ source, data }) => {
    if (source === frame.contentWindow && Number.isFinite(data?.height)) frame.style.height = `${Math.max(40, data.height + 4)}px`;
  });
  const theme = new MutationObserver(() => send());
  for (const node of [document.documentElement, document.body]) theme.observe(node, { attributes: true });
  keep.also(() => theme.disconnect());
  return () => { keep.clean(); root.remove(); };
}
export default xw.view(render);
