// Reads one frame: its visible text, which selectors find something visible, and the values of scripts.
// The scripts come as functions, because many pages forbid to make functions of text.
(css, scripts) => {
  const shows = (element) => {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true })) return false;
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0;
  };
  const roots = [document];
  for (let at = 0; at < roots.length; at++) {
    for (const element of roots[at].querySelectorAll("*")) if (element.shadowRoot) roots.push(element.shadowRoot);
  }
  const texts = [];
  for (const root of roots) {
    const walker = document.createTreeWalker(root === document ? document.body ?? document : root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { nodeValue, parentElement } = walker.currentNode;
      if (nodeValue.trim() && parentElement && shows(parentElement)) texts.push(nodeValue);
    }
  }
  const found = {};
  for (const selector of css) {
    const visible = roots.flatMap((root) => [...root.querySelectorAll(selector)]).filter(shows);
    if (visible.length) found[selector] = visible.map((it) => it.innerText ?? it.textContent ?? "");
  }
  const values = scripts.map((script) => {
    try {
      return script();
    } catch {
      return null;
    }
  });
  return { text: texts.join(" "), found, scripts: values };
}
