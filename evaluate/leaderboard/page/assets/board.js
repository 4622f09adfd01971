/** The table: sorting, filtering, and what it says of itself. */
const FALLING = new Set(["accuracy", "published", "per-byte", "seeds"]);
const BODIES = all("#board tbody");
const PLACES = new Map(BODIES.map((body) => [body, [...body.rows]]));

function startBoard() {
  for (const head of all("#board thead th")) {
    const button = make("button", { type: "button" }, ...head.childNodes);
    button.addEventListener("click", () => sortBy(head.dataset.sort));
    head.append(button);
  }
}

/** state.sort is "key" for rising, "-key" for falling, "" for the order of the page. */
function sortBy(key) {
  const first = FALLING.has(key) ? `-${key}` : key;
  const other = FALLING.has(key) ? key : `-${key}`;
  change({ sort: state.sort === first ? other : first });
}

function showSorted() {
  const key = state.sort.replace(/^-/, "");
  const falling = state.sort.startsWith("-");
  const heads = all("#board thead th");
  const column = heads.findIndex((head) => head.dataset.sort === key);
  heads.forEach((head, number) => {
    if (number === column) head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  const groups = column >= 0 && heads[column].dataset.kind === "group";
  const compare = (a, b) => (column < 0 ? 0 : compareCells(a.cells[column], b.cells[column], falling));
  for (const body of BODIES) {
    const rows = groups
      ? PLACES.get(body)
      : PLACES.get(body).toSorted((a, b) => isOracle(a) - isOracle(b) || compare(a, b));
    putInOrder(
      body,
      rows.flatMap((row) =>
        row.nextElementSibling?.dataset.of === row.dataset.key ? [row, row.nextElementSibling] : [row],
      ),
    );
  }
  const order = groups ? BODIES.toSorted((a, b) => compare(PLACES.get(a)[0], PLACES.get(b)[0])) : BODIES;
  if (BODIES.length) putInOrder(one("#board"), order);
}

/** What moves loses the focus, so nothing moves without need, and the focus is given back. */
function putInOrder(parent, wanted) {
  const now = [...parent.children].slice(-wanted.length);
  if (wanted.every((child, number) => child === now[number])) return;
  const held = document.activeElement;
  parent.append(...wanted);
  if (held !== document.activeElement) held.focus({ preventScroll: true });
}

const isOracle = (row) => row.classList.contains("oracle");

/** Numbers as numbers, the rest as text; cells without a value come last either way. */
function compareCells(a, b, falling) {
  const [left, right] = [a.dataset.value, b.dataset.value];
  if (left === undefined || right === undefined) return (left === undefined) - (right === undefined);
  const numbers = [Number(left), Number(right)];
  const plain = numbers.some(Number.isNaN)
    ? left.localeCompare(right, "en", { numeric: true })
    : numbers[0] - numbers[1];
  return falling ? -plain : plain;
}

function showFiltered() {
  let count = 0;
  for (const body of BODIES) {
    let first = true;
    for (const row of body.rows) {
      const key = row.dataset.key ?? row.dataset.of;
      row.hidden = !isShown(RECORDS.get(key));
      if (row.hidden || row.dataset.of) continue;
      row.classList.toggle("repeats", !first);
      first = false;
      count += 1;
    }
    body.hidden = first;
  }
  showBeside();
  const chosen = [
    ...KEYS.filter((key) => state[key]).map((key) => `${key} ${state[key]}`),
    ...(state.method ? [`method “${state.method}”`] : []),
  ];
  one("#status").textContent = `${count} of ${DATA.rows.length} rows${chosen.length ? `: ${chosen.join(", ")}` : ""}`;
  one("#nothing").hidden = count > 0 || !DATA.rows.length;
  one("#reset").disabled = !chosen.length && !state.sort;
}

/** The matrices by network, and the pictures, of what is shown. */
function showBeside() {
  const sought = state.method.trim().toLowerCase();
  for (const matrix of all(".matrix")) {
    const { dataset } = matrix;
    const fits = ["dataset", "ipc", "protocol"].every((key) => !state[key] || dataset[key] === state[key]);
    const rows = all("tbody tr", matrix);
    for (const row of rows) row.hidden = !row.dataset.method.toLowerCase().includes(sought);
    matrix.hidden =
      !fits ||
      rows.every((row) => row.hidden) ||
      (state.network && !JSON.parse(dataset.networks).includes(state.network));
  }
  for (const figure of all(".pictures figure")) {
    figure.hidden = !figure.dataset.keys.split(" ").some((key) => isShown(RECORDS.get(key)));
  }
}
