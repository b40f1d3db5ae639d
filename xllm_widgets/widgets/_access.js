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
  const again = () => { const panel = el.closest(".xw-panel"); if (panel) give(panel); }; // none once the cell is gone
  const watch = new MutationObserver(again);
  const begin = () => {
    const panel = el.closest(".xw-panel");
    if (!panel) { frame = requestAnimationFrame(begin); return; } // the manager draws a child before it is put in
    watch.observe(panel, { childList: true, subtree: true });
    give(panel);
  };
  model.on("change:attributes", again);
  begin();
  return () => { cancelAnimationFrame(frame); watch.disconnect(); model.off("change:attributes", again); };
}
export default { render };
