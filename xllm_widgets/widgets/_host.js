// Draws saved views without a kernel: a small stand-in for the widget manager, nothing fetched.
(async () => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => {
    document.body.classList.toggle("xw-static-dark", dark.matches);
    document.body.style.background = dark.matches ? "#111213" : "#ffffff";
    document.body.style.margin = "24px";
  };
  dark.addEventListener("change", theme);
  theme();
  for (const node of document.querySelectorAll('script[type="application/x-xw-afm"]')) {
    const { state, buffers, esm, css } = JSON.parse(node.textContent);
    for (const [name, text] of Object.entries(buffers)) {
      state[name] = new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
    }
    state._static = true;
    const listeners = {};
    const model = {
      get: (name) => state[name],
      set(name, value) {
        if (state[name] === value) return;
        state[name] = value;
        for (const call of (listeners[`change:${name}`] || []).slice()) call();
      },
      on: (name, call) => (listeners[name] ||= []).push(call),
      off: (name, call) => { listeners[name] = (listeners[name] || []).filter((other) => other !== call); },
      save_changes() {},
      send() {},
    };
    const sheet = document.createElement("style");
    sheet.textContent = css;
    document.head.append(sheet);
    const box = document.createElement("div");
    node.after(box);
    const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
    const view = (await import(url)).default;
    view.render({ model, el: box });
  }
})();
