// Resolves to the faults of the page that is open, a line each.
(async () => {
  const faults = [];
  const show = e => `<${e.tagName.toLowerCase()}> "${e.textContent.trim().replace(/\s+/g, " ").slice(0, 60)}"`;
  document.querySelectorAll("details").forEach(d => { d.open = true; });
  // What a new width or scheme asks for is then asked for.
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));

  // Nothing is wider than what holds it: neither the page nor a box that would scroll.
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width)
    faults.push(`the page scrolls: ${document.documentElement.scrollWidth} in ${width}`);
  const walk = e => {
    const box = e.getBoundingClientRect();
    if (["auto", "scroll"].includes(getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth)
      faults.push(`${show(e)} scrolls: ${e.scrollWidth} in ${e.clientWidth}`);
    else if (box.width && (box.right > width + 1 || box.left < -1))
      faults.push(`${show(e)} lies from ${Math.round(box.left)} to ${Math.round(box.right)} in a window of ${width}`);
    else if (e.tagName !== "svg") [...e.children].forEach(walk);
  };
  walk(document.body);

  // Each picture has a name for screen readers, and they take it for a picture.
  const text = id => document.getElementById(id)?.textContent ?? "";
  for (const e of document.querySelectorAll("svg, img, canvas, [role=img]")) {
    if (e.parentElement.closest("svg, [role=img]")) continue; // which says it all
    const title = e.querySelector(":scope > title")?.textContent ?? "";
    const name = e.getAttribute("aria-label") || (e.getAttribute("aria-labelledby") ?? "").split(" ").map(text).join(" ") || e.alt || title;
    if (!name.trim() || e.tagName !== "IMG" && e.getAttribute("role") !== "img")
      faults.push(`${e.outerHTML.slice(0, 80)} has no text for screen readers`);
  }

  // Each text has a contrast of 4.5 with what is behind it (WCAG 2.1, 1.4.3).
  const channels = c => c.match(/[\d.]+/g).map(Number);
  const luminance = c => {
    const [r, g, b] = c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const known = new Map();
  const behind = e => {
    if (!e) return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
    if (!known.has(e)) {
      const c = channels(getComputedStyle(e).backgroundColor);
      known.set(e, c.length < 4 || c[3] === 1 ? c : behind(e.parentElement));
    }
    return known.get(e);
  };
  for (const e of document.body.querySelectorAll("*")) {
    if (![...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim()) || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const [a, b] = [luminance(channels(e.closest("svg") ? style.fill : style.color)), luminance(behind(e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faults.push(`${show(e)} has a contrast of ${contrast.toFixed(1)}`);
  }
  return faults;
})()
