/** What is shown, kept in the address so that a link shows the same. */
const KEYS = ["dataset", "ipc", "protocol", "network"];
const DEFAULTS = {
  dataset: "",
  ipc: "",
  protocol: "",
  network: "",
  method: "",
  sort: "",
  published: "here",
  cost: "seconds",
  open: "",
};
const state = { ...DEFAULTS };
const listeners = [];

function change(part) {
  Object.assign(state, part);
  const said = new URLSearchParams(Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]));
  history.replaceState(null, "", said.size ? `#${said}` : location.pathname + location.search);
  tell();
}

function tell() {
  for (const listener of listeners) listener();
}

/** Takes over what the address says; false where it only names a place of the page. */
function readAddress() {
  const text = location.hash.slice(1);
  if (text.startsWith("row-") && RECORDS.has(text.slice(4))) {
    Object.assign(state, { open: text.slice(4) });
    return true;
  }
  if (text && !text.includes("=")) return false;
  const said = new URLSearchParams(text);
  for (const key of Object.keys(DEFAULTS)) state[key] = said.get(key) ?? DEFAULTS[key];
  return true;
}

const opened = () => new Set(state.open.split(",").filter((key) => RECORDS.has(key)));

function isShown(record) {
  const sought = state.method.trim().toLowerCase();
  const named = `${record.row.label} ${record.row.method}`.toLowerCase();
  return KEYS.every((key) => !state[key] || String(record.row[key]) === state[key]) && named.includes(sought);
}

const shownRecords = () => DATA.rows.filter(isShown);
