// Shows /openapi.json. It makes elements and texts only, never markup from text.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

/** An element with attributes and children; a string child becomes text. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** What a reference stands for; a description beside the reference wins. */
function resolve(root, value) {
  if (!value || !value.$ref) return value;
  let found = root;
  for (const part of value.$ref.slice(2).split("/")) found = found[part];
  return value.description ? { ...found, description: value.description } : found;
}

function kindOf(schema) {
  if (schema.oneOf) return schema.oneOf.map(kindOf).join(" or ");
  let kind = [schema.type || "any"].flat().join(" or ");
  if (schema.format) kind += `, ${schema.format}`;
  if (schema.enum) kind += `: ${schema.enum.join(", ")}`;
  if (schema.maxLength) kind += `, at most ${schema.maxLength} characters`;
  if (schema.maximum) kind += `, ${schema.minimum} to ${schema.maximum}`;
  if (schema.maxItems) kind += `, at most ${schema.maxItems}`;
  return kind;
}

function table(heads, rows) {
  const line = (tag, cells) => make("tr", {}, ...cells.map((it) => make(tag, {}, it)));
  return make("table", {}, make("thead", {}, line("th", heads)),
    make("tbody", {}, ...rows.map((row) => line("td", row))));
}

function fields(schema, before = "") {
  const rows = [];
  for (const [name, field] of Object.entries(schema.properties || {})) {
    const needed = (schema.required || []).includes(name) ? "yes" : "no";
    rows.push([make("code", {}, before + name), kindOf(field), needed]);
    rows.push(...fields(field, `${before}${name}.`));
    if (field.items) rows.push(...fields(field.items, `${before}${name}[].`));
  }
  return rows;
}

function content(root, body) {
  const parts = [];
  for (const [type, media] of Object.entries(body.content || {})) {
    parts.push(make("p", {}, make("code", {}, type)));
    let schema = resolve(root, media.schema) || {};
    if (schema.oneOf) schema = schema.oneOf[0];
    const rows = fields(schema.items || schema);
    if (rows.length) parts.push(table(["field", "kind", "always there"], rows));
    if (media.example !== undefined) {
      const text = typeof media.example === "string"
        ? media.example : JSON.stringify(media.example, null, 2);
      parts.push(make("pre", {}, text));
    }
  }
  return parts;
}

function describe(root, operation) {
  const body = make("div", { class: "body" }, make("p", {}, `For ${operation["x-who"]}.`));
  if (operation.parameters.length) {
    body.append(make("h3", {}, "Parameters"), table(["name", "in", "kind", "meaning"],
      operation.parameters.map((it) => [
        make("code", {}, it.name), it.in, kindOf(it.schema), it.description || "",
      ])));
  }
  if (operation.requestBody) {
    body.append(make("h3", {}, "Body"), ...content(root, operation.requestBody));
  }
  for (const [status, reference] of Object.entries(operation.responses)) {
    const response = resolve(root, reference);
    const headers = Object.keys(response.headers || {}).join(", ");
    const parts = [make("h3", {}, `${status}: ${response.description}`)];
    if (headers) parts.push(make("p", {}, `Headers: ${headers}`));
    body.append(...parts, ...content(root, response));
  }
  return body;
}

/** One endpoint. Its description is made when it is first opened. */
function endpoint(root, path, method, operation) {
  const title = make("summary", {}, make("b", {}, method.toUpperCase()),
    make("code", {}, path), make("span", {}, operation.summary));
  const details = make("details", { id: operation.operationId }, title);
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(describe(root, operation));
  });
  const words = [path, method, operation.operationId, operation.summary];
  details.dataset.words = words.join(" ").toLowerCase();
  return details;
}

function show(root) {
  document.getElementById("version").textContent = root.info.version;
  const about = document.getElementById("about");
  about.replaceChildren(`${root.info.description} `, make("a", { href: "/openapi.json" }, "openapi.json"));
  const list = document.getElementById("list");
  for (const { name } of root.tags) {
    const section = make("section", {}, make("h2", { id: `api-${name}` }, name));
    for (const [path, operations] of Object.entries(root.paths)) {
      for (const method of METHODS) {
        const operation = operations[method];
        if (operation && operation.tags.includes(name)) {
          section.append(endpoint(root, path, method, operation));
        }
      }
    }
    list.append(section);
    document.getElementById("apis").append(make("a", { href: `#api-${name}` }, name));
  }
  const find = document.getElementById("find");
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/);
    for (const section of list.children) {
      const all = [...section.querySelectorAll("details")];
      for (const it of all) it.hidden = !words.every((word) => it.dataset.words.includes(word));
      section.hidden = all.every((it) => it.hidden);
    }
  });
}

fetch("/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.statusText))))
  .then(show)
  .catch((error) => {
    document.getElementById("about").textContent = `The document cannot be shown: ${error.message}`;
  });
