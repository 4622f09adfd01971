/** Elements of the page. Strings among children become text, never markup. */
function make(name, attributes = {}, ...children) {
  return dress(document.createElement(name), attributes, children);
}

function draw(name, attributes = {}, ...children) {
  return dress(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function dress(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false)
      element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const one = (selector, inside = document) => inside.querySelector(selector);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

const DATA = JSON.parse(one("#data").textContent);
const RECORDS = new Map(DATA.rows.map((record) => [record.key, record]));
