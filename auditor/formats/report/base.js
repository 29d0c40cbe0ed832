"use strict";
// What the other scripts rest on: the page's data, and elements that take text for nothing but text.
const report = (() => {
  // As in Python's auditor.model.shown: whatever moves a cursor, turns text around or hides is written as its escape.
  const hidden = /[\p{C}\p{Z}\p{Variation_Selector}]/gu;
  const escape = (character) => {
    if (character === " ") return character;
    const number = character.codePointAt(0).toString(16);
    if (number.length <= 2) return "\\x" + number.padStart(2, "0");
    return number.length <= 4 ? "\\u" + number.padStart(4, "0") : "\\U" + number.padStart(8, "0");
  };
  const shown = (text) => String(text).replace(hidden, escape);

  const element = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === true) made.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, shown(value));
    }
    for (const child of children.flat(Infinity)) {
      if (child === null || child === undefined) continue;
      made.append(child instanceof Node ? child : document.createTextNode(shown(child)));
    }
    return made;
  };

  // A control and its name above it.
  const field = (label, control, id, grows) => {
    control.id = id;
    return element("div", { class: grows ? "field grow" : "field" }, element("label", { for: id }, label), control);
  };

  // JSON that is fit to be shown and pasted: what is hidden is escaped as JSON has it, so that its meaning stays.
  const unit = (character, at) => "\\u" + character.charCodeAt(at).toString(16).padStart(4, "0");
  const plain = (text) => text.replace(hidden, (character) =>
    character === " " || character === "\n" ? character : [...Array(character.length).keys()].map((at) => unit(character, at)).join(""));
  const jsonText = (value, indent) => plain(JSON.stringify(value, null, indent));
  const json = (value) => {
    const made = document.createElement("pre");
    made.tabIndex = 0;
    made.textContent = jsonText(value, 2);
    return made;
  };

  const bytes = async (holder) => {
    const packed = atob(holder.textContent);
    const raw = new Uint8Array(packed.length);
    for (let at = 0; at < packed.length; at += 1) raw[at] = packed.charCodeAt(at);
    const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  };
  const read = async (holder) => JSON.parse(new TextDecoder().decode(await bytes(holder)));
  const holders = (name) => [...document.getElementsByClassName(name)].filter((each) => each.tagName === "SCRIPT");

  // Shown until the part below is there, and for good where that fails.
  for (const each of document.querySelectorAll(".waiting")) each.hidden = false;
  const ready = (place) => {
    place.previousElementSibling.remove();
    place.hidden = false;
  };

  const about = read(holders("about")[0]);
  const number = new Intl.NumberFormat("en");
  return { about, bytes, element, field, holders, json, jsonText, number: (value) => number.format(value), read, ready, shown };
})();
