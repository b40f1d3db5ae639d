// What ipywidgets' own controls lack inside a panel: keys kept from Jupyter, and names for those who listen.
function render({ model, el }) {
  let frame = 0;
  const put = (node, name, value) => { if (node.getAttribute(name) !== value) node.setAttribute(name, value); };
  const give = (panel) => {
    for (const node of panel.querySelectorAll("button, input, select, textarea")) put(node, "data-lm-suppress-shortcuts", "true");
    for (const [place, attributes] of Object.entries(model.get("attributes"))) {
      for (const node of panel.querySelectorAll(`.${place}`)) Object.entries(attributes).forEach(([name, value]) => put(node, name, value));
    }
  };
  const watch = new MutationObserver(() => give(el.closest(".xw-panel")));
  const begin = () => {
    const panel = el.closest(".xw-panel");
    if (!panel) { frame = requestAnimationFrame(begin); return; } // the manager draws a child before it is put in
    watch.observe(panel, { childList: true, subtree: true });
    give(panel);
  };
  const again = () => { if (el.closest(".xw-panel")) give(el.closest(".xw-panel")); };
  model.on("change:attributes", again);
  begin();
  return () => { cancelAnimationFrame(frame); watch.disconnect(); model.off("change:attributes", again); };
}
export default { render };
