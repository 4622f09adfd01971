/** Light or dark: as the system asks, until the reader says otherwise. */
function startTheme() {
  const button = one("#theme");
  const asked = matchMedia("(prefers-color-scheme: dark)");
  let chosen = remembered();
  const show = () => {
    const dark = chosen ? chosen === "dark" : asked.matches;
    if (chosen) document.documentElement.dataset.theme = chosen;
    button.setAttribute("aria-pressed", String(dark));
  };
  button.addEventListener("click", () => {
    chosen = button.getAttribute("aria-pressed") === "true" ? "light" : "dark";
    remember(chosen);
    show();
  });
  asked.addEventListener("change", show);
  button.hidden = false;
  show();
}

const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Some browsers keep no storage for files; then the choice lasts as long as the page. */
function remembered() {
  try {
    const found = localStorage.getItem("ddbench-theme");
    return found === "dark" || found === "light" ? found : null;
  } catch {
    return null;
  }
}

function remember(theme) {
  try {
    localStorage.setItem("ddbench-theme", theme);
  } catch {
    return;
  }
}
