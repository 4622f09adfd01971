/** Rows that are open: what is known of them moves from the end of the page into the table, and back. */
const ROWS = new Map(all("#board tr[data-key]").map((row) => [row.dataset.key, row]));
const PANELS = new Map(all("details.panel[id^=row-]").map((panel) => [panel.id.slice(4), panel]));

function startPanels() {
  for (const link of all("a.open")) {
    const key = link.closest("tr").dataset.key;
    const button = make("button", { type: "button", class: "open", "aria-expanded": "false" }, ...link.childNodes);
    button.addEventListener("click", () => toggle(key));
    link.replaceWith(button);
  }
  for (const place of all(".copyable")) place.append(copyButton(one("code", place).textContent));
  one("#board")?.addEventListener("keydown", (event) => {
    const key = event.key === "Escape" && event.target.closest("tr.opened")?.dataset.of;
    if (!key) return;
    toggle(key);
    buttonOf(key).focus();
  });
  one("#provenance").hidden = true;
}

const rowOf = (key) => ROWS.get(key);
const buttonOf = (key) => one("button.open", rowOf(key));

function toggle(key) {
  const keys = opened();
  if (!keys.delete(key)) keys.add(key);
  change({ open: [...keys].join(",") });
}

function showRow(key) {
  change({ open: [...opened().add(key)].join(",") });
  rowOf(key).scrollIntoView({ block: "center", behavior: isStill() ? "auto" : "smooth" });
  buttonOf(key).focus({ preventScroll: true });
}

function showOpened() {
  const keys = opened();
  for (const [key, panel] of PANELS) {
    const row = rowOf(key);
    const below = row.nextElementSibling?.dataset.of === key ? row.nextElementSibling : null;
    if (keys.has(key) && !below) row.after(openRow(key, panel));
    if (!keys.has(key) && below) {
      panel.append(one(".parts", below));
      below.remove();
    }
    buttonOf(key).setAttribute("aria-expanded", String(keys.has(key)));
  }
}

function openRow(key, panel) {
  const parts = one(".parts", panel);
  showRecipe(parts);
  showPicture(parts, key);
  const inside = make(
    "div",
    { class: "inside", role: "group", "aria-label": one("summary", panel).textContent },
    parts,
  );
  const columns = all("#board thead th").length;
  return make("tr", { class: "opened", "data-of": key }, make("td", { colspan: columns }, inside));
}

/** The recipe in full where only a link to it stands. */
function showRecipe(parts) {
  const link = one("a.recipe", parts);
  const found = link && document.getElementById(link.hash.slice(1));
  if (!found) return;
  const text = one("pre", found).cloneNode(true);
  link.closest("p").replaceWith(make("details", { class: "inner" }, make("summary", {}, link.textContent), text));
}

function showPicture(parts, key) {
  const image = one(`.pictures figure[data-keys~="${CSS.escape(key)}"] img`);
  if (!image || one("img", parts)) return;
  const of = measureOf(RECORDS.get(key)) === ROC_AUC ? "graphs" : "images";
  parts.append(make("section", {}, make("h4", {}, `Synthetic ${of}`), image.cloneNode()));
}

function copyButton(text) {
  const button = make("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    const done = await copied(text, one("code", button.parentElement));
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  return button;
}

/** Where the browser gives no access to the clipboard, the text is selected instead. */
async function copied(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return false;
  }
}
