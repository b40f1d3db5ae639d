// Shared by every view; Python puts it in front of each view's own file, so that each stays one module without imports.
const xw = (() => {
  /** An element; strings among the children become text, never markup. */
  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      node.setAttribute(name, value === true ? "" : String(value));
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  /** Jupyter's shortcuts must not steal keys from this element (an attribute on the root alone does not help). */
  function focusable(node) {
    node.setAttribute("data-lm-suppress-shortcuts", "true");
    return node;
  }

  /** What the view says in its language: t("answers", { n: 3 }), or t.parts(…) where nodes stand among the words. */
  function words(model) {
    const strings = model.get("strings");
    const form = (text, { n }) => (typeof text === "string" ? text : text[String(n) === "1" ? "one" : "other"]);
    const parts = (key, values = {}) => form(strings[key], values).split(/\{(\w+)\}/)
      .map((part, i) => (i % 2 ? values[part] : part)).filter((part) => part !== "");
    return Object.assign((key, values) => parts(key, values).join(""), { parts });
  }

  function button(text, attributes = {}) {
    return focusable(make("button", { type: "button", class: "xw-button", ...attributes }, text));
  }

  /**
   * Every listener a view adds, so that one call takes them all away again; an error in one is said in the view, as one
   * in what `guard` was given: `failed` says it, once there is a root.
   */
  function listeners() {
    const undo = [];
    const keep = {
      failed: null,
      guard: (call) => function (...all) {
        try { return call.apply(this, all); } catch (wrong) { if (!keep.failed) throw wrong; keep.failed(wrong); }
      },
      model(model, names, call) {
        const guarded = keep.guard(call);
        for (const name of [names].flat()) {
          model.on(name, guarded);
          undo.push(() => model.off(name, guarded));
        }
      },
      dom(node, type, call, options) {
        const guarded = keep.guard(call);
        node.addEventListener(type, guarded, options);
        undo.push(() => node.removeEventListener(type, guarded, options));
      },
      also(call) { undo.push(call); },
      clean() { undo.splice(0).forEach((call) => call()); },
    };
    return keep;
  }

  /** What a view's file exports: `render`, after whose failure words stand where the view would. */
  function view(render) {
    return {
      render(given) {
        try {
          return render(given);
        } catch (wrong) {
          given.el.replaceChildren(make("div", { class: "xw-view", lang: given.model.get("strings").lang },
            make("div", { class: "xw-error", role: "alert" }, failure(given.model, wrong))));
        }
      },
    };
  }

  /** What is said of an error in a view's own code; the console has it whole. */
  function failure(model, wrong) {
    console.error(wrong);
    return words(model)("view_failed", { why: String(wrong) });
  }

  /** However often it is asked for, done once a frame at most: at the end of what is running now, or in the next frame. */
  function onceAFrame(paint) {
    let asked = false;
    let resting = false;
    const go = () => { asked = false; resting = true; requestAnimationFrame(rest); paint(); };
    const rest = () => { resting = false; if (asked) go(); };
    return () => { if (!asked && !resting) queueMicrotask(go); asked = true; };
  }

  /** The root of a view, with the places where an error is said in words, and that there is no kernel any more. */
  function root(name, model, keep) {
    const error = make("div", { class: "xw-error", role: "alert" });
    const gone = make("div", { class: "xw-kernel-gone", role: "status", hidden: true }, model.get("strings").kernel_gone);
    const node = make("div", { class: `xw-view xw-${name}`, lang: model.get("strings").lang }, error, gone);
    const show = () => {
      error.textContent = model.get("error") || "";
      error.hidden = !error.textContent;
    };
    keep.failed = (wrong) => {
      error.textContent = failure(model, wrong);
      error.hidden = false;
    };
    keep.model(model, "change:error", show);
    // The widget manager tells its own model, which anywidget hands on as `this`, when the way to the kernel is cut.
    keep.model(model, "comm_live_update", function () { gone.hidden = this?.model?.comm_live !== false; });
    show();
    const below = foot(model, keep);
    queueMicrotask(() => node.append(below)); // when the view has put in what it shows
    return node;
  }

  /** Below a view: the call that makes it again, on request, and what its last answer cost; nothing where neither is known. */
  function foot(model, keep) {
    const t = words(model);
    const text = make("code", { translate: "no", lang: "en", dir: "ltr" });
    const lines = make("pre", { class: "xw-code" }, text);
    const copy = button(t("copy"));
    const shown = disclosure(t("show_code"), keep, () => make("div", {}, copy, lines));
    const cost = make("span", { class: "xw-cost" });
    const line = make("div", { class: "xw-foot-line" }, cost);
    const node = make("div", { class: "xw-foot" }, line, shown.part);
    const write = () => {
      text.textContent = model.get("code") || "";
      cost.textContent = model.get("cost") || "";
      if (!text.textContent) shown.opener.remove();
      else if (!shown.opener.parentNode) line.prepend(shown.opener); // not put in anew: it may have the focus
      node.hidden = !text.textContent && !cost.textContent;
    };
    keep.model(model, ["change:code", "change:cost"], write);
    // the way that also works where a page may not use the clipboard (http); what was copied is seen to be selected
    keep.dom(copy, "click", () => { getSelection().selectAllChildren(text); document.execCommand("copy"); });
    write();
    return node;
  }

  /** float32 numbers from a bytes trait; the view's offset need not be aligned, hence the copy. */
  function floats(view) {
    if (!view || !view.buffer) return new Float32Array(0);
    return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  }

  function digits(value) {
    const size = Math.abs(value);
    return size >= 100 ? 0 : size >= 9.995 ? 1 : size >= 0.0995 || size === 0 ? 2 : size >= 0.00095 ? 3 : 4;
  }

  const plain = (value) => value.toFixed(digits(value)).replace("-", "−");
  const signed = (value) => (value > 0 ? "+" : "") + plain(value);
  const percent = (share) => `${(100 * share).toFixed(share > 0.9995 || share < 0.0995 ? 1 : share >= 0.9 ? 1 : 0)} %`;

  /** Hue by sign, alpha by size, symmetric about zero; a value that is not a number has no ground. */
  function ground(value, limit) {
    if (!Number.isFinite(value) || !(limit > 0)) return "transparent";
    const alpha = PALETTE.maxAlpha * Math.min(1, Math.abs(value) / limit);
    return `rgb(var(--xw-${value > 0 ? "toward" : "away"}) / ${alpha.toFixed(3)})`;
  }

  /** cividis between its eleven steps, 0 … 255 a channel. */
  function cividis(share) {
    const steps = PALETTE.cividis;
    const place = Math.min(1, Math.max(0, share)) * (steps.length - 1);
    const low = Math.min(Math.floor(place), steps.length - 2);
    return steps[low].map((near, i) => Math.round(near + (steps[low + 1][i] - near) * (place - low)));
  }

  /** Black or white, whichever reads better over an opaque ground. */
  function inkOver(rgb) {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
  }

  const BYTE = /^<0x([0-9A-Fa-f]{2})>$/;
  const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd]/;

  /** Sets a token as text; its leading spaces, newlines, tabs and bytes become visible without becoming other text. */
  function setToken(node, token) {
    node.replaceChildren();
    const byte = BYTE.exec(token);
    if (byte) return node.append(make("span", { class: "xw-chip" }, byte[1].toUpperCase()));
    if (!token) return node.append(make("span", { class: "xw-chip" }, "∅"));
    let text = "";
    let leading = true;
    const flush = () => { if (text) node.append(text); text = ""; };
    for (const char of token) {
      const mark = char === "\n" ? "xw-newline" : char === "\t" ? "xw-tab" : char === " " && leading ? "xw-space" : null;
      leading = leading && char === " ";
      if (mark) { flush(); node.append(make("span", { class: mark }, char)); }
      else if (INVISIBLE.test(char)) { flush(); node.append(make("span", { class: "xw-chip" }, code(char))); }
      else text += char;
    }
    flush();
  }

  const code = (char) => (char === "\ufffd" ? "··" : char.codePointAt(0).toString(16).toUpperCase().padStart(2, "0"));

  /** A token as it is said: quotes make leading spaces audible, newlines have a name. */
  function said(t, token) {
    const byte = BYTE.exec(token);
    return byte ? t("byte", { hex: byte[1].toUpperCase() }) : `“${token.replaceAll("\n", "⏎")}”`;
  }

  /** A table twin: the same numbers for those who read rather than look. */
  function table(caption, head, rows) {
    const line = (cells, tag) => make("tr", {}, ...cells.map((cell, i) =>
      make(i ? tag : "th", i ? {} : { scope: tag === "th" ? "col" : "row" }, make("bdi", {}, String(cell)))));
    return make("table", { class: "xw-table" }, make("caption", {}, caption),
      make("thead", {}, line(head, "th")), make("tbody", {}, ...rows.map((row) => line(row, "td"))));
  }

  /** A button that opens and closes a part of the view; `fill` draws the part when it is opened. */
  function disclosure(text, keep, fill) {
    const part = focusable(make("div", { class: "xw-part", hidden: true, tabindex: 0, role: "region", "aria-label": text }));
    const opener = button(text, { class: "xw-button xw-quiet", "aria-expanded": "false" });
    const refresh = () => { if (!part.hidden) part.replaceChildren(fill()); };
    keep.dom(opener, "click", () => {
      part.hidden = !part.hidden;
      opener.setAttribute("aria-expanded", String(!part.hidden));
      refresh();
    });
    return { opener, part, refresh };
  }

  /** Away … nothing … toward, with its limit and its units in words. */
  function divergingLegend(limit, units, toward, away) {
    const ends = make("span", { class: "xw-legend-bar xw-diverging", "aria-hidden": "true" });
    const small = limit > 0 ? `${plain(-limit)} ` : "";
    const large = limit > 0 ? ` ${signed(limit)}${units ? ` ${units}` : ""}` : "";
    return make("div", { class: "xw-legend" }, make("span", {}, `${away} ${small}`), ends, make("span", {}, `${large} ${toward}`));
  }

  function sequentialLegend(low, high, units) {
    const bar = make("span", { class: "xw-legend-bar", "aria-hidden": "true" });
    bar.style.backgroundImage = `linear-gradient(90deg, ${PALETTE.cividis.map((c) => `rgb(${c.join(" ")})`).join(", ")})`;
    return make("div", { class: "xw-legend" }, make("span", {}, plain(low)), bar, make("span", {}, `${plain(high)} ${units}`.trim()));
  }

  /**
   * Listens to keys pressed without Ctrl, Alt or Meta: `keys` says what each does, and is told the place under the event,
   * an index (−1: none) or [row, column] (null: none). A key that did something goes no further.
   */
  function onKeys(keys, place = () => 0) {
    return (event) => {
      const act = event.ctrlKey || event.metaKey || event.altKey ? null : keys[event.key];
      const at = [place(event) ?? -1].flat();
      if (!act || at[0] < 0) return;
      act(...at);
      event.preventDefault();
      event.stopPropagation();
    };
  }

  /** Arrow keys in a row of buttons: one further (1) or back (−1). */
  function onArrows(go, place) {
    const [on, back] = [(at) => go(1, at), (at) => go(-1, at)];
    return onKeys({ ArrowRight: on, ArrowDown: on, ArrowLeft: back, ArrowUp: back }, place);
  }

  return {
    make, focusable, view, words, button, listeners, onceAFrame, onKeys, onArrows, root, floats, plain, signed, percent, ground, cividis, inkOver, setToken, said,
    table, disclosure, divergingLegend, sequentialLegend,
  };
})();
