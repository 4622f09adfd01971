/** The parts put to work. */
function startFilters() {
  for (const key of KEYS) {
    const values = [...new Set(DATA.rows.map(({ row }) => String(row[key])))];
    values.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    const options = values.map((value) => make("option", { value }, value));
    one(`select[name=${key}]`).append(make("option", { value: "" }, `all ${values.length}`), ...options);
  }
  for (const field of all("select, #filters input")) {
    field.addEventListener("input", () => change({ [field.name]: field.value }));
  }
  one("#filters").addEventListener("submit", (event) => event.preventDefault());
  one("#reset").addEventListener("click", () =>
    change({ ...DEFAULTS, open: state.open, published: state.published, cost: state.cost }),
  );
}

/** Links within the page go there without taking the place of what the address says of the view. */
function startLinks() {
  for (const link of all("nav a, a.skip")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const part = one(link.hash);
      part.scrollIntoView({ behavior: isStill() ? "auto" : "smooth" });
      part.focus({ preventScroll: true });
    });
  }
}

/** The head of the table sticks below the filters, however high they are; on small screens nothing sticks. */
function startSticking() {
  const bar = one("#bar");
  const measure = () =>
    document.documentElement.style.setProperty(
      "--bar",
      getComputedStyle(bar).position === "sticky" ? `${bar.offsetHeight}px` : "0px",
    );
  new ResizeObserver(measure).observe(bar);
}

function showFields() {
  for (const field of all("select, #filters input"))
    if (field.value !== state[field.name]) field.value = state[field.name];
}

function start() {
  readAddress();
  startTheme();
  startFilters();
  startLinks();
  startPanels();
  startBoard();
  startCost();
  for (const part of all(".scripted, #bar")) part.hidden = false;
  listeners.push(showFields, showOpened, showSorted, showFiltered, drawCharts);
  tell();
  startCharts();
  startSticking();
  addEventListener("hashchange", () => readAddress() && tell());
  if (opened().size === 1 && location.hash.startsWith("#row-")) showRow(state.open);
}

start();
